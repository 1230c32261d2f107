"""Figures of a check, from the plain data that a method leaves in `Evidence.plot`.

The contract, by the value of ``kind``. Every other key may be absent or null, and a figure shows what there is; numbers
may be strings such as ``"inf"`` (JSON has no such numbers), and what is not finite, or not positive on a logarithmic
axis, is left out. All kinds take ``title``, ``xlabel`` and ``ylabel``.

``regret``: regret against its bound, on logarithmic axes.
    ``episodes``            list of K
    ``median``              regret after K episodes, median over the runs
    ``low``, ``high``       quantiles over the runs
    ``bound``               right side of the claim at K
    ``trivial``             what no policy can exceed (``K * H``), as a list or as the value per episode
    ``nonvacuous_from``     first K at which the bound is below the trivial one; that region is shaded
    ``runs``, ``quantiles`` number of runs and pair of quantiles, for the caption

``rate``: an exponent fitted on logarithmic axes.
    ``x``, ``y``            points
    ``low``, ``high``       interval of each y
    ``slope``, ``interval`` fitted exponent and its interval
    ``claimed``             exponent that is claimed, drawn through the centre of the points
    ``at``                  ``"most"`` or ``"least"``, for the caption
    ``from``                first x of the fit; earlier points are a burn-in, drawn hollow
    ``end_slope``           slope at the end, for the caption

``ratios``: how much of the bound is used.
    ``ratios``              list of lhs / rhs; or
    ``histogram``           counts in equal ``bins`` of [0, 1], what is above one in the last of them; or
                            ``{"edges": [n + 1 numbers], "counts": [n numbers]}``
    ``growth``              pairs (evaluations, largest ratio so far)

``curves``: several curves on one pair of axes.
    ``curves``              at most six of ``{"label", "x", "y"}``, each with any of ``low`` and ``high`` (band),
                            ``bound`` (drawn dashed in the colour of the curve), ``slope``, ``interval`` and ``claimed``
                            (exponents, for the caption), ``style`` (``"line"``, ``"points"`` or
                            ``"area"``) and ``muted``
    ``xscale``, ``yscale``  ``"log"`` (if absent) or ``"linear"``
    ``caption``             a sentence

Figures are SVG without fonts, dates, scripts or colours of their own: text stays text, and colours are variables of the
style sheet, so that one drawing serves light, dark and paper. The same data give the same bytes.
"""

import functools
import importlib
import io
import itertools
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from markupsafe import Markup

from proofs_check.evidence import Json

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure as Canvas

    Drawing: TypeAlias = tuple[Canvas, str]
    """A canvas with its caption."""

POINTS = 120
"""Most points drawn of one curve; more cannot be seen."""

WIDTH, HEIGHT = 6.6, 3.0
"""Inches; one is 72 units of the drawing."""

MARGINS = {"left": 0.115, "right": 0.985, "bottom": 0.155, "top": 0.885}
"""Place of the axes; the legend stands above them."""

LEAST_STEPS = 4
"""Improvements of the largest ratio that are worth a panel; fewer are told in the caption."""

LEGEND_COLUMNS = 3
"""Columns of the legend of several curves."""

BINS = 24
"""Bins of a histogram made from a list of ratios."""

INK, MUTED, RULE, DATA, BOUND, SHADE = (f"#0a0b0{digit}" for digit in range(1, 7))
"""Stand-ins for the colours of the style sheet, replaced in the finished drawing."""

SERIES = tuple(f"#0a0b1{digit}" for digit in range(1, 7))
"""Stand-ins for the colours of several curves."""

COLOURS = {
    **{colour: f"var(--figure-{place})" for place, colour in enumerate(SERIES, start=1)},
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    RULE: "var(--rule)",
    DATA: "var(--figure-data)",
    BOUND: "var(--figure-bound)",
    SHADE: "var(--figure-shade)",
}

DASHES = (0, (4, 3))
MUTED_LINES: tuple[Any, ...] = ("-", (0, (1, 1.5)), (0, (6, 1.5, 1, 1.5)))
"""Lines of muted curves, which share a colour."""

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

STYLE: Any = {
    "text.parse_math": False,
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.solid_capstyle": "round",
    "path.simplify": False,
}


@dataclass(frozen=True)
class Figure:
    """A drawing, and its content in words."""

    svg: Markup
    caption: str


@dataclass(frozen=True)
class _Curve:
    """Points whose coordinates can be drawn."""

    x: list[float]
    y: list[float]

    def __bool__(self) -> bool:
        return bool(self.x)

    def part(self, wanted: Callable[[float], bool]) -> "_Curve":
        """Return the points whose abscissa is wanted."""
        kept = [(x, y) for x, y in zip(self.x, self.y, strict=True) if wanted(x)]
        return _Curve([x for x, _ in kept], [y for _, y in kept])


def draw(plot: Json, name: str) -> Figure | None:
    """Draw the figure of a check.

    Parameters
    ----------
    plot
        Data as the module's documentation says.
    name
        Distinguishes the identifiers inside the drawing from those of other figures on the page.

    Returns
    -------
    Figure or None
        None if the kind is unknown or there is nothing to draw.
    """
    kind = plot.get("kind") if isinstance(plot, Mapping) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        return None
    import matplotlib

    with matplotlib.rc_context({**STYLE, "svg.hashsalt": f"boundcheck {name}"}):
        drawing = _KINDS[kind](plot)
        if drawing is None:
            return None
        canvas, caption = drawing
        stream = io.StringIO()
        canvas.savefig(stream, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    caption = f"{plot['title']}. {caption}" if plot.get("title") else caption
    return Figure(_clean(stream.getvalue(), caption), caption)


def load() -> None:
    """Import the drawing library, so that processes forked from this one need not."""
    importlib.import_module("matplotlib.backends.backend_svg")


def _canvas() -> "Canvas":
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(WIDTH, HEIGHT))
    canvas.patch.set_visible(False)
    return canvas


def _regret(plot: Mapping[str, Json]) -> "Drawing | None":
    canvas, axes = _axes(plot, "episodes K", "regret")
    episodes = _numbers(plot.get("episodes"))
    median, bound = (_curve(episodes, plot.get(key)) for key in ("median", "bound"))
    trivial = _curve(episodes, _trivial(plot.get("trivial"), episodes))
    if not (median or bound):
        return None
    _band(axes, episodes, plot)
    if median:
        axes.plot(median.x, median.y, color=DATA, linewidth=1.8, label="median regret")
    if bound:
        axes.plot(bound.x, bound.y, color=BOUND, linewidth=1.6, label="bound")
    if trivial:
        axes.plot(trivial.x, trivial.y, color=MUTED, linewidth=1.0, linestyle=DASHES, label="trivial bound")
    start = _number(plot.get("nonvacuous_from"))
    last = max(curve.x[-1] for curve in (median, bound) if curve)
    if start is not None and start <= last:
        axes.axvspan(max(start, axes.get_xlim()[0]), last, color=SHADE, linewidth=0, label="not vacuous")
    axes.set_xlim(right=last)
    _plain_ticks(axes.xaxis)
    _plain_ticks(axes.yaxis)
    _legend(axes)
    return canvas, f"{_regret_of(plot)} against the bound, on logarithmic axes. {_vacuity(start, last)}"


def _regret_of(plot: Mapping[str, Json]) -> str:
    runs, quantiles = _number(plot.get("runs")), _numbers(plot.get("quantiles"))
    band = f" with the {quantiles[0]:g} and {quantiles[1]:g} quantiles" if len(quantiles) == 2 else ""
    of_runs = f" of {runs:g} runs" if runs is not None else ""
    return f"Exact regret (median{of_runs}{band})"


def _vacuity(start: float | None, last: float) -> str:
    if start is None:
        return "The bound is not known to say anything here."
    if start > last:
        return f"The bound is vacuous on all of this range; it says something from K = {start:,.0f} on."
    return f"The bound says something from K = {start:,.0f} on (shaded)."


def _rate(plot: Mapping[str, Json]) -> "Drawing | None":
    canvas, axes = _axes(plot, "size", "value")
    x = _numbers(plot.get("x"))
    points = _curve(x, plot.get("y"), thin=False)
    if not points:
        return None
    _error_bars(axes, x, plot)
    start = _number(plot.get("from")) or 0.0
    early, fitted = points.part(lambda place: place < start), points.part(lambda place: place >= start)
    axes.plot(early.x, early.y, "o", color=DATA, markersize=4.5, fillstyle="none")
    axes.plot(fitted.x, fitted.y, "o", color=DATA, markersize=4.5, label="measured")
    slope, claimed = _number(plot.get("slope")), _number(plot.get("claimed"))
    if slope is not None and fitted:
        _power(axes, fitted, slope, color=DATA, linewidth=1.4, label=f"fitted exponent {slope:.3f}")
    if claimed is not None and fitted:
        label = f"claimed exponent {claimed:.3g}"
        _power(axes, fitted, claimed, color=BOUND, linewidth=1.4, linestyle=DASHES, label=label)
    _legend(axes)
    _plain_ticks(axes.xaxis)
    _plain_ticks(axes.yaxis)
    return canvas, _rate_in_words(plot, slope, claimed)


def _rate_in_words(plot: Mapping[str, Json], slope: float | None, claimed: float | None) -> str:
    interval, end = _numbers(plot.get("interval")), _number(plot.get("end_slope"))
    text = "Measured points" if slope is None else f"Fitted exponent {slope:.3f}"
    if slope is not None and len(interval) == 2:
        text += f", interval [{interval[0]:.3f}, {interval[1]:.3f}]"
    if end is not None:
        text += f"; {end:.3f} at the end"
    if claimed is not None:
        direction = f"at {plot['at']} " if plot.get("at") in ("most", "least") else ""
        text += f"; claimed: {direction}{claimed:.3g}"
    return text + "."


def _power(axes: "Axes", points: _Curve, exponent: float, **style: Any) -> None:
    """Draw a power law through the centre of the points, on logarithmic axes."""
    centre = [sum(map(math.log, values)) / len(values) for values in (points.x, points.y)]
    ends = [min(points.x), max(points.x)]
    axes.plot(ends, [math.exp(centre[1] + exponent * (math.log(x) - centre[0])) for x in ends], **style)


def _ratios(plot: Mapping[str, Json]) -> "Drawing | None":
    edges, counts = _histogram(plot)
    growth = [pair for pair in map(_numbers, _list(plot.get("growth"))) if len(pair) == 2]
    growth = [pair for pair in growth if all(map(math.isfinite, pair))]
    steps = len(growth) if len(growth) >= LEAST_STEPS or not counts else 0
    panels = [_draw_histogram] * bool(counts) + [_draw_growth] * bool(steps)
    if not panels:
        return None
    canvas = _panels(tuple(panel.__name__ for panel in panels))
    for axes, panel in zip(canvas.axes, panels, strict=True):
        for artist in (*axes.lines, *axes.patches):
            artist.remove()
        axes.relim()
        axes.autoscale()
        if panel is _draw_histogram:
            _draw_histogram(axes, edges, counts)
        else:
            _draw_growth(axes, growth)
    parts = [f"Ratio of the left to the right side on {sum(counts):,.0f} instances"] if counts else []
    if growth:
        parts.append(f"largest ratio {growth[-1][1]:.4g} after {growth[-1][0]:,.0f} evaluations")
    text = "; ".join(parts)
    return canvas, f"{text[0].upper()}{text[1:]}. Above one the claim would be violated."


@functools.cache
def _panels(names: tuple[str, ...]) -> "Canvas":
    """Return the canvas of all figures with these panels: new axes cost more than all that is drawn in them."""
    margins = {**MARGINS, "top": 0.96, "right": 0.985 if len(names) == 2 else 0.6, "wspace": 0.28}
    canvas = _canvas()
    for axes in canvas.subplots(1, len(names), squeeze=False, gridspec_kw=margins)[0]:
        _dress(axes)
    return canvas


def _draw_histogram(axes: "Axes", edges: list[float], counts: list[float]) -> None:
    axes.stairs(counts, edges, fill=True, color=DATA, alpha=0.75, linewidth=0)
    axes.axvline(1.0, color=BOUND, linewidth=1.4)
    axes.set_xlabel("ratio of the sides")
    axes.set_ylabel("instances")
    axes.set_ylim(bottom=0.0)


def _draw_growth(axes: "Axes", growth: list[list[float]]) -> None:
    axes.step(
        [max(pair[0], 1.0) for pair in growth], [pair[1] for pair in growth], where="post", color=DATA, linewidth=1.8
    )
    axes.axhline(1.0, color=BOUND, linewidth=1.4)
    axes.set_xscale("log")
    _plain_ticks(axes.xaxis)
    axes.set_xlabel("evaluations")
    axes.set_ylabel("largest ratio so far")


def _histogram(plot: Mapping[str, Json]) -> tuple[list[float], list[float]]:
    """Return edges and counts, both empty if there is no histogram."""
    histogram, bins = plot.get("histogram"), _number(plot.get("bins"))
    if isinstance(histogram, Mapping):
        edges, counts = _numbers(histogram.get("edges")), _numbers(histogram.get("counts"))
    elif bins is not None and bins == len(_list(histogram)) > 0:
        edges, counts = [place / bins for place in range(int(bins) + 1)], _numbers(histogram)
    else:
        edges, counts = _binned([ratio for ratio in _numbers(plot.get("ratios", histogram)) if math.isfinite(ratio)])
    sound = len(edges) == len(counts) + 1 and all(map(math.isfinite, [*edges, *counts])) and edges == sorted(edges)
    return (edges, counts) if sound and any(counts) else ([], [])


def _binned(ratios: Sequence[float]) -> tuple[list[float], list[float]]:
    if not ratios:
        return [], []
    low, high = min(0.0, *ratios), max(1.0, *ratios)
    counts = [0.0] * BINS
    for ratio in ratios:
        counts[min(BINS - 1, int((ratio - low) / (high - low) * BINS))] += 1.0
    return [low + (high - low) * place / BINS for place in range(BINS + 1)], counts


def _curves(plot: Mapping[str, Json]) -> "Drawing | None":
    scales = [scale if scale in ("log", "linear") else "log" for scale in (plot.get("xscale"), plot.get("yscale"))]
    curves = [curve for curve in _list(plot.get("curves")) if isinstance(curve, Mapping)][: len(SERIES)]
    rows = math.ceil(len(curves) / LEGEND_COLUMNS)
    margins = {**MARGINS, "top": 0.96 - 0.075 * rows}
    canvas, axes = _axes(plot, "x", "y", margins, *scales)
    muted = itertools.cycle(MUTED_LINES)
    drawn = []
    for curve, own in zip(curves, SERIES, strict=False):
        colour, dashes = (MUTED, next(muted)) if curve.get("muted") else (own, "-")
        drawn.append(_draw_curve(axes, curve, colour, dashes, scales))
    if not any(drawn):
        return None
    for axis, scale in zip((axes.xaxis, axes.yaxis), scales, strict=True):
        if scale == "log":
            _plain_ticks(axis)
    _legend(axes, LEGEND_COLUMNS)
    words = [f"{curve.get('label')}: {_exponents(curve)}" for curve in curves if _exponents(curve)]
    text = str(plot["caption"]) if plot.get("caption") else "Curves"
    told = "Dashed" in text or not any(_numbers(curve.get("bound")) for curve in curves)
    bounds = "" if told else " Dashed: bounds."
    text = text.rstrip(".") + "." + bounds
    return canvas, text + (f" Exponents: {'; '.join(words)}." if words else "")


def _draw_curve(axes: "Axes", curve: Mapping[str, Json], colour: str, dashes: Any, scales: Sequence[str]) -> bool:
    """Draw one curve with its band and its bound; return whether there was anything to draw."""
    x = _numbers(curve.get("x"))
    y, low, high, bound = (_numbers(curve.get(key)) for key in ("y", "low", "high", "bound"))

    def rows(*columns: Sequence[float]) -> list[list[float]]:
        wanted = [_drawable if scale == "log" else math.isfinite for scale in (scales[0], *[scales[1]] * 2)]
        found = zip(*columns, strict=False)
        kept = [row for row in found if all(test(value) for test, value in zip(wanted, row, strict=False))]
        return [list(column) for column in zip(*kept, strict=True)]

    line, band, dashed = rows(x, y), rows(x, low, high), rows(x, bound)
    if band:
        axes.fill_between(band[0], band[1], band[2], color=colour, alpha=0.2, linewidth=0)
    if dashed:
        axes.plot(*dashed, color=colour, linewidth=1.1, linestyle=DASHES)
    if line and curve.get("style") == "area":
        axes.fill(*line, color=colour, alpha=0.25, linewidth=0, label=str(curve.get("label", "")))
    elif line:
        scattered = {"linestyle": "none", "marker": "o", "markersize": 4.0}
        points: Any = scattered if curve.get("style") == "points" else {"linestyle": dashes}
        axes.plot(*line, color=colour, linewidth=1.6, label=str(curve.get("label", "")), **points)
    return bool(line or band or dashed)


def _exponents(curve: Mapping[str, Json]) -> str:
    slope, claimed, interval = _number(curve.get("slope")), _number(curve.get("claimed")), curve.get("interval")
    ends = _numbers(interval)
    text = "" if slope is None else f"fitted {slope:.3f}"
    text += f" in [{ends[0]:.3f}, {ends[1]:.3f}]" if text and len(ends) == 2 else ""
    return text + ("" if claimed is None else f"{', ' if text else ''}predicted {claimed:.3g}")


_KINDS: dict[str, Callable[[Mapping[str, Json]], "Drawing | None"]] = {
    "curves": _curves,
    "regret": _regret,
    "rate": _rate,
    "ratios": _ratios,
}


def _axes(
    plot: Mapping[str, Json],
    xlabel: str,
    ylabel: str,
    margins: Mapping[str, float] = MARGINS,
    xscale: str = "log",
    yscale: str = "log",
) -> tuple["Canvas", "Axes"]:
    canvas = _canvas()
    axes = canvas.subplots(gridspec_kw=dict(margins))
    _dress(axes)
    axes.set_xscale(xscale)
    axes.set_yscale(yscale)
    axes.set_xlabel(str(plot.get("xlabel") or xlabel))
    axes.set_ylabel(str(plot.get("ylabel") or ylabel))
    return canvas, axes


def _plain_ticks(axis: "Axis") -> None:
    """Label a logarithmic axis in plain text, such as 100 or 10⁶, at 1, 2, 5 times powers of ten if it is short."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = axis.get_data_interval()
    subs = (1.0, 2.0, 5.0) if high < 60.0 * low else (1.0,)
    axis.set_major_locator(LogLocator(subs=subs, numticks=9))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: _power_of_ten(value)))


def _power_of_ten(value: float) -> str:
    if 1e-3 < value < 1e5:
        return f"{value:,.6g}"
    exponent = math.floor(math.log10(value) + 1e-9)
    factor = value / 10.0**exponent
    prefix = "" if abs(factor - 1.0) < 1e-6 else f"{factor:.3g}·"
    return f"{prefix}10{str(exponent).translate(SUPERSCRIPTS)}"


def _legend(axes: "Axes", columns: int = 4) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 0.99), ncols=columns, handlelength=1.6, columnspacing=1.8)


def _dress(axes: "Axes") -> None:
    axes.patch.set_visible(False)
    axes.grid(visible=True, axis="y", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(left=False, width=0.6)
    axes.locator_params(nbins=5)


def _band(axes: "Axes", x: Sequence[float], plot: Mapping[str, Json]) -> None:
    low, high = _numbers(plot.get("low")), _numbers(plot.get("high"))
    triples = [triple for triple in zip(x, low, high, strict=False) if all(map(_drawable, triple))]
    if triples:
        xs, lows, highs = zip(*_thin(triples), strict=True)
        axes.fill_between(xs, lows, highs, color=DATA, alpha=0.25, linewidth=0)


def _error_bars(axes: "Axes", x: Sequence[float], plot: Mapping[str, Json]) -> None:
    low, high = _numbers(plot.get("low")), _numbers(plot.get("high"))
    for place, below, above in zip(x, low, high, strict=False):
        if all(map(_drawable, (place, below, above))):
            axes.plot([place, place], [below, above], color=DATA, linewidth=1.0, alpha=0.6)


def _trivial(value: Json, episodes: Sequence[float]) -> Json:
    per_episode = _number(value)
    return value if per_episode is None else [per_episode * episode for episode in episodes]


def _curve(x: Sequence[float], y: Json, thin: bool = True) -> _Curve:
    pairs = [pair for pair in zip(x, _numbers(y), strict=False) if all(map(_drawable, pair))]
    pairs = _thin(pairs) if thin else pairs
    return _Curve([pair[0] for pair in pairs], [pair[1] for pair in pairs])


def _thin(rows: list[Any]) -> list[Any]:
    """Keep at most `POINTS` rows, evenly spaced on a logarithmic axis, the first and the last among them."""
    if len(rows) <= POINTS:
        return rows
    ratio = (len(rows) - 1) ** (1.0 / (POINTS - 1))
    kept = sorted({0, len(rows) - 1, *(min(len(rows) - 1, round(ratio**step)) for step in range(POINTS))})
    return [rows[index] for index in kept]


def _drawable(value: float) -> bool:
    return math.isfinite(value) and value > 0.0


def _list(value: Json) -> list[Json]:
    return list(value) if isinstance(value, list | tuple) else []


def _numbers(values: Json | Iterable[float]) -> list[float]:
    numbers = (_number(value) for value in _list(values))
    return [math.nan if number is None else number for number in numbers]


def _number(value: Json) -> float | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _clean(svg: str, caption: str) -> Markup:
    """Make a drawing fit to stand in a page: no prolog, no size, no colours, no identifiers that nobody refers to."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style type.*?</style>", "", svg, flags=re.DOTALL)
    used = frozenset(re.findall(r'(?:url\(#|href="#)([^")]+)', svg))
    svg = re.sub(r"<[^<>]*>", lambda tag: _clean_tag(tag[0], used), svg)
    box = re.findall(r'viewBox="([^"]*)"', svg)[0]
    opening = Markup('<svg class="figure" viewBox="{}" role="img" aria-label="{}">').format(box, caption)
    return opening + Markup(re.sub(r"\n\s*", "\n", svg[svg.index(">") + 1 :]))


def _clean_tag(tag: str, used: frozenset[str]) -> str:
    tag = re.sub(r' id="([^"]*)"', lambda match: match[0] if match[1] in used else "", tag)
    tag = re.sub(r"font-family: '[^']*'; ?", "", tag)
    tag = re.sub(r"(\d\.\d\d)\d+", r"\1", tag)
    tag = re.sub("|".join(COLOURS), lambda match: COLOURS[match[0]], tag)
    return tag.replace("xlink:href", "href")
