"""Small claims and methods that several test files share."""

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
