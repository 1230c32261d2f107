r"""Checks of bounds for the slope of networks, and of layers that do not expand."""

from collections.abc import Iterator
from fractions import Fraction

import sympy as sp

from proofs_check.engine import Check, Control, Mutant
from proofs_check.evidence import Comparison
from proofs_check.methods.exact import Exact
from proofs_check.methods.operators import OperatorIdentity, operators
from proofs_check.methods.symbolic import Identity, Symbolic
from proofs_check.papers import lipschitz as lemmas

ZERO, ONE = Fraction(0), Fraction(1)
BIASES = (Fraction(3, 10), Fraction(-9, 5), Fraction(-7, 10))


def forward(x: Fraction) -> Fraction:
    """Return the output of the network 1-3-1 at a point."""
    inner, outer = lemmas.WEIGHTS
    return sum((w * max(v * x + b, ZERO) for v, w, b in zip(inner, outer, BIASES, strict=True)), ZERO)


def pair_multipliers(case: str, *, pairs: bool = True) -> Iterator[Comparison]:
    """Pivots of a certificate, and the squared slope between two points at which the same neurons are active."""
    del case
    network = lemmas.relu_network(pairs=pairs)
    for value in (*network.multipliers, *network.pairs.values()):
        yield Comparison(ZERO, value, where="multiplier")
    for index, pivot in enumerate(lemmas.pivots(network.certificate(pairs=pairs))):
        yield Comparison(ZERO, pivot, where=f"pivot {index}")
    step = Fraction(1, 100)
    slope = (forward(ONE + step) - forward(ONE)) / step
    yield Comparison(slope**2, network.bound, where="squared slope at 1")


def half_bound(*, weight: sp.Expr = sp.S.One) -> OperatorIdentity:
    """Return 2 W1 D W0 = W1 W0 + W1 (2 D - I) W0."""
    outer, inner, slopes = operators("W1 W0 D")
    left = 2 * outer * slopes * inner
    right = outer * inner + 2 * outer * slopes * inner - weight * outer * inner
    return OperatorIdentity(left, sp.expand(right), {outer: ("m", "h"), slopes: ("h", "h"), inner: ("h", "n")})


def residual_identity(*, step: int = 2) -> OperatorIdentity:
    """Return |x|^2 - |y|^2 for y = x - 2 W g, with T g the difference of the activations and z = W'x.

    On the right 4 g'(z - T g) is the sum of phi_i (z_i - phi_i) / T_ii, and g'(T - W'W) g a quadratic form.
    """
    point, point_t, weights, weights_t, scaled, scaled_t, scaling = operators("x x' W W' g g' T")
    moved, moved_t = point - step * weights * scaled, point_t - step * scaled_t * weights_t
    left = point_t * point - moved_t * moved
    slopes = 2 * scaled_t * (weights_t * point - scaling * scaled)
    slopes_t = 2 * (point_t * weights - scaled_t * scaling) * scaled
    gram = 4 * scaled_t * (scaling - weights_t * weights) * scaled
    shapes = {point: ("n", "1"), weights: ("n", "h"), scaled: ("h", "1"), scaling: ("h", "h")}
    transposes = {point_t: point, weights_t: weights, scaled_t: scaled}
    return OperatorIdentity(sp.expand(left), sp.expand(slopes + slopes_t + gram), shapes, transposes)


def weighted_gram(*, scale: sp.Expr = sp.S.One) -> dict[str, Identity]:
    """Return (q / p) u^2 + (p / q) v^2 - 2 s u v as a square, for both signs s: T - W'W >= 0 entry by entry."""
    u, v = sp.symbols("u v", real=True)
    p, q = sp.symbols("p q", positive=True)
    return {
        f"s = {s}": Identity(scale * (q / p * u**2 + p / q * v**2) - 2 * s * u * v, (q * u - s * p * v) ** 2 / (p * q))
        for s in (1, -1)
    }


CHECKS = (
    Check(
        "lipschitz_policies.pair_multipliers",
        Exact({"relu 1-3-1": lambda: "relu"}),
        pair_multipliers,
        (Control("single_neurons", "multipliers for single neurons", {"pairs": False}),),
    ),
    Check(
        "lipschitz_policies.half_bound",
        Symbolic(),
        half_bound,
        (Mutant("weight", "1.01 W1 W0 is taken off", {"weight": sp.Rational(101, 100)}),),
    ),
    Check(
        "lipschitz_policies.residual_layer",
        Symbolic(),
        residual_identity,
        (Mutant("step", "3 in the place of 2", {"step": 3}),),
    ),
    Check(
        "lipschitz_policies.residual_layer",
        Symbolic(),
        weighted_gram,
        (Mutant("scale", "0.99 times the row sums", {"scale": sp.Rational(99, 100)}),),
        name="row sums",
    ),
)
