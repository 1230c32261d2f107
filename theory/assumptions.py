"""Hypotheses that many claims share, as predicates on models.

The predicates read attributes only, so that this package needs none of the model classes.
"""

from typing import Any

from theory.claim import Assumption, Fails, Holds


def _unit_rewards(model: Any) -> Holds | Fails:
    return Holds() if model.unit_rewards else Fails("rewards leave [0, 1]")


def _stationary(model: Any) -> Holds | Fails:
    return Holds() if model.stationary else Fails("the kernel depends on the stage")


def _known_rewards(model: Any) -> Holds | Fails:
    return Holds() if model.reward_law == "deterministic" else Fails("rewards are random")


UNIT_REWARDS = Assumption("unit_rewards", r"0 \le r_h(s, a) \le 1", _unit_rewards)
STATIONARY = Assumption("stationary", r"p_h = p \text{ for all } h", _stationary)
KNOWN_REWARDS = Assumption("known_rewards", r"r \text{ is deterministic and known}", _known_rewards)
