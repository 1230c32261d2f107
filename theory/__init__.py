"""What is claimed: papers, claims with explicit constants, and the graph of what uses what."""

from theory.claim import (
    Assumption,
    Bound,
    Claim,
    Fails,
    Holds,
    Kind,
    Level,
    Origin,
    Paper,
    Source,
    TheoryError,
)

__all__ = [
    "Assumption",
    "Bound",
    "Claim",
    "Fails",
    "Holds",
    "Kind",
    "Level",
    "Origin",
    "Paper",
    "Source",
    "TheoryError",
]
