"""The report: well formed, self-contained, escaped, the same bytes every time, and readable in a browser."""

import base64
import dataclasses
import hashlib
import html
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs_check import report
from proofs_check.engine import CheckOutcome, MutantOutcome, Verdict, judge
from proofs_check.evidence import Confidence, Evidence, Finding, Tightness, dumps
from proofs_check.methods.base import Tier
from proofs_check.report import figures, formulas, graph, words
from proofs_check.runner import Settings
from theory.claim import Assumption, Bound, Claim, Holds, Kind, Level, Origin, Paper, Source
from theory.symbols import A, H, K, S, delta, regret

HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>{{ 7 * 7 }}</details></table>&amp;$\\frac{1"
VOID = {"meta", "link", "br", "wbr", "input", "img", "hr"}
PLAIN_PAPER = Paper("azar_2017", "Minimax Regret Bounds", ("Azar", "Osband", "Munos"), 2017, "ICML", arxiv="1703.05449")

REGRET = {
    "kind": "regret",
    "episodes": list(range(1, 1001)),
    "median": [k**0.5 for k in range(1, 1001)],
    "low": [0.5 * k**0.5 for k in range(1, 1001)],
    "high": [2.0 * k**0.5 for k in range(1, 1001)],
    "bound": [100.0 * k**0.5 for k in range(1, 1001)],
    "trivial": 20.0,
    "nonvacuous_from": 25,
    "runs": 64,
    "quantiles": [0.05, 0.95],
}
RATE = {
    "kind": "rate",
    "x": [100, 200, 400, 800],
    "y": [10.0, 14.0, 20.0, 28.0],
    "low": [9.0, 13.0, 18.0, 26.0],
    "high": [11.0, 15.0, 22.0, 31.0],
    "slope": 0.506,
    "interval": [0.481, 0.533],
    "claimed": 0.5,
    "at": "most",
    "from": 200,
    "end_slope": 0.497,
}
CURVES = {
    "kind": "curves",
    "xlabel": "episodes K",
    "caption": "Regret of two learners",
    "curves": [
        {
            "label": "first",
            "x": [1, 10, 100],
            "y": [1, 3, 10],
            "bound": [9, 30, 90],
            "slope": 0.5,
            "interval": [0.45, 0.55],
        },
        {
            "label": "second",
            "x": [1, 10, 100],
            "y": [2, 9, 44],
            "low": [1, 8, 40],
            "high": [3, 10, 50],
            "claimed": 2 / 3,
        },
        {"label": "third", "x": [1, 50, 50], "y": [2, 2, 4], "style": "area", "muted": True},
    ],
}
RATIOS = {"kind": "ratios", "histogram": [3, 0, 5, 1], "bins": 4, "growth": [[1, 0.25], [90, 0.75], [1200, 0.987]]}


def claim(claim_id="ucbvi.regret", *, paper=PLAIN_PAPER, expected=Level.SUPPORTED, **changes):
    bound = Bound(sp.Le(regret, 7 * H * sp.sqrt(S * A * K * sp.log(5 * S * A * K / delta))))
    fields = {
        "title": "Regret with Hoeffding bonuses",
        "statement": r"\text{With probability at least } 1 - \delta:\quad \mathrm{Regret}_K \le 7 H \sqrt{SAKL}",
        "kind": Kind.HIGH_PROBABILITY,
        "source": Source(Origin.STATED, paper, "Theorem 1", note="Constants as recalled."),
        "bound": bound,
        "assumptions": (Assumption("unit_rewards", r"0 \le r_h(s, a) \le 1", lambda instance: Holds()),),
    }
    return Claim(claim_id, expected=expected, **{**fields, **changes})


def evidence(finding=Finding.NO_VIOLATION, **changes):
    fields = {
        "instances": ("river(6)", "grid(5)"),
        "skipped": {"lake": "unit_rewards: a reward is 2"},
        "tightness": Tightness(0.125, "river(6), stage 2"),
        "confidence": Confidence(459, 0.002, 0.0, 0.0099, 0.05, 0),
        "nonvacuous_from": {"river(6)": 57, "grid(5)": None},
    }
    return Evidence("montecarlo", finding, "no violation in 459 runs", **{**fields, **changes})


def mutant(name="half_constant", *, killed=True, control=False, witness=None, why="the constant 7 is 3"):
    return MutantOutcome(name, why, killed, control, "violated on river(6)", witness)


def verdict(of=None, found=None, mutants=None, check="montecarlo") -> Verdict:
    outcome = CheckOutcome(check, found or evidence(), tuple(mutants or [mutant()]))
    return judge(of or claim(), (outcome,), Tier.QUICK, 0)


def verdicts() -> list[Verdict]:
    """One verdict of every level, every kind of figure, and several papers."""
    lemmas = Paper(
        "puterman_1994", "Markov Decision Processes", ("Puterman",), 1994, "Wiley", doi="10.1002/9780470316887"
    )
    folklore = Source(Origin.FOLKLORE, lemmas, "Theorem 6.2.3")
    derived = Source(Origin.DERIVED, lemmas)
    identity = {"source": folklore, "kind": Kind.IDENTITY, "bound": None, "no_bound": "an identity", "assumptions": ()}
    long = {"transitions": [[i / 7 for i in range(10)] for _ in range(10)], "lhs": "9/4", "rhs": 2}
    return [
        verdict(
            claim("bellman.fixed_point", expected=Level.PROVED, statement=r"V^\star = T V^\star", **identity),
            evidence(Finding.PROOF, confidence=None, nonvacuous_from={}, plot=RATIOS),
            [mutant(witness={"x": "1/2"}), mutant("no_discount", witness=long)],
        ),
        verdict(
            claim("bellman.flow", expected=Level.CERTIFIED, uses=("bellman.fixed_point",), **identity),
            evidence(Finding.CERTIFICATE, confidence=None, tightness=None),
        ),
        verdict(claim(uses=("bellman.flow", "bellman.fixed_point")), evidence(plot=REGRET)),
        verdict(claim("ucbvi.rate", uses=("ucbvi.regret", "elsewhere.lemma")), evidence(plot=RATE)),
        verdict(claim("ucbvi.weak"), evidence(Finding.UNDECIDED)),
        verdict(claim("ucbvi.blind"), evidence(), [mutant(killed=False)]),
        verdict(
            claim("ucbvi.misprint", expected=Level.REFUTED, erratum="The factor $H$ is missing.", source=derived),
            evidence(Finding.VIOLATION, witness=long, confidence=None),
            [mutant("with_factor", control=True)],
        ),
        verdict(claim("ucbvi.false"), evidence(Finding.VIOLATION, witness={"lhs": 3, "rhs": 2})),
        judge(claim("ucbvi.unchecked", expected=Level.SUPPORTED), (), Tier.QUICK, 0),
    ]


class Page(HTMLParser):
    """Parses a page and complains about what does not nest."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.ids, self.references, self.text = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        for name, value in attrs:
            assert not name.startswith("on"), f"{tag} has an event handler {name}"
            assert name != "src", f"{tag} loads {value}"
            if name == "id":
                self.ids.append(value)
            if name == "href":
                self.references.append((tag, value))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    @property
    def all_text(self):
        return "".join(self.text)

    def count(self, tag, **attributes):
        return sum(name == tag and attributes.items() <= found.items() for name, found in self.tags)


@pytest.fixture(scope="module")
def built():
    return report.build(verdicts(), Settings(Tier.QUICK, seed=7))


@pytest.fixture(scope="module")
def page(built):
    return Page(built)


def test_nests_and_identifies_each_thing_once(page):
    assert len(page.ids) == len(set(page.ids))
    assert page.count("h1") == 1
    assert page.count("main") == 1
    assert page.count("script") == 1


def test_refers_to_nothing_outside_but_the_papers(page, built):
    outside = {value for _, value in page.references if not value.startswith(("#", "data:,"))}
    assert outside == {"https://arxiv.org/abs/1703.05449", "https://doi.org/10.1002/9780470316887"}
    assert all(tag == "a" for tag, value in page.references if value in outside)
    style = (report.HERE / "style.css").read_text()
    assert not re.search(r"@import|url\(", style)
    assert not re.search(r"fetch|XMLHttp|http|import\b|eval|innerHTML", (report.HERE / "script.js").read_text())
    assert "default-src 'none'" in built


def test_links_inside_the_page_arrive(page):
    inside = {value[1:] for _, value in page.references if value.startswith("#")}
    assert inside <= set(page.ids)


def test_the_policy_admits_this_script_only(built):
    script = re.search(r"<script>(.*?)</script>", built, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in built


def test_every_claim_has_an_article_and_a_row(page):
    shown = verdicts()
    assert {v.claim.id for v in shown} <= set(page.ids)
    assert page.count("article") == len(shown)
    for found in shown:
        assert ("a", f"#{found.claim.id}") in page.references
        assert found.reason in page.all_text


def test_says_what_is_known_about_a_claim(page):
    text = re.sub(r"\s+", " ", page.all_text)
    for wanted in (
        "Theorem 1 of Azar, Osband, Munos (2017).",
        "Constants as recalled.",
        "459 runs, 0 violations; limits [0, 0.0099], each one-sided at level 0.002; claimed 0.05",
        "lake: unit_rewards: a reward is 2",
        "never seen grid(5)",
        "river(6), stage 2",
        "the constant 7 is 3",
        "an identity",
        "seed 7",
        "no check of this claim runs at this tier",
        "4 verdicts are weaker than expected",
    ):
        assert wanted in text


def test_refutation_that_is_expected_is_no_alarm(built):
    article = built[built.index('id="ucbvi.misprint"') :]
    article = article[: article.index("</article>")]
    assert "as expected" in article
    assert "Erratum" in article
    assert "Counter-example" in article
    assert "accepted" in article
    assert "failed" not in article


def test_long_witness_is_cut_and_kept_whole(built):
    start = built.index('id="ucbvi.misprint"')
    shown = re.search(r"<pre tabindex=\"0\">(.*?)</pre>", built[start:], re.DOTALL)[1]
    assert json.loads(html.unescape(shown)) == json.loads(dumps(verdicts()[6].deciding.witness))
    assert "…</code></summary>" in built[start:]


def test_same_verdicts_same_bytes(built):
    assert report.build(verdicts(), Settings(Tier.QUICK, seed=7)) == built


def test_bytes_do_not_depend_on_the_process(built):
    code = (
        "import importlib.util, hashlib, sys\n"
        f"spec = importlib.util.spec_from_file_location('fabricated', {__file__!r})\n"
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)\n"
        "text = module.report.build(module.verdicts(), module.Settings(module.Tier.QUICK, seed=7))\n"
        "print(hashlib.sha256(text.encode()).hexdigest())\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "TZ": "Asia/Tokyo"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert run.stdout.strip() == hashlib.sha256(built.encode()).hexdigest()


def test_nothing_selected():
    page = Page(report.build([], Settings()))
    assert "No claim was selected." in page.all_text
    assert page.count("article") == 0


def test_written_file_is_the_page(tmp_path, built):
    path = tmp_path / "new" / "folder" / "index.html"
    report.write(path, verdicts(), Settings(Tier.QUICK, seed=7))
    assert path.read_bytes() == built.encode()


# --- hostile text -----------------------------------------------------------------------------------------------------


def hostile_verdict():
    paper = Paper(HOSTILE, HOSTILE, (HOSTILE,), 2024, HOSTILE, doi='10.1000/"><script>x</script>')
    bad = claim(
        "ucbvi.hostile",
        paper=paper,
        title=HOSTILE,
        statement=HOSTILE,
        source=Source(Origin.STATED, paper, HOSTILE, HOSTILE),
        bound=None,
        no_bound=HOSTILE,
        assumptions=(Assumption(HOSTILE, HOSTILE, lambda instance: Holds()),),
        expected=Level.REFUTED,
        erratum=HOSTILE,
        uses=(HOSTILE,),
    )
    found = Evidence(
        HOSTILE,
        Finding.VIOLATION,
        HOSTILE,
        instances=(HOSTILE,),
        skipped={HOSTILE: HOSTILE},
        tightness=Tightness(2.0, HOSTILE),
        witness={HOSTILE: [HOSTILE] * 5},
        nonvacuous_from={HOSTILE: 3},
        plot={**RATE, "title": HOSTILE, "xlabel": HOSTILE, "ylabel": HOSTILE, "at": HOSTILE},
    )
    outcome = MutantOutcome(HOSTILE, HOSTILE, True, False, HOSTILE, {HOSTILE: HOSTILE})
    return dataclasses.replace(verdict(bad, found, [outcome], check=HOSTILE), reason=HOSTILE)


def test_hostile_text_stays_text():
    page = Page(report.build([hostile_verdict(), verdict()], Settings()))
    assert page.count("script") == 1
    assert page.count("img") == 0
    assert page.all_text.count("<script>alert('x')</script>") > 12
    assert "{{ 7 * 7 }}" in page.all_text


@pytest.mark.parametrize("render", [formulas.formula, formulas.statement, formulas.inline, formulas.condition])
@given(text=st.one_of(st.text(), st.text(alphabet=r"\{}$&<>^_'\"()[]| abfrcsqt1\n~%#")))
def test_any_text_becomes_balanced_markup(render, text):
    page = Page(str(render(text)))
    allowed = {"math", "mi", "mn", "mo", "mrow", "msub", "msup", "msubsup", "munder", "mover", "munderover", "mfrac"}
    allowed |= {
        "msqrt",
        "mroot",
        "mtext",
        "mspace",
        "mstyle",
        "mtable",
        "mtr",
        "mtd",
        "span",
        "code",
        "wbr",
        "br",
        "em",
    }
    assert {tag for tag, _ in page.tags} <= allowed | {"strong"}


# --- formulas ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("latex", "markup"),
    [
        (r"\frac{a}{2}", "<mfrac><mi>a</mi><mn>2</mn></mfrac>"),
        (r"\sqrt[3]{x}", "<mroot><mi>x</mi><mn>3</mn></mroot>"),
        (r"\tfrac12", '<mstyle displaystyle="false" scriptlevel="0"><mfrac><mn>1</mn><mn>2</mn></mfrac></mstyle>'),
        (r"x^25", "<msup><mi>x</mi><mn>2</mn></msup><mn>5</mn>"),
        (r"x_i^2", "<msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup>"),
        (r"x'", '<msup><mi>x</mi><mo lspace="0" rspace="0">′</mo></msup>'),
        (r"\mathbb{E}", "<mi>𝔼</mi>"),
        (r"\mathbb R", "<mi>ℝ</mi>"),
        (r"\mathcal{H}", "<mi>ℋ</mi>"),
        (r"\mathfrak{C}", "<mi>ℭ</mi>"),
        (r"\mathbf{1}", "<mn>𝟏</mn>"),
        (r"\boldsymbol{\theta}", "<mi>𝜽</mi>"),
        (r"\mathrm{Regret}_K", "<msub><mi>Regret</mi><mi>K</mi></msub>"),
        (r"a < b", "<mo>&lt;</mo>"),
        (r"\text{a \& b}", "<mtext>a &amp; b</mtext>"),
        (r"\sum_{h=1}^H r", '<munderover><mo movablelimits="true">∑</mo>'),
        (r"\hat\pi", '<mover accent="true"><mi>π</mi><mo stretchy="false">^</mo></mover>'),
        (r"\not\in", "<mo>∈\u0338</mo>"),
        (
            r"\begin{cases} 1 & x > 0 \\ 0 & \text{else} \end{cases}",
            '<mtable class="left"><mtr><mtd><mn>1</mn></mtd><mtd>',
        ),
        (r"\begin{aligned} a &= b \\ &\le c \end{aligned}", '<mtable class="aligned">'),
        (r"\left\| x \right\|_2", '<mo form="postfix" stretchy="false" fence="true">‖</mo>'),
        (r"\left( \frac12 \right]", '<mo form="postfix" stretchy="true" fence="true">]</mo>'),
    ],
)
def test_formula_is_converted(latex, markup):
    assert markup in formulas.formula(latex)


@pytest.mark.parametrize(
    "latex",
    [
        *(
            r"\frac{1}{",
            "x^",
            r"\left( x",
            r"\foo",
            r"\href{javascript:alert(1)}{x}",
            "}",
            r"\begin{tikz}\end{tikz}",
            "",
        ),
        *("a & b", r"\color{red} x", "x_1_2", r"\begin{cases} 1", r"\right)", "{" * 3000),
    ],
)
def test_unknown_latex_is_shown_as_source(latex):
    shown = Page(str(formulas.formula(latex, display=True)))
    assert shown.count("code") == 1
    assert shown.count("math") == 0
    assert shown.all_text == latex


def test_every_bound_of_the_catalogue_is_typeset():
    from theory import catalogue

    for found in catalogue.load():
        sources = [formulas.statement(found.statement)]
        sources += [formulas.condition(assumption.statement) for assumption in found.assumptions]
        sources += [formulas.formula(found.bound.latex(), display=True)] if found.bound else []
        for typeset in sources:
            assert 'class="latex"' not in typeset, f"{found.id}: {typeset}"


def test_text_of_a_bare_statement_becomes_prose():
    shown = str(formulas.statement(r"x \le 1 \text{ for all } x \in \mathbb{R}"))
    assert "</math><wbr/> for all <wbr/><math" in shown
    assert "<mtext>" not in shown


def test_long_formula_may_break_before_relations_only_outside_of_brackets():
    long = r"\mathrm{Regret}_K \le 20 H L \sqrt{SAT} + 250 H^2 S^2 A L^2 ( a + b + c + d + e + f )"
    parts = str(formulas.formula(long, display=True)).split("<wbr/>")
    assert len(parts) == 2
    assert parts[1].startswith('<math displaystyle="true"><mo form="infix">+</mo><mn>250</mn>')


def test_names_with_underscores_are_no_formulas():
    assert str(formulas.condition("unit_rewards and p_max hold")) != ""
    assert "<math" not in formulas.condition("unit_rewards hold on river_swim")


def test_prose_with_formulas():
    shown = formulas.statement(r"For \emph{every} $x$ --- and $$y^2$$, 5\% <b>")
    assert shown.startswith("For <em>every</em> <math>")
    assert "5% &lt;b&gt;" in shown
    assert shown.count("<math") == 2


# --- figures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plot", [REGRET, RATE, RATIOS, CURVES], ids=lambda plot: plot["kind"])
def test_figure_is_clean_and_captioned(plot):
    drawn = figures.draw(plot, "a/b")
    parsed = Page(str(drawn.svg))
    assert parsed.tags[0][1]["aria-label"] == drawn.caption
    assert not re.search(r"#0a0b|<style|metadata|DejaVu|xlink|http", drawn.svg)
    assert re.search(r"var\(--figure-(data|1)\)", drawn.svg)
    assert drawn == figures.draw(plot, "a/b")


def test_figures_say_in_words_what_they_show():
    assert "from K = 25 on" in figures.draw(REGRET, "").caption
    assert "vacuous on all" in figures.draw({**REGRET, "nonvacuous_from": 10**6}, "").caption
    rate = figures.draw({**RATE, "title": "Two arms"}, "")
    assert rate.caption == (
        "Two arms. Fitted exponent 0.506, interval [0.481, 0.533]; 0.497 at the end; claimed: at most 0.5."
    )
    assert "fitted exponent 0.506" in rate.svg
    assert "9 instances" in figures.draw(RATIOS, "").caption
    assert figures.draw(CURVES, "").caption == (
        "Regret of two learners. Dashed: bounds. Exponents: first: fitted 0.500 in [0.450, 0.550]; "
        "second: predicted 0.667."
    )


def test_a_canvas_that_is_used_again_shows_nothing_of_the_last_figure():
    other = {**RATIOS, "histogram": [7, 1, 1, 100], "growth": [[1, 0.5], [9, 0.6], [10, 2.0], [50, 7]]}
    first = figures.draw(RATIOS, "")
    plain = figures.draw({"kind": "ratios", "ratios": [0.3, 5.0]}, "")
    assert figures.draw(other, "") != first == figures.draw(RATIOS, "")
    figures._panels.cache_clear()
    assert figures.draw(RATIOS, "") == first
    assert figures.draw({"kind": "ratios", "ratios": [0.3, 5.0]}, "") == plain


def test_linear_axes_show_what_is_not_positive():
    orbit = {"label": "orbit", "x": [0.0, -1.0, 0.5], "y": [1.0, -0.5, 0.0], "style": "points"}
    plot = {"kind": "curves", "curves": [orbit]}
    assert figures.draw(plot, "") is None
    assert "orbit" in figures.draw({**plot, "xscale": "linear", "yscale": "linear"}, "").svg


def test_two_figures_of_a_page_share_no_identifier():
    first, second = (Page(str(figures.draw(REGRET, name).svg)).ids for name in ("one", "two"))
    assert first
    assert not set(first) & set(second)


def test_histogram_forms_agree():
    counts = [3, 0, 5, 1]
    listed = {"kind": "ratios", "histogram": counts, "bins": 4}
    mapped = {"kind": "ratios", "histogram": {"edges": [0.0, 0.25, 0.5, 0.75, 1.0], "counts": counts}}
    assert figures.draw(listed, "") == figures.draw(mapped, "")
    assert "4 instances" in figures.draw({"kind": "ratios", "ratios": [0.1, 0.5, "inf", 1.5, 1.0]}, "").caption


@pytest.mark.parametrize(
    "plot",
    [
        *(None, [], "regret", {}, {"kind": "pie"}, {"kind": ["regret"]}, {"kind": "regret"}),
        {"kind": "regret", "episodes": [1, 2], "median": ["nan", None]},
        {"kind": "rate", "x": [1], "y": [-1]},
        {"kind": "ratios", "histogram": {"edges": [0, 1], "counts": [1, 2]}},
        {"kind": "ratios", "growth": [[1]]},
        {"kind": "curves", "curves": [3, {"label": "empty"}, {"x": [1], "y": ["nan"]}]},
    ],
)
def test_nothing_to_draw(plot):
    assert figures.draw(plot, "") is None


SCALARS = st.one_of(st.none(), st.floats(), st.integers(-3, 10**9), st.just("inf"), st.text(max_size=3))
KEYS = (
    "episodes median low high bound trivial nonvacuous_from runs quantiles x y slope interval claimed at from "
    "end_slope ratios histogram bins growth title xlabel ylabel caption xscale yscale"
)
DATA = st.one_of(st.lists(SCALARS, max_size=5), st.lists(st.lists(SCALARS, max_size=2), max_size=3), SCALARS)
CURVE_KEYS = "label x y low high bound slope interval claimed style muted"
CURVE = st.fixed_dictionaries({}, optional=dict.fromkeys(CURVE_KEYS.split(), DATA))
PLOTS = st.fixed_dictionaries(
    {"kind": st.sampled_from(["regret", "rate", "ratios", "curves"])},
    optional={**dict.fromkeys(KEYS.split(), DATA), "curves": st.one_of(DATA, st.lists(CURVE, max_size=7))},
)


@settings(max_examples=40)
@given(PLOTS)
def test_odd_data_never_break_a_figure(plot):
    drawn = figures.draw(plot, "odd")
    if drawn is not None:
        Page(str(drawn.svg))


# --- proof graph ------------------------------------------------------------------------------------------------------


def chain(count):
    """Claims in ten families; each uses two earlier ones of its own or an earlier family."""
    uses = {}
    for place in range(count):
        family = f"family_{place * 10 // count}"
        earlier = list(uses)
        uses[f"{family}.claim_{place}"] = sorted(
            {earlier[(place * 7) % place], earlier[place // 2]} if place else set()
        )
    return uses


def test_what_is_used_is_to_the_left():
    uses = chain(120)
    layer = {family: place for place, column in enumerate(graph.layers(uses)) for family in column}
    assert sorted(layer) == sorted({name.split(".")[0] for name in uses})
    for name, used in uses.items():
        for other in used:
            assert layer[other.split(".")[0]] <= layer[name.split(".")[0]]


def test_families_that_use_each_other_are_drawn():
    uses = {"a.one": [], "b.one": ["a.one"], "a.two": ["b.one"], "b.two": ["a.two"]}
    cards = graph.arrange(uses)
    assert sorted(name for column in cards for _, claims in column for name in claims) == sorted(uses)


def test_all_nodes_and_edges_of_a_large_graph_are_drawn():
    uses = chain(150)
    shown = [verdict(claim(name, uses=tuple(used))) for name, used in uses.items()]
    parsed = Page(str(graph.draw(shown)))
    links = [found["href"] for tag, found in parsed.tags if tag == "a"]
    assert sorted(links) == sorted(f"#{name}" for name in uses)
    edges = {(found["data-from"], found["data-to"]) for tag, found in parsed.tags if "data-from" in found}
    assert edges == {(used, name) for name in uses for used in uses[name]}
    boxes = [found for tag, found in parsed.tags if tag == "rect" and "rx" in found]
    width, height = (float(parsed.tags[0][1][key]) for key in ("width", "height"))
    assert all(float(b["x"]) + float(b["width"]) <= width for b in boxes)
    assert all(float(b["y"]) + float(b["height"]) <= height for b in boxes)


def test_nodes_do_not_overlap():
    shown = [verdict(claim(name, uses=tuple(used))) for name, used in chain(60).items()]
    parsed = Page(str(graph.draw(shown)))
    spots = [(found["x"], found["y"]) for tag, found in parsed.tags if tag == "rect" and found["rx"] == "3"]
    assert len(spots) == len(set(spots)) == 60


# --- words ------------------------------------------------------------------------------------------------------------


def test_levels_of_sampled_checks_add_up():
    sampled = [verdict(claim(f"ucbvi.c{i}"), evidence(confidence=Confidence(99, 0.01, 0, 1, 0.5))) for i in range(3)]
    assert "3 checks rest on sampling" in words.familywise(sampled)
    assert "at most 0.03" in words.familywise(sampled)
    assert words.familywise([verdict(found=evidence(confidence=None))]) == ""
    hopeless = [verdict(claim(f"ucbvi.c{i}"), evidence(confidence=Confidence(9, 0.4, 0, 1, 0.5))) for i in range(3)]
    assert "says nothing" in words.familywise(hopeless)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
)


@settings(max_examples=60)
@given(JSON)
def test_full_witness_loses_nothing(value):
    assert json.loads(words.full(value)) == value


@settings(max_examples=60)
@given(JSON)
def test_short_witness_is_short(value):
    assert len(words.shortened(value)) <= words.SHORT
    assert words.is_short(value) or words.shortened(value).endswith("…")


# --- a browser --------------------------------------------------------------------------------------------------------

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def browse(folder: Path, page: Path, *options: str) -> subprocess.CompletedProcess:
    quiet = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --hide-scrollbars --enable-logging=stderr"
    )
    command = [CHROMIUM, *quiet.split(), f"--user-data-dir={folder / 'profile'}", *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_browser_shows_it_without_complaint(tmp_path):
    path = tmp_path / "report.html"
    report.write(path, [hostile_verdict(), *verdicts()], Settings())
    probe = path.read_text().replace("</body>", "<script>document.title = 'breached'</script></body>")
    path.write_text(probe)
    run = browse(tmp_path, path, "--dump-dom", "--window-size=1280,900")
    console = [line for line in run.stderr.splitlines() if "CONSOLE" in line]
    assert len(console) == 1, console  # the policy refuses the script put in above, and there is nothing else
    assert "Content Security Policy" in console[0]
    assert "<title>boundcheck report" in run.stdout
    assert run.stdout.count("<article") == 1 + len(verdicts())
    assert run.stdout.count("<math") > 10


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_browser_draws_light_dark_and_narrow(tmp_path, built):
    path = tmp_path / "report.html"
    path.write_text(built)
    from PIL import Image

    backgrounds = {}
    for name, options in {
        "light": ["--window-size=1280,900", "--blink-settings=preferredColorScheme=1"],
        "dark": ["--window-size=500,900", "--blink-settings=preferredColorScheme=0"],
    }.items():
        picture = tmp_path / f"{name}.png"
        browse(tmp_path, path, *options, f"--screenshot={picture}")
        with Image.open(picture) as image:
            backgrounds[name] = sum(image.convert("RGB").getpixel((3, 3)))
            assert len(image.convert("RGB").getcolors(1 << 20)) > 20
    assert backgrounds["light"] > 700
    assert backgrounds["dark"] < 120
