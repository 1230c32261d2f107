"""The proof graph as inline SVG: which claim rests on which, coloured by verdict.

Claims of one family stand together in a card; cards stand in layers such that what a proof uses is to the left of what
it proves. Layers are longest paths in the graph of families. That graph may have cycles although the graph of claims
has none (two lemma libraries may use each other), so only its edges along an order of the families count: that of the
mean places of their claims in a topological order of the claims. Within a layer, and within a card, barycentre sweeps
put what belongs together at the same height.

Everything is computed from names in a fixed order: the same verdicts give the same bytes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from markupsafe import Markup

from proofs_check.engine import Verdict

ROW, HEAD, PAD = 21, 26, 8
"""Heights of a node, of a card's title, and of the space below the last node."""

CARD_GAP, LAYER_GAP, MARGIN, SIDE = 22, 84, 14, 48
"""Spaces between cards of a layer, between layers, above and below the drawing, and at its sides (for curved edges)."""

CHARACTER = 6.1
"""Mean width of a character of a label."""

LABEL_LENGTH = 34
"""Characters after which a label is cut (its full name is in the tooltip)."""

SWEEPS = 6


@dataclass(frozen=True)
class Place:
    """Where a node is: its box, and the layer of its card."""

    x: float
    y: float
    width: float
    layer: int

    @property
    def middle(self) -> float:
        """Height at which edges arrive and leave."""
        return self.y + ROW / 2


def topological(uses: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the claims such that what a proof uses comes before it."""
    return list(TopologicalSorter({claim: sorted(uses[claim]) for claim in sorted(uses)}).static_order())


def layers(uses: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Return the families, layer by layer.

    Parameters
    ----------
    uses
        Claim -> claims that its proof uses, all of them keys.
    """
    order = {claim: place for place, claim in enumerate(topological(uses))}
    members: dict[str, list[int]] = {}
    for claim, place in order.items():
        members.setdefault(_family(claim), []).append(place)
    families = sorted(members, key=lambda family: (sum(members[family]) / len(members[family]), family))
    rank = {family: place for place, family in enumerate(families)}
    pairs = {(_family(used), _family(claim)) for claim in uses for used in uses[claim]}
    forward = [(used, user) for used, user in pairs if rank[used] < rank[user]]
    layer = dict.fromkeys(families, 0)
    for user in families:
        layer[user] = max((layer[used] + 1 for used, target in forward if target == user), default=0)
    linked = {family for pair in pairs if pair[0] != pair[1] for family in pair}
    columns: list[list[str]] = [[] for _ in range(max(layer.values(), default=0) + 1)]
    for family in families:
        if family in linked:
            columns[layer[family]].append(family)
    for family in families:
        if family not in linked:
            min(columns, key=lambda column: sum(len(members[name]) + 2 for name in column)).append(family)
    return columns


def arrange(uses: Mapping[str, Sequence[str]]) -> list[list[tuple[str, list[str]]]]:
    """Return the cards (family, claims from top to bottom), layer by layer, with few crossings."""
    order = topological(uses)
    cards = {name: [claim for claim in order if _family(claim) == name] for column in layers(uses) for name in column}
    columns = layers(uses)
    neighbours: dict[str, list[str]] = {claim: list(uses[claim]) for claim in uses}
    for claim in order:
        for used in uses[claim]:
            neighbours[used].append(claim)
    for sweep in range(SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            heights = _heights(columns, cards)
            wanted = {claim: _mean([heights[other] for other in neighbours[claim]], heights[claim]) for claim in order}
            for family in column:
                cards[family].sort(key=lambda claim: (wanted[claim], claim))
            column.sort(key=lambda family: (_mean([wanted[claim] for claim in cards[family]], 0.0), family))
    return [[(family, cards[family]) for family in column] for column in columns]


def _heights(columns: Iterable[Iterable[str]], cards: Mapping[str, Sequence[str]]) -> dict[str, float]:
    heights: dict[str, float] = {}
    for column in columns:
        y = 0.0
        for family in column:
            heights.update({claim: y + HEAD + ROW * place for place, claim in enumerate(cards[family])})
            y += _card_height(len(cards[family])) + CARD_GAP
    return heights


def draw(verdicts: Sequence[Verdict]) -> Markup:
    """Return the graph of the given claims; uses of claims that are not among them are left out."""
    known = {verdict.claim.id: verdict for verdict in verdicts}
    if not known:
        return Markup("")
    uses = {name: [used for used in verdict.claim.uses if used in known] for name, verdict in known.items()}
    columns = arrange(uses)
    places, cards, width, height = _place(columns)
    edges = [(used, claim) for claim in topological(uses) for used in sorted(set(uses[claim]))]
    size = Markup('width="{0:.0f}" height="{1:.0f}" viewBox="0 0 {0:.0f} {1:.0f}"').format(width, height)
    parts = [
        Markup('<svg class="graph" {} role="group" ').format(size),
        Markup('aria-label="Proof graph: {} claims, {} uses">\n<g class="edges">\n').format(len(known), len(edges)),
        *(_edge(used, claim, places) for used, claim in edges),
        Markup('</g>\n<g class="cards">\n'),
        *cards,
        Markup('</g>\n<g class="nodes">\n'),
        *(_node(known[claim], places[claim]) for column in columns for _, claims in column for claim in claims),
        Markup("</g>\n</svg>"),
    ]
    return Markup("").join(parts)


def _place(
    columns: Sequence[Sequence[tuple[str, Sequence[str]]]],
) -> tuple[dict[str, Place], list[Markup], float, float]:
    """Return the places of the nodes, the drawn cards, and the size of the drawing."""
    places: dict[str, Place] = {}
    cards: list[Markup] = []
    heights = [sum(_card_height(len(claims)) + CARD_GAP for _, claims in column) - CARD_GAP for column in columns]
    x = float(SIDE)
    for layer, column in enumerate(columns):
        labels = [_label(claim) for _, claims in column for claim in claims] + [f"{family} " for family, _ in column]
        width = CHARACTER * max(map(len, labels)) + 36
        y = MARGIN + (max(heights) - heights[layer]) / 2
        for family, claims in column:
            cards.append(_card(family, x, y, width, _card_height(len(claims))))
            for row, claim in enumerate(claims):
                places[claim] = Place(x, y + HEAD + ROW * row, width, layer)
            y += _card_height(len(claims)) + CARD_GAP
        x += width + LAYER_GAP
    return places, cards, x - LAYER_GAP + SIDE, max(heights) + 2 * MARGIN


def _card(family: str, x: float, y: float, width: float, height: float) -> Markup:
    return Markup(
        '<rect x="{0:.1f}" y="{1:.1f}" width="{2:.1f}" height="{3:.1f}" rx="4"/>'
        '<text x="{4:.1f}" y="{5:.1f}">{6}</text>\n'
    ).format(x, y, width, height, x + 12, y + 17, family)


def _node(verdict: Verdict, place: Place) -> Markup:
    claim, expected = verdict.claim, " as expected" if verdict.ok else f", expected {verdict.expected}"
    return Markup(
        '<a class="node {level}" href="#{id}" data-claim="{id}"><title>{id}: {title} ({level}{expected})</title>'
        '<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height}" rx="3"/>'
        '<use href="#mark-{level}" x="{mark:.1f}" y="{mark_y:.1f}" width="11" height="11"/>'
        '<text x="{text:.1f}" y="{text_y:.1f}">{label}</text></a>\n'
    ).format(
        level=verdict.level,
        id=claim.id,
        title=claim.title,
        expected=expected,
        x=place.x + 4,
        y=place.y,
        width=place.width - 8,
        height=ROW,
        mark=place.x + 10,
        mark_y=place.y + 5,
        text=place.x + 27,
        text_y=place.y + 14.5,
        label=_label(claim.id),
    )


def _edge(used: str, claim: str, places: Mapping[str, Place]) -> Markup:
    """Draw a curve from the right of what is used to the left of what uses it; beside the card inside one layer."""
    start, end = places[used], places[claim]
    if start.layer == end.layer:
        x = start.x
        bulge = x - min(LAYER_GAP * 0.6, 10 + 0.22 * abs(start.middle - end.middle))
        points = ((x, start.middle), (bulge, start.middle), (bulge, end.middle), (x, end.middle))
    else:
        right, left = start.x + start.width, end.x
        bend = max(LAYER_GAP * 0.5, abs(left - right) * 0.42)
        points = ((right, start.middle), (right + bend, start.middle), (left - bend, end.middle), (left, end.middle))
    path = "M{}C{} {} {}".format(*(f"{x:.1f} {y:.1f}" for x, y in points))
    return Markup('<path d="{}" data-from="{}" data-to="{}"/>\n').format(path, used, claim)


def _card_height(claims: int) -> float:
    return HEAD + ROW * claims + PAD


def _family(claim: str) -> str:
    return claim.split(".")[0]


def _label(claim: str) -> str:
    name = claim.split(".", 1)[1]
    return name if len(name) <= LABEL_LENGTH else name[: LABEL_LENGTH - 1] + "…"


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default
