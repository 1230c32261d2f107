r"""Interval proofs replayed by Coq: from a tree of rules to lemmas that Coq's kernel checks.

Every step of a proof becomes a lemma ``forall x ..., domain -> 0 <= f``:

* *cut* is a case distinction, *factor* and *terms* are products and sums of nonnegative parts;
* *taylor* and *slope* are the mean value theorem (`rises`, `falls` below, proved from `MVT_gen`), with derivatives
  checked by `auto_derive` and `field`;
* *span* and *boxes* become the tactic `leaf`: signs of sums, products and squares, or the tactic `interval` with
  bisection and automatic differentiation. The stored boxes are not used: Coq finds its own.

A file that compiles shows the statement on the domain that it states, which need not be the domain of the claim: end
points where a side is singular are left out and named, and a proof that uses something without a counterpart (an
inversion, an expansion around a curve) is exported on a part of the domain that boxes cover. Functions that Coq does
not have (Lambert's W) are not exported. Only a file for the whole domain earns the words ``PROVED (kernel)``.

**Trusted**: Coq's kernel with its axioms of the real numbers, and the translation of relation and domain in `translate`
and `_hypotheses`: read the theorem at the end of a file. The rest of the file is not trusted, Coq checks it. Needs
``coqc`` with coq-interval and coquelicot (Debian: coq, libcoq-interval); without them nothing is checked, and said.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import sympy as sp
from flint import ctx, fmpq

from proofs_check.methods.enclosures import PRECISION, rational
from proofs_check.methods.interval import Planner
from proofs_check.methods.proof_rules import (
    HYPERBOLIC,
    Axis,
    Goal,
    Hint,
    Inequality,
    Node,
    Region,
    Slope,
    Taylor,
    Terms,
    UnprovedError,
    derivative,
    form,
    quotient_of,
    signed_rest,
    subgoals,
)
from theory.claim import Claim

TIMEOUT = 300
"""Seconds that one file may take."""

NOT_FOLLOWED = {
    "scalar.absolute_deviation": "field does not know that a root squares to its argument",
    "scalar.logistic_curvature": "no tactic here shows that sinh(v) >= 0",
}
"""Claims whose proofs have a counterpart that the tactics of the prelude cannot carry out."""

CHEATS = ("Admitted", "admit", "Axiom", "Parameter", "Hypothesis", "Conjecture")
"""Words of Coq that assume something; a file that contains one proves nothing."""

WHOLE = "(* Domain: the whole domain of the claim. *)"
"""Line of a file that proves its claim completely."""

PRELUDE = r"""From Coq Require Import Reals Lra Psatz.
From Coquelicot Require Import Coquelicot.
From Interval Require Import Tactic.
Open Scope R_scope.

(* A function rises from a nonnegative value, or falls to one. *)
Lemma rises (f f' : R -> R) (a : R) (D : R -> Prop) :
  (forall x, D x -> a <= x) -> (forall x y, D x -> a <= y <= x -> D y) ->
  (forall x, D x -> is_derive f x (f' x)) -> 0 <= f a -> (forall x, D x -> 0 <= f' x) ->
  forall x, D x -> 0 <= f x.
Proof.
  intros left convex slope base sign x H.
  assert (L := left x H).
  destruct (MVT_gen f a x f') as [c [between E]]; rewrite ?Rmin_left, ?Rmax_right in * by lra.
  - intros y Hy. apply slope, (convex x); [exact H | lra].
  - intros y Hy. apply continuity_pt_filterlim, (ex_derive_continuous f).
    exists (f' y). apply slope, (convex x); [exact H | lra].
  - assert (0 <= f' c) by (apply sign, (convex x); [exact H | lra]).
    assert (0 <= f' c * (x - a)) by (apply Rmult_le_pos; lra). lra.
Qed.

Lemma falls (f f' : R -> R) (a : R) (D : R -> Prop) :
  (forall x, D x -> x <= a) -> (forall x y, D x -> x <= y <= a -> D y) ->
  (forall x, D x -> is_derive f x (- f' x)) -> 0 <= f a -> (forall x, D x -> 0 <= f' x) ->
  forall x, D x -> 0 <= f x.
Proof.
  intros right convex slope base sign x H.
  assert (L := right x H).
  destruct (MVT_gen f x a (fun y => - f' y)) as [c [between E]]; rewrite ?Rmin_left, ?Rmax_right in * by lra.
  - intros y Hy. apply slope, (convex x); [exact H | lra].
  - intros y Hy. apply continuity_pt_filterlim, (ex_derive_continuous f).
    exists (- f' y). apply slope, (convex x); [exact H | lra].
  - assert (0 <= f' c) by (apply sign, (convex x); [exact H | lra]).
    assert (0 <= f' c * (a - x)) by (apply Rmult_le_pos; lra). lra.
Qed.

Ltac opened := repeat match goal with H : _ /\ _ |- _ => destruct H end.
Ltac clear_bounds x := repeat match goal with H : context [x] |- _ => clear H end; clear x.
Ltac known := repeat match goal with
  | |- context [exp ?t] => lazymatch goal with H : 0 < exp t |- _ => fail | _ => pose proof (exp_pos t) end
  end.
Ltac nonzero := first [solve [lra] | solve [apply Rgt_not_eq; positive] | solve [apply Rlt_not_eq; negative] | nra]
with negative := apply Ropp_lt_cancel; rewrite Ropp_0; positive
with positive := lazymatch goal with
  | |- 0 <= - (?a / ?b) =>
      first [solve [replace (- (a / b)) with (a / (- b)) by (field; repeat split; nonzero); positive]
            | solve [replace (- (a / b)) with ((- a) / b) by (field; repeat split; nonzero); positive] | interval]
  | |- 0 <= ?a * ?b => first [solve [lra] | solve [apply Rmult_le_pos; positive] | solve [known; nra] | interval]
  | |- 0 < ?a * ?b => first [solve [lra] | solve [apply Rmult_lt_0_compat; positive] | solve [known; nra] | interval]
  | |- 0 <= ?a / ?b => apply Rmult_le_pos; [positive | apply Rlt_le, Rinv_0_lt_compat; positive]
  | |- 0 < ?a / ?b => apply Rdiv_lt_0_compat; positive
  | |- 0 <= / ?a => apply Rlt_le, Rinv_0_lt_compat; positive
  | |- 0 < / ?a => apply Rinv_0_lt_compat; positive
  | |- 0 <= ?a ^ 2 => apply pow2_ge_0
  | |- 0 <= ?a ^ _ => apply pow_le; positive
  | |- 0 < ?a ^ _ => apply pow_lt; positive
  | |- 0 <= exp _ => apply Rlt_le, exp_pos
  | |- 0 < exp _ => apply exp_pos
  | |- 0 <= sqrt _ => apply sqrt_pos
  | |- 0 < sqrt _ => apply sqrt_lt_R0; positive
  | |- 0 <= ?a + ?b =>
      first [solve [lra] | solve [apply Rplus_le_le_0_compat; positive] | solve [known; nra] | interval]
  | |- _ => first [solve [lra] | solve [known; nra] | interval]
  end.
Ltac exponents := repeat match goal with
  | |- context [exp (?a + ?b)] => rewrite (exp_plus a b)
  | |- context [exp (?a - ?b)] =>
      replace (exp (a - b)) with (exp a * / exp b) by (unfold Rminus; rewrite exp_plus, exp_Ropp; reflexivity)
  | |- context [exp (- ?a)] => rewrite (exp_Ropp a)
  | |- context [exp (2 * ?a)] =>
      replace (exp (2 * a)) with (exp a * exp a) by (rewrite <- exp_plus; f_equal; ring)
  end.
Ltac equal := first [solve [field; repeat split; nonzero] | solve [ring] | solve [lra]
                    | solve [exponents; field; repeat split; nonzero]].
Ltac slope := auto_derive; [repeat split; first [positive | nonzero] | equal].
Ltac constants := repeat match goal with
  | |- context [exp ?t] => replace (exp t) with 1 by (replace t with 0 by field; symmetry; apply exp_0)
  | |- context [ln ?t] => replace (ln t) with 0 by (replace t with 1 by field; symmetry; apply ln_1)
  | |- context [sqrt ?t] => replace (sqrt t) with 1 by (replace t with 1 by field; symmetry; apply sqrt_1)
  | |- context [ln (/ ?t)] => rewrite (ln_Rinv t) by positive
  | |- context [1 + 1] => replace (1 + 1) with 2 by ring
  | |- context [ln ?t] => match goal with
      | |- context [ln ?s] => replace (ln t) with (- ln s)
          by (replace t with (/ s) by (field; repeat split; nonzero); rewrite ln_Rinv by positive; reflexivity)
      end
  end.
Ltac base := first [solve [lra] | solve [apply Req_le; equal] | solve [constants; lra]
                   | solve [constants; apply Req_le; equal] | solve [positive] | interval].
Ltac leaf x := first [solve [positive] | interval with (i_bisect x, i_autodiff x, i_prec 60)
                     | interval with (i_bisect x, i_taylor x, i_prec 60)].
"""


class UnsupportedError(ValueError):
    """A proof has no counterpart in Coq; the message names the step or the function."""


@dataclass(frozen=True)
class Exported:
    """A file for Coq.

    Parameters
    ----------
    text
        The file: statement, source, lemmas.
    whole
        Whether it states the claim on its whole domain.
    note
        What is left out, if something is.
    """

    text: str
    whole: bool
    note: str


@dataclass(frozen=True)
class Outcome:
    """What Coq said about one file, or about all of them.

    ``ok`` is False only if a file was rejected; a missing Coq is said in the summary, and ``ran`` is False.
    """

    ok: bool
    summary: str
    ran: bool = True
    whole: bool = False


# ------------------------------------------------------------------------------------------------------ translation

_FUNCTIONS = {sp.exp: "exp", sp.log: "ln", sp.atan: "atan", sp.sin: "sin", sp.cos: "cos", sp.Abs: "Rabs"}


def translate(f: sp.Expr) -> str:
    """Write an expression over the real numbers of Coq.

    Raises
    ------
    UnsupportedError
        Naming a function that Coq does not have.
    """
    if f.is_Symbol:
        return str(f.name)
    if f.is_Integer:
        return str(f) if f >= 0 else f"(- {-f})"
    if f.is_Rational:
        return f"({f.p} / {f.q})" if f > 0 else f"(- ({-f.p} / {f.q}))"
    if f in (sp.E, sp.pi):
        return "(exp 1)" if f == sp.E else "PI"
    if f.is_Add:
        return _sum(f)
    if f.is_Mul:
        return _product(f)
    if f.is_Pow:
        return _power(f)
    if f.func in HYPERBOLIC:
        return translate(f.rewrite(sp.exp))
    if f.func not in _FUNCTIONS:
        raise UnsupportedError(f"{f.func.__name__} has no counterpart")
    return f"({_FUNCTIONS[f.func]} {_argument(translate(f.args[0]))})"


def _argument(text: str) -> str:
    return text if text.isalnum() or text.startswith("(") else f"({text})"


def _sum(f: sp.Add) -> str:
    terms = sorted(f.args, key=lambda term: bool(term.as_coeff_Mul()[0].is_negative))
    text = translate(terms[0])
    for term in terms[1:]:
        negative = bool(term.as_coeff_Mul()[0].is_negative)
        text += f" - {translate(-term)}" if negative else f" + {translate(term)}"
    return f"({text})"


def _product(f: sp.Mul) -> str:
    if f.as_coeff_Mul()[0].is_negative:
        return f"(- {translate(-f)})"
    above = [factor for factor in f.args if not _inverse(factor)]
    below = [1 / factor for factor in f.args if _inverse(factor)]
    text = " * ".join(translate(factor) for factor in above) or "1"
    return f"({text} / ({' * '.join(translate(factor) for factor in below)}))" if below else f"({text})"


def _inverse(factor: sp.Expr) -> bool:
    return bool(factor.is_Pow and factor.exp.is_Rational and factor.exp < 0)


def _power(f: sp.Pow) -> str:
    base, exponent = f.args
    if exponent.is_Integer and exponent > 0:
        return f"({translate(base)} ^ {exponent})"
    if _inverse(f):
        return f"(/ {translate(1 / f)})"
    if exponent.is_Rational and exponent.q == 2:
        root = f"(sqrt {_argument(translate(base))})"
        whole = base ** sp.Integer(exponent - sp.Rational(1, 2))
        return root if whole == 1 else f"({translate(whole)} * {root})"
    return f"(Rpower {_argument(translate(base))} {_argument(translate(exponent))})"


def _number(value: fmpq) -> str:
    return translate(sp.Rational(int(value.p), int(value.q)))


def _bounds(axis: Axis) -> list[str]:
    name = axis.symbol.name
    bounds = []
    if axis.lo is not None:
        bounds.append(f"{_number(axis.lo)} {'<' if axis.lo_open else '<='} {name}")
    if axis.hi is not None:
        bounds.append(f"{name} {'<' if axis.hi_open else '<='} {_number(axis.hi)}")
    return bounds


def _hypotheses(goal: Goal) -> list[str]:
    return [bound for axis in goal.region.axes for bound in _bounds(axis)]


def _statement(goal: Goal) -> str:
    names = " ".join(symbol.name for symbol in goal.symbols)
    binder = f"forall {names} : R, " if names else ""
    return binder + " -> ".join([*_hypotheses(goal), f"0 <= {translate(goal.f)}"])


# ---------------------------------------------------------------------------------------------------------- lemmas


class _Script:
    """Collects the lemmas of one proof; a child comes before its parent."""

    def __init__(self) -> None:
        self.lemmas: list[str] = []

    def lemma(self, goal: Goal, tactics: Iterable[str]) -> str:
        """Append a lemma and return its name."""
        name = f"step_{len(self.lemmas) + 1}"
        names = " ".join(symbol.name for symbol in goal.symbols)
        body = "\n  ".join([f"intros {names}; intros.", *tactics])
        self.lemmas.append(f"Lemma {name} : {_statement(goal)}.\nProof.\n  {body}\nQed.")
        return name

    def write(self, goal: Goal, node: Node, hints: tuple[Hint, ...]) -> str:
        """Append the lemmas of a proof; return the name of the last one."""
        goal = _without_idle(goal)
        if node["rule"] == "invert":
            raise UnsupportedError("an inversion has no counterpart")
        parts = [(_like(goal, part), rest) for part, rest in subgoals(goal.reduced, node, hints)]
        proofs = [(part, child, rest) for (part, rest), child in zip(parts, node["parts"], strict=True)]
        rule = node["rule"]
        if rule in ("span", "boxes", "zero"):
            return self.leaf(goal, int(node.get("form", 0)))
        writer = {
            "cut": self._cut,
            "factor": self._factor,
            "terms": self._terms,
            "taylor": self._taylor,
            "slope": self._slope,
        }[rule]
        return writer(goal, node, hints, proofs)

    def _use(self, proof: "_Proof") -> str:
        return f"apply {self.write(*proof)}; lra"

    def leaf(self, goal: Goal, index: int) -> str:
        """Append a lemma that is shown by signs or by bisection."""
        tactics = []
        if index and form(goal.f, index) != goal.f:
            tactics.append(f"replace {translate(goal.f)} with {translate(form(goal.f, index))} by equal.")
        return self.lemma(goal, [*tactics, f"leaf {goal.symbols[0].name}." if goal.symbols else "positive."])

    def _cut(self, goal: Goal, node: Node, hints: tuple[Hint, ...], proofs: "list[_Proof]") -> str:
        del hints
        uses = [f"- {self._use(proof)}." for proof in proofs]
        return self.lemma(goal, [f"destruct (Rle_or_lt {node['symbol']} {translate(sp.Rational(node['at']))}).", *uses])

    def _factor(self, goal: Goal, node: Node, hints: tuple[Hint, ...], proofs: "list[_Proof]") -> str:
        del node, hints
        rest, sign = signed_rest(goal.reduced)
        left = [base**exponent for base, exponent in rest if base != 1]
        common = sign * sp.Mul(*(factor for factor in sp.Mul.make_args(form(goal.f, 1)) if factor not in left))
        other = sign * sp.Mul(*left)
        return self.lemma(
            goal,
            [
                f"replace {translate(goal.f)} with ({translate(common)} * {translate(other)}) by equal.",
                "apply Rmult_le_pos; [positive |].",
                f"{self._use(proofs[0]) if proofs else 'positive'}.",
            ],
        )

    def _terms(self, goal: Goal, node: Node, hints: tuple[Hint, ...], proofs: "list[_Proof]") -> str:
        hint = hints[int(node["hint"])]
        assert isinstance(hint, Terms)  # checked by `subgoals`
        texts = [translate(sp.sympify(term)) for term in hint.terms]
        facts = [f"assert (0 <= {text}) by ({self._use(proof)})." for text, proof in zip(texts, proofs, strict=True)]
        return self.lemma(goal, [*facts, f"replace {translate(goal.f)} with ({' + '.join(texts)}) by equal.", "lra."])

    def _taylor(self, goal: Goal, node: Node, hints: tuple[Hint, ...], proofs: "list[_Proof]") -> str:
        symbol, at, hint = _point(goal, node, hints)
        if not at.is_Rational:
            raise UnsupportedError("an expansion around a curve has no counterpart")
        order = hint.order if isinstance(hint, Taylor) else int(node["order"])
        axis = goal.region.axis(symbol.name)
        side = 1 if axis.lo is not None and axis.lo == rational(at) else -1
        *bases, top = proofs
        name = self.write(*top)
        for k in reversed(range(order)):
            here = replace(goal, f=side**k * derivative(goal.f, symbol, k))
            value = here.f.subs(symbol, at)
            known = next((proof for proof in bases if proof[0].f == value and value.free_symbols), None)
            base = self._use(known) if known else "base"
            slope = side ** (k + 1) * derivative(goal.f, symbol, k + 1)
            name = self.lemma(here, _monotone(here, symbol, at, slope, side, base, f"apply {name}; lra"))
        return name

    def _slope(self, goal: Goal, node: Node, hints: tuple[Hint, ...], proofs: "list[_Proof]") -> str:
        symbol, at, hint = _point(goal, node, hints)
        slope = derivative(goal.f, symbol, 1)
        given = hint.factor if isinstance(hint, Slope) else None
        quotient = sp.sympify(given) if given is not None else quotient_of(slope, symbol - at)
        name, x, a = self.write(*proofs[0]), symbol.name, translate(at)
        tactics = [
            *(f"assert ({bound.replace(f' {x}', f' {a}') if bound.endswith(x) else a + bound[len(x):]}) by base."
              for bound in _bounds(goal.region.axis(x))),
            f"destruct (Rle_or_lt {a} {x}).",
        ]  # fmt: skip
        for side, gap, extra in ((1, f"({x} - {a})", f"{a} <= {x}"), (-1, f"({a} - {x})", f"{x} <= {a}")):
            product = f"({gap} * {translate(quotient)})"
            sign = (
                f"replace {translate(side * slope)} with {product} by equal; "
                f"apply Rmult_le_pos; [lra | apply {name}; lra]"
            )
            first, *others = _monotone(goal, symbol, at, side * slope, side, "base", sign, extra)
            tactics += [f"- {first}", *(f"  {other}" for other in others)]
        return self.lemma(goal, tactics)


_Proof = tuple[Goal, Node, tuple[Hint, ...]]


def _point(goal: Goal, node: Node, hints: tuple[Hint, ...]) -> tuple[sp.Symbol, sp.Expr, Hint | None]:
    """Return variable and point of a step."""
    if "hint" in node:
        hint = hints[int(node["hint"])]
        assert isinstance(hint, Taylor | Slope)  # checked by `subgoals`
        return goal.region.axis(hint.symbol.name).symbol, sp.sympify(hint.at), hint
    return goal.region.axis(node["symbol"]).symbol, sp.Rational(node["at"]), None


def _without_idle(goal: Goal) -> Goal:
    """Leave out variables that do not occur."""
    axes = tuple(axis for axis in goal.region.axes if axis.symbol in goal.f.free_symbols)
    return replace(goal, region=Region(axes))


def _like(goal: Goal, part: Goal) -> Goal:
    """Give a subgoal, which is about an interior, the ends of its parent."""
    axes = []
    for axis in part.region.axes:
        parent = goal.region.axis(axis.symbol.name)
        lo_open = parent.lo_open and axis.lo == parent.lo
        hi_open = parent.hi_open and axis.hi == parent.hi
        axes.append(replace(axis, lo_open=lo_open, hi_open=hi_open))
    return replace(part, region=Region(tuple(axes)))


def _monotone(
    goal: Goal, symbol: sp.Symbol, at: sp.Expr, slope: sp.Expr, side: int, base: str, sign: str, extra: str = ""
) -> list[str]:
    """Return the tactics that apply the mean value theorem along one variable."""
    x = symbol.name
    domain = " /\\ ".join(filter(None, [*_bounds(goal.region.axis(x)), extra])) or "True"
    functions = f"(fun {x} => {translate(goal.f)}) (fun {x} => {translate(slope)})"
    intro = f"clear_bounds {x}; intros {x} ?; opened"
    return [
        f"refine ({'rises' if side > 0 else 'falls'} {functions}",
        f"  {translate(at)} (fun {x} => {domain}) _ _ _ _ _ {x} _); cbv beta.",
        "+ intros; opened; lra.",
        "+ intros; opened; repeat split; lra.",
        f"+ {intro}; slope.",
        f"+ {base}.",
        f"+ {intro}; {sign}.",
        "+ repeat split; lra.",
    ]


# ---------------------------------------------------------------------------------------------------------- export


def _singular(f: sp.Expr, symbol: sp.Symbol, end: fmpq | None) -> bool:
    """Whether f or its derivative is not finite at an end of a range."""
    if end is None:
        return False
    at = sp.Rational(int(end.p), int(end.q))
    values = [derivative(f, symbol, order).subs(symbol, at) for order in (0, 1)]
    return any(value.has(sp.nan, sp.zoo, sp.oo) for value in values)


def export(claim: Claim, inequality: Inequality) -> Exported:
    """Write the file of a claim: its whole domain if possible, else the part that Coq can follow.

    Raises
    ------
    UnsupportedError
        If no part of the proof has a counterpart.
    """
    if inequality.strict:
        raise UnsupportedError("strict relations are not exported")
    goal = inequality.goal
    axes, left_out = [], []
    for axis in goal.region.axes:
        lo, hi = (_singular(goal.f, axis.symbol, end) for end in (axis.lo, axis.hi))
        ends = [(lo and not axis.lo_open, axis.lo), (hi and not axis.hi_open, axis.hi)]
        left_out += [f"{axis.symbol} = {end}" for lost, end in ends if lost]
        axes.append(replace(axis, lo_open=axis.lo_open or lo, hi_open=axis.hi_open or hi))
    goal = replace(goal, region=Region(tuple(axes)))
    with ctx.workprec(PRECISION):
        try:
            script = _Script()
            script.write(goal, Planner(200_000).plan(goal, inequality.hints), inequality.hints)
            note = f"without the end points {', '.join(left_out)}" if left_out else ""
        except UnsupportedError as problem:
            return export_part(claim, inequality, str(problem))
        return Exported(_file(claim, inequality, goal, script, note), not note, note)


def export_part(claim: Claim, inequality: Inequality, reason: str) -> Exported:
    """Write the file of a claim for a bounded part of its domain, away from the ends, by bisection alone."""
    goal = inequality.goal
    goal = replace(goal, region=Region(tuple(_inner(axis) for axis in goal.region.axes)))
    script = _Script()
    script.leaf(goal, 0)
    note = f"only for {goal.region}: {reason}"
    return Exported(_file(claim, inequality, goal, script, note), False, note)


def _inner(axis: Axis) -> Axis:
    """Return a bounded part of a range, away from its ends."""
    eighth = fmpq(1, 8)
    lo = fmpq(-8) if axis.lo is None else axis.lo + eighth
    hi = max(fmpq(16), lo + 1) if axis.hi is None else axis.hi - eighth
    return Axis(axis.symbol, lo, hi)


def _file(claim: Claim, inequality: Inequality, goal: Goal, script: _Script, note: str) -> str:
    relation = inequality.relation
    names = " ".join(symbol.name for symbol in goal.symbols)
    sides = f"{translate(relation.lts)} <= {translate(relation.gts)}"
    theorem = " -> ".join([*_hypotheses(goal), sides])
    last = f"step_{len(script.lemmas)}"
    header = [
        f"(* {claim.id}: {claim.title}",
        f"   {inequality.text}",
        f"   Source: {claim.source.label} *)",
        WHOLE if not note else f"(* Domain: {note}. *)",
    ]
    final = [
        f"Theorem {claim.id.replace('.', '_')} : forall {names} : R, {theorem}.",
        "Proof.",
        f"  intros {names}; intros. apply Rminus_le_0. apply Rle_trans with {translate(goal.f)};",
        f"  [apply {last}; lra | apply Req_le; equal].",
        "Qed.",
    ]
    return "\n".join([*header, "", PRELUDE, *(f"{lemma}\n" for lemma in script.lemmas), *final, ""])


# ------------------------------------------------------------------------------------------------------------ check


def available() -> bool:
    """Whether ``coqc`` can be run."""
    return shutil.which("coqc") is not None


def check(path: Path) -> Outcome:
    """Compile one file.

    Returns
    -------
    Outcome
        ``whole`` only if Coq accepts the file and the file is about the whole domain of its claim.
    """
    if not available():
        return Outcome(True, f"{path.name}: skipped, coqc is not installed", ran=False)
    text = path.read_text(encoding="utf-8")
    for cheat in CHEATS:
        if cheat in text:
            return Outcome(False, f"{path.name}: the file contains {cheat}")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "exported.v"
        copy.write_text(text, encoding="utf-8")
        try:
            answer = subprocess.run(
                ["coqc", "-q", copy.name], cwd=folder, capture_output=True, text=True, timeout=TIMEOUT, check=False
            )
        except subprocess.TimeoutExpired:
            return Outcome(False, f"{path.name}: coqc did not finish in {TIMEOUT} s")
    if answer.returncode:
        message = " ".join(answer.stderr.partition("Error:")[2].split()) or answer.stderr.strip()[-200:]
        line = answer.stderr.rpartition('exported.v", line ')[2].partition(",")[0]
        return Outcome(False, f"{path.name}: coqc rejects line {line}: {message[:200]}")
    whole = WHOLE in text.splitlines()
    return Outcome(
        True, f"{path.name}: {'PROVED (kernel)' if whole else 'checked on a part of its domain'}", whole=whole
    )


def exportable() -> dict[str, tuple[Claim, Inequality]]:
    """Return the claims that can be exported, with their inequalities."""
    from proofs_check.papers.scalar import CHECKS
    from theory.lemmas.scalar import CLAIMS

    claims = {claim.id: claim for claim in CLAIMS}
    return {item.claim: (claims[item.claim], item.statement()) for item in CHECKS}


def export_all(folder: Path) -> dict[str, str]:
    """Write the files of all scalar claims.

    Returns
    -------
    dict of str to str
        Claim id -> what is left out (empty: nothing), or why there is no file.
    """
    notes = {}
    for name, (claim, inequality) in exportable().items():
        if name in NOT_FOLLOWED:
            notes[name] = f"not exported: {NOT_FOLLOWED[name]}"
            continue
        try:
            exported = export(claim, inequality)
        except (UnsupportedError, UnprovedError) as problem:
            notes[name] = f"not exported: {problem}"
            continue
        (folder / _file_name(name)).write_text(exported.text, encoding="utf-8")
        notes[name] = exported.note
    return notes


def _file_name(claim: str) -> str:
    return f"{claim.replace('.', '_')}.v"


def _check_or_retreat(folder: Path, claim: Claim, inequality: Inequality) -> Outcome:
    """Check a file; if Coq does not follow the proof, check a part of the domain instead."""
    path = folder / _file_name(claim.id)
    outcome = check(path)
    if outcome.ok:
        return outcome
    path.write_text(export_part(claim, inequality, "Coq does not follow the whole proof").text, encoding="utf-8")
    part = check(path)
    return part if part.ok else outcome


def check_all(folder: Path | None = None, workers: int = 2) -> Outcome:
    """Export all scalar claims and let Coq check them.

    Parameters
    ----------
    folder
        Where to keep the files; a temporary folder by default.

    Returns
    -------
    Outcome
        ``ok`` if Coq accepts every file, for the whole domain or a part of it.
    """
    if not available():
        return Outcome(True, "Coq: skipped, coqc is not installed", ran=False)
    with tempfile.TemporaryDirectory() as temporary:
        target = folder or Path(temporary)
        notes = export_all(target)
        files = [pair for name, pair in exportable().items() if not notes[name].startswith("not exported")]
        with ThreadPoolExecutor(workers) as pool:
            outcomes = list(pool.map(lambda pair: _check_or_retreat(target, *pair), files))
    accepted = [outcome for outcome in outcomes if outcome.ok]
    lines = [outcome.summary for outcome in outcomes]
    lines += [f"{name}: {note}" for name, note in notes.items() if note.startswith("not exported")]
    whole = sum(outcome.whole for outcome in outcomes)
    lines.append(f"Coq accepts {len(accepted)} of {len(files)} files, {whole} of them for the whole domain")
    return Outcome(len(accepted) == len(files), "\n".join(lines))
