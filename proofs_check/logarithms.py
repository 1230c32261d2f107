r"""Exact arithmetic with logarithms of rationals, and regularised models on which nothing else occurs.

A `LogSum` is :math:`\sum_p c_p \log p` over primes with rational coefficients. Logarithms of different primes are
linearly independent over the rationals (unique factorisation), so two such numbers are equal exactly if all their
coefficients are.

Every quantity of KL-regularised control is linear in rewards and log-probabilities, except the soft maximum
:math:`\lambda \log \sum_a \tilde\pi(a) e^{x_a / \lambda}`. It stays in this set when all :math:`e^{x_a / \lambda}` are
rational. Models with that property are made backwards: choose the optimal policy :math:`\pi^\star_h`, the reference
:math:`\tilde\pi_h` and the soft values :math:`\lambda \log z_h(s)` freely, and take the rewards

.. math:: r_h(s, a) = \lambda \log \frac{\pi^\star_h(a \mid s)\, z_h(s)}{\tilde\pi_h(a \mid s)}
    - \lambda \sum_t p_h(t \mid s, a) \log z_{h+1}(t), \qquad z_H = 1 .

For given transitions these are dense in all rewards. `SoftPlan` computes the optimal values from the rewards alone.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TypeAlias

from flint import arb, fmpz

from proofs_check.cases import Table, random_case
from proofs_check.evidence import Comparison

Policy: TypeAlias = tuple[Table, ...]
"""Action probabilities ``[h][s][a]``."""


class NotALogarithmError(ArithmeticError):
    """A number is not the logarithm of a rational."""


@dataclass(frozen=True)
class LogSum:
    """A rational combination of logarithms of primes."""

    coefficients: Mapping[int, Fraction] = field(default_factory=dict)

    @classmethod
    def log(cls, value: Fraction | int) -> "LogSum":
        """Return the logarithm of a positive rational.

        Raises
        ------
        NotALogarithmError
            If it is not positive.
        """
        ratio = Fraction(value)
        if ratio <= 0:
            raise NotALogarithmError(f"{ratio} has no logarithm")
        powers: dict[int, Fraction] = {}
        for number, sign in ((ratio.numerator, 1), (ratio.denominator, -1)):
            for prime, exponent in fmpz(number).factor():
                powers[int(prime)] = powers.get(int(prime), Fraction(0)) + sign * int(exponent)
        return cls(powers)

    def __add__(self, other: "LogSum") -> "LogSum":
        total = dict(self.coefficients)
        for prime, coefficient in other.coefficients.items():
            total[prime] = total.get(prime, Fraction(0)) + coefficient
        return LogSum({prime: coefficient for prime, coefficient in total.items() if coefficient})

    def __neg__(self) -> "LogSum":
        return self * Fraction(-1)

    def __sub__(self, other: "LogSum") -> "LogSum":
        return self + -other

    def __mul__(self, scale: Fraction | int) -> "LogSum":
        return LogSum({p: scale * c for p, c in self.coefficients.items()} if scale else {})

    __rmul__ = __mul__

    def exp(self) -> Fraction:
        """Return the rational whose logarithm this is.

        Raises
        ------
        NotALogarithmError
            If it is irrational: a coefficient is not an integer.
        """
        value = Fraction(1)
        for prime, coefficient in self.coefficients.items():
            if coefficient.denominator != 1:
                raise NotALogarithmError(f"exp({coefficient} log {prime}) is irrational")
            value *= Fraction(prime) ** int(coefficient)
        return value

    def ball(self) -> arb:
        """Return an enclosure at the precision of FLINT's context."""
        terms = (arb(c.numerator) / c.denominator * arb(p).log() for p, c in self.coefficients.items())
        return sum(terms, arb(0))


def total(terms: Iterator[LogSum]) -> LogSum:
    """Return a sum."""
    result = LogSum()
    for term in terms:
        result += term
    return result


def equal(left: LogSum, right: LogSum, where: str = "") -> Iterator[Comparison]:
    """Yield the comparison of each coefficient; one of zeros if there is none."""
    primes = sorted({*left.coefficients, *right.coefficients})
    for prime in primes or [2]:
        lhs, rhs = (side.coefficients.get(prime, Fraction(0)) for side in (left, right))
        yield Comparison(lhs, rhs, "==", where=f"{where}, coefficient of log {prime}".removeprefix(", "))


def divergence(law: Sequence[Fraction], reference: Sequence[Fraction]) -> LogSum:
    """Return KL(law || reference); the reference must be positive where the law is."""
    return total(mass * LogSum.log(mass / other) for mass, other in zip(law, reference, strict=True) if mass)


def entropy(law: Sequence[Fraction]) -> LogSum:
    """Return the Shannon entropy."""
    return total(-mass * LogSum.log(mass) for mass in law if mass)


@dataclass(frozen=True)
class SoftCase:
    """A model whose soft values are logarithms of rationals, and two policies.

    Parameters
    ----------
    transitions
        ``[h][s][a][t]``.
    optimal, reference
        Positive policies; the rewards are those that make ``optimal`` the optimum of the regularised problem.
    normalisers
        Positive z ``[h][s]``.
    """

    transitions: tuple[tuple[tuple[tuple[Fraction, ...], ...], ...], ...]
    initial: tuple[Fraction, ...]
    reference: Policy
    optimal: Policy
    normalisers: Table
    temperature: Fraction
    policy: Policy
    comparator: Policy

    @property
    def horizon(self) -> int:
        """Number of stages."""
        return len(self.reference)

    @cached_property
    def rewards(self) -> list[list[list[LogSum]]]:
        """Rewards ``[h][s][a]``."""
        following = [*self.normalisers[1:], (Fraction(1),) * len(self.initial)]
        return [
            [
                [
                    self.temperature * LogSum.log(best * self.normalisers[h][s] / self.reference[h][s][a])
                    - self.temperature
                    * total(p * LogSum.log(z) for p, z in zip(self.transitions[h][s][a], following[h], strict=True))
                    for a, best in enumerate(row)
                ]
                for s, row in enumerate(stage)
            ]
            for h, stage in enumerate(self.optimal)
        ]

    def look_ahead(self, h: int, values: Sequence[LogSum]) -> list[list[LogSum]]:
        """Return r + p V at a stage."""
        return [
            [
                reward + total(p * v for p, v in zip(law, values, strict=True) if p)
                for reward, law in zip(rewards, laws, strict=True)
            ]
            for rewards, laws in zip(self.rewards[h], self.transitions[h], strict=True)
        ]

    def evaluate(self, policy: Policy, *, penalty: Fraction | None = None) -> list[list[LogSum]]:
        """Return the regularised values ``[h][s]``, h = 0..H, of a policy; ``penalty`` replaces the temperature."""
        scale = self.temperature if penalty is None else penalty
        values = [[LogSum()] * len(self.initial)]
        for h in reversed(range(self.horizon)):
            table = self.look_ahead(h, values[0])
            stage = [
                total(mass * q for mass, q in zip(law, row, strict=True))
                - (scale * divergence(law, self.reference[h][s]) if scale else LogSum())
                for s, (law, row) in enumerate(zip(policy[h], table, strict=True))
            ]
            values.insert(0, stage)
        return values

    def start(self, values: Sequence[Sequence[LogSum]]) -> LogSum:
        """Return the value of the first state."""
        return total(mass * v for mass, v in zip(self.initial, values[0], strict=True))

    def occupancy(self, policy: Policy) -> list[list[Fraction]]:
        """Return the probabilities ``[h][s]``."""
        visits = [list(self.initial)]
        for h in range(self.horizon - 1):
            arriving = [Fraction(0)] * len(self.initial)
            for mass, law, laws in zip(visits[-1], policy[h], self.transitions[h], strict=True):
                for weight, targets in zip(law, laws, strict=True):
                    arriving = [x + mass * weight * p for x, p in zip(arriving, targets, strict=True)]
            visits.append(arriving)
        return visits

    def along(self, policy: Policy, terms: Sequence[Sequence[LogSum]]) -> LogSum:
        """Return the expected sum of ``terms[h][s]`` along a policy."""
        visits = self.occupancy(policy)
        return total(m * v for stage, row in zip(visits, terms, strict=True) for m, v in zip(stage, row, strict=True))

    def divergences(self, policy: Policy, other: Policy) -> list[list[LogSum]]:
        """Return KL(policy || other) at every stage and state."""
        return [[divergence(p, q) for p, q in zip(*pair, strict=True)] for pair in zip(policy, other, strict=True)]


@dataclass(frozen=True)
class SoftPlan:
    """Optimal values ``[h][s]`` and policy of the regularised problem, from the rewards."""

    values: list[list[LogSum]]
    policy: Policy

    @classmethod
    def of(cls, case: SoftCase) -> "SoftPlan":
        """Run soft dynamic programming.

        Raises
        ------
        NotALogarithmError
            If a weight exp(Q / lambda) is irrational.
        """
        values = [[LogSum()] * len(case.initial)]
        policy: list[Table] = []
        for h in reversed(range(case.horizon)):
            weights = [
                [p * (q * (1 / case.temperature)).exp() for p, q in zip(law, row, strict=True)]
                for law, row in zip(case.reference[h], case.look_ahead(h, values[0]), strict=True)
            ]
            values.insert(0, [case.temperature * LogSum.log(sum(row)) for row in weights])
            policy.insert(0, tuple(tuple(w / sum(row) for w in row) for row in weights))
        return cls(values, tuple(policy))


def positive(policy: Policy) -> Policy:
    """Return the mean of a policy and the uniform one."""
    return tuple(tuple(tuple((mass + Fraction(1, len(row))) / 2 for mass in row) for row in stage) for stage in policy)


def soft_case(
    seed: int, n_states: int, n_actions: int, horizon: int, temperature: Fraction, *, uniform: bool = False
) -> SoftCase:
    """Return a case without structure, or with the uniform reference."""
    first, second = (random_case(2 * seed + k, n_states, n_actions, horizon) for k in range(2))
    rng = random.Random(seed)
    normalisers = tuple(
        tuple(Fraction(rng.randint(1, 9), rng.randint(1, 9)) for _ in range(n_states)) for _ in range(horizon)
    )
    even = (((Fraction(1, n_actions),) * n_actions,) * n_states,) * horizon
    return SoftCase(
        first.mdp.transitions,
        first.mdp.initial,
        even if uniform else positive(second.policy),
        positive(second.comparator),
        normalisers,
        temperature,
        first.policy,
        positive(first.comparator),
    )
