r"""Interval proofs replayed by Coq: from a tree of the rules of `proof_rules` to lemmas that its kernel checks.

Every step of a proof becomes a lemma ``forall x ..., domain -> 0 <= f``:

* *cut* is a case distinction, *factor* and *terms* are products and sums of nonnegative parts;
* *taylor* and *slope* are the mean value theorem (`rises`, `falls` below, proved from `MVT_gen`), with derivatives checked
  by `auto_derive` and `field`;
* *span* and *boxes* become the tactic `leaf`: signs of sums, products and squares, or the tactic `interval` with
  bisection and automatic differentiation. The stored boxes are not used: Coq finds its own.

A file that compiles shows the statement on the domain that it states, which need not be the domain of the claim: end
points where a side is singular are left out and named, and a proof that uses something without a counterpart
(Lambert's W, inversion) is exported on the part of the domain that boxes and expansions cover, or not at all. Only a file
for the whole domain earns the words ``PROVED (kernel)``.

**Trusted**: Coq's kernel with its axioms of the real numbers, and the translation of relation and domain to Coq in
`translate` and `_hypotheses`: read the first lines of a file. The rest of the file is not trusted, Coq checks it.
Needs ``coqc`` with coq-interval and coquelicot (Debian: coq, libcoq-interval); without them nothing is checked, and said.
"""

import itertools
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sympy as sp
from flint import ctx, fmpq

from proofs_check.methods.enclosures import PRECISION
from proofs_check.methods.interval import Interval, Planner
from proofs_check.methods.proof_rules import (
    HYPERBOLIC,
    Axis,
    Goal,
    Hint,
    Inequality,
    Node,
    Slope,
    Taylor,
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

Ltac known := repeat match goal with
  | |- context [exp ?t] => lazymatch goal with H : 0 < exp t |- _ => fail | _ => pose proof (exp_pos t) end
  end.
Ltac positive := lazymatch goal with
  | |- 0 <= ?a * ?b => first [solve [lra] | solve [apply Rmult_le_pos; positive] | solve [known; nra] | solve [interval]]
  | |- 0 < ?a * ?b => first [solve [lra] | solve [apply Rmult_lt_0_compat; positive] | solve [known; nra] | solve [interval]]
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
  | |- 0 <= ?a + ?b => first [solve [lra] | solve [apply Rplus_le_le_0_compat; positive] | solve [known; nra] | interval]
  | |- _ => first [solve [lra] | solve [known; nra] | interval]
  end.
Ltac nonzero := match goal with
  | |- ?a <> 0 => first [solve [apply Rgt_not_eq; positive]
                        | solve [apply Rlt_not_eq; apply Ropp_lt_cancel; rewrite Ropp_0; positive] | lra | nra]
  | |- _ => positive
  end.
Ltac equal := first [solve [field; repeat split; nonzero] | solve [ring] | lra].
Ltac slope := auto_derive; [repeat split; nonzero | equal].
Ltac constants := repeat match goal with
  | |- context [exp ?t] => replace (exp t) with 1 by (replace t with 0 by field; symmetry; apply exp_0)
  | |- context [ln ?t] => replace (ln t) with 0 by (replace t with 1 by field; symmetry; apply ln_1)
  | |- context [sqrt ?t] => replace (sqrt t) with 1 by (replace t with 1 by field; symmetry; apply sqrt_1)
  end.
Ltac base := first [solve [lra] | solve [apply Req_le; equal] | solve [constants; lra]
                   | solve [constants; apply Req_le; equal] | solve [positive] | interval].
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
        return f"(sqrt {_argument(translate(base))})" if exponent == sp.Rational(1, 2) else translate(
            sp.Mul(base ** sp.Integer(exponent - sp.Rational(1, 2)), sp.sqrt(base), evaluate=False)
        )
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
        remaining = subgoals(goal.reduced, node, hints)
        children = [(_closed_like(goal, subgoal), rest) for subgoal, rest in remaining]
        proofs = [(child, *pair) for pair, child in zip(children, node["parts"], strict=True)]
        rule = node["rule"]
        if rule in ("span", "boxes", "zero"):
            return self._leaf(goal, int(node.get("form", 0)))
        writer = {
            "cut": self._cut,
            "factor": self._factor,
            "terms": self._terms,
            "taylor": self._taylor,
            "slope": self._slope,
        }.get(rule)
        if writer is None:
            raise UnsupportedError(f"the rule {rule} has no counterpart")
        return writer(goal, node, hints, proofs)

    def _use(self, child: Node, goal: Goal, hints: tuple[Hint, ...]) -> str:
        return f"apply {self.write(goal, child, hints)}; lra."

    def _leaf(self, goal: Goal, index: int) -> str:
        tactics = []
        if index and form(goal.f, index) != goal.f:
            tactics.append(f"replace {translate(goal.f)} with {translate(form(goal.f, index))} by equal.")
        options = ["solve [positive]"]
        for symbol in goal.symbols[:1]:
            options += [
                f"interval with (i_bisect {symbol.name}, i_autodiff {symbol.name}, i_prec 60)",
                f"interval with (i_bisect {symbol.name}, i_taylor {symbol.name}, i_prec 60)",
            ]
        return self.lemma(goal, [*tactics, f"first [{' | '.join(options)}]."])

    def _cut(self, goal: Goal, node: Node, hints: Any, proofs: Any) -> str:
        del hints
        at = translate(sp.Rational(node["at"]))
        uses = [self._use(*proof) for proof in proofs]
        return self.lemma(goal, [f"destruct (Rle_or_lt {node['symbol']} {at}).", *(f"- {use}" for use in uses)])

    def _factor(self, goal: Goal, node: Node, hints: Any, proofs: Any) -> str:
        del node, hints
        rest, sign = signed_rest(goal.reduced)
        left = [base**exponent for base, exponent in rest if base != 1]
        kept = sp.Mul(*(f for f in sp.Mul.make_args(form(goal.f, 1)) if f not in left))
        common = sign * kept
        other = sign * sp.Mul(*left)
        use = self._use(*proofs[0]) if proofs else "positive."
        product = f"({translate(common)} * {translate(other)})"
        return self.lemma(
            goal,
            [
                f"replace {translate(goal.f)} with {product} by equal.",
                "apply Rmult_le_pos.",
                "- positive.",
                f"- {use}",
            ],
        )

    def _terms(self, goal: Goal, node: Node, hints: Any, proofs: Any) -> str:
        hint = hints[int(node["hint"])]
        total = " + ".join(translate(sp.sympify(term)) for term in hint.terms)
        uses = [f"assert (0 <= {translate(sp.sympify(t))}) by ({self._use(*proof)[:-1]})." for t, proof in zip(
            hint.terms, proofs, strict=True)]  # fmt: skip
        return self.lemma(goal, [*uses, f"replace {translate(goal.f)} with ({total}) by equal.", "lra."])

    def _taylor(self, goal: Goal, node: Node, hints: Any, proofs: Any) -> str:
        hint = hints[int(node["hint"])] if "hint" in node else None
        symbol = goal.region.axis(hint.symbol.name if hint else node["symbol"]).symbol
        at = sp.sympify(hint.at) if hint else sp.Rational(node["at"])
        order = hint.order if isinstance(hint, Taylor) else int(node["order"])
        axis = goal.region.axis(symbol.name)
        side = 1 if at.is_Rational and axis.lo is not None and _number(axis.lo) == translate(at) else -1
        if not at.is_Rational:
            raise UnsupportedError("an expansion around a curve has no counterpart")
        *bases, top = proofs
        name = self._child(top, goal, side**order * derivative(goal.f, symbol, order))
        waiting = list(bases)
        for k in reversed(range(order)):
            here = replace(goal, f=side**k * derivative(goal.f, symbol, k))
            value = here.f.subs(symbol, at)
            match = next((proof for proof in waiting if proof[1].f == value), None)
            use = self._use(*match) if match and value.free_symbols else "base."
            following = side ** (k + 1) * derivative(goal.f, symbol, k + 1)
            name = self.lemma(here, _monotone(here, symbol, at, following, side, use, f"apply {name}; lra."))
        return name

    def _child(self, proof: Any, goal: Goal, f: sp.Expr) -> str:
        """Write a child and, if it was stated for fewer variables, restate it for all of them."""
        child, subgoal, hints = proof
        name = self.write(subgoal, child, hints)
        same = replace(goal, f=f)
        if _without_idle(same) == same:
            return name
        return self.lemma(same, [f"apply {name}; lra."])

    def _slope(self, goal: Goal, node: Node, hints: Any, proofs: Any) -> str:
        hint = hints[int(node["hint"])] if "hint" in node else None
        symbol = goal.region.axis(hint.symbol.name if hint else node["symbol"]).symbol
        at = sp.sympify(hint.at) if hint else sp.Rational(node["at"])
        slope = derivative(goal.f, symbol, 1)
        given = hint.factor if isinstance(hint, Slope) else None
        quotient = sp.sympify(given) if given is not None else quotient_of(slope, symbol - at)
        name = self._child(proofs[0], goal, quotient)
        tactics = [f"destruct (Rle_or_lt {translate(at)} {symbol.name})."]
        for side in (1, -1):
            gap = f"({symbol.name} - {translate(at)})" if side > 0 else f"({translate(at)} - {symbol.name})"
            sign = [
                f"replace {translate(side * slope)} with ({gap} * {translate(quotient)}) by equal;",
                f"apply Rmult_le_pos; [lra | apply {name}; lra].",
            ]
            extra = f"{translate(at)} <= {symbol.name}" if side > 0 else f"{symbol.name} <= {translate(at)}"
            steps = _monotone(goal, symbol, at, side * slope, side, "base.", " ".join(sign), extra)
            tactics += [f"- {steps[0]}", *(f"  {step}" for step in steps[1:])]
        return self.lemma(goal, tactics)


def _monotone(
    goal: Goal, symbol: sp.Symbol, at: sp.Expr, slope: sp.Expr, side: int, base: str, sign: str, extra: str = ""
) -> list[str]:
    """Return the tactics that apply the mean value theorem along one variable."""
    x = symbol.name
    domain = " /\\ ".join(filter(None, [*_bounds(goal.region.axis(x)), extra])) or "True"
    return [
        f"apply ({'rises' if side > 0 else 'falls'} (fun {x} => {translate(goal.f)}) (fun {x} => {translate(slope)})",
        f"  {translate(at)} (fun {x} => {domain})); try lra; clear {x} {_cleared(goal, x)}.",
        f"+ intros {x} t. intros. assert (0 <= 0) by lra. positive_bounds.",
        f"+ intros {x}. intros. slope.",
        f"+ {base}",
        f"+ intros {x}. intros. {sign}",
    ]


def _cleared(goal: Goal, name: str) -> str:
    del goal, name
    return ""
