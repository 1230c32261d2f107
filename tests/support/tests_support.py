"""Small claims, and the verification of one check, that several test files share."""

import json

import numpy as np

from proofs_check.evidence import Evidence, dumps
from proofs_check.methods.base import Context, Tier
from theory import Claim, Kind, Level, Origin, Paper, Source

PAPER = Paper("paper_2020", "Title", ("Author",), 2020, "Venue", arxiv="2001.00001")


def derived_claim(claim_id, *, expected=Level.SUPPORTED, **fields):
    """Return a claim without a bound."""
    return Claim(
        id=claim_id,
        title=f"title of {claim_id}",
        statement="x \\le y",
        kind=Kind.INEQUALITY,
        source=Source(Origin.DERIVED, PAPER),
        expected=expected,
        no_bound="a test",
        **fields,
    )


def verify(method, statement, assumptions=()):
    """Return the evidence of the quick tier as a ledger would give it back, up to the first unit that settles it."""
    results = {}
    for index, unit in enumerate(method.units(Tier.QUICK)):
        context = Context(Tier.QUICK, np.random.SeedSequence(index), assumptions)
        results[unit] = json.loads(dumps(method.run(statement, unit, context)))
        if method.settles(results[unit]):
            break
    return Evidence.from_json(json.loads(dumps(method.fold(results).to_json())))
