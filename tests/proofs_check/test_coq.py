"""Export to Coq: readable files, honest domains, and a kernel that rejects what is false."""

from dataclasses import replace

import pytest
import sympy as sp

from proofs_check.methods import coq
from proofs_check.methods.interval import Inequality
from theory.lemmas import scalar
from theory.symbols import x

R = sp.Rational
CLAIMS = {claim.id: claim for claim in scalar.CLAIMS}
EXPONENTIAL = Inequality(scalar.exp_quadratic(), ((x, -sp.oo, 1),))

needs_coq = pytest.mark.skipif(not coq.available(), reason="coqc is not installed")


def exported(name, inequality):
    return coq.export(CLAIMS[f"scalar.{name}"], inequality)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (sp.exp(x) - x**2 / 2, "((exp x) - ((1 / 2) * (x ^ 2)))"),
        (sp.log(1 + x) / (1 + x), "((ln (1 + x)) / ((1 + x)))"),
        (sp.sqrt(x) ** 3, "(x * (sqrt x))"),
        (-R(2, 3) * x, "(- ((2 / 3) * x))"),
        (sp.E + sp.pi, "((exp 1) + PI)"),
        (1 / x**2, "(/ (x ^ 2))"),
        (x ** R(1, 3), "(Rpower x (1 / 3))"),
    ],
)
def test_translation(expression, text):
    assert coq.translate(expression) == text


def test_unknown_functions_are_named():
    with pytest.raises(coq.UnsupportedError, match="LambertW"):
        coq.translate(sp.LambertW(x))
    with pytest.raises(coq.UnsupportedError, match="LambertW"):
        exported("lambert", Inequality(scalar.lambert(), ((x, 0, sp.oo),)))


def test_files_state_the_claim_its_source_and_its_domain():
    whole = exported("exp_quadratic", EXPONENTIAL)
    assert whole.whole
    assert "forall x : R, x <= 1 -> (exp x) <= (1 + x + (x ^ 2))." in whole.text
    assert "Section 11.4 of Lattimore, Szepesvári (2020)" in whole.text
    assert coq.WHOLE in whole.text
    part = exported("compound", Inequality(scalar.compound(), ((x, sp.Interval.open(0, sp.oo)),)))
    assert not part.whole
    assert "(* Domain: only for x in [1/8, 16]" in part.text
    ends = exported("entropy_generator", Inequality(scalar.entropy_generator(), ((x, 0, sp.oo),)))
    assert ends.note == "without the end points x = 0"
    assert "forall x : R, 0 < x ->" in ends.text


def test_without_coq_nothing_is_claimed(monkeypatch, tmp_path):
    monkeypatch.setattr(coq.shutil, "which", lambda name: None)
    path = tmp_path / "file.v"
    path.write_text(exported("exp_quadratic", EXPONENTIAL).text, encoding="utf-8")
    outcome = coq.check(path)
    assert not outcome.ran
    assert not outcome.whole
    assert "skipped" in outcome.summary
    assert "skipped" in coq.check_all().summary


@needs_coq
def test_the_kernel_accepts_a_true_claim_on_its_whole_domain(tmp_path):
    path = tmp_path / "exp_quadratic.v"
    path.write_text(exported("exp_quadratic", EXPONENTIAL).text, encoding="utf-8")
    outcome = coq.check(path)
    assert outcome.ok
    assert outcome.whole
    assert outcome.summary == "exp_quadratic.v: PROVED (kernel)"


@needs_coq
def test_the_kernel_rejects_a_file_with_a_smaller_constant(tmp_path):
    text = exported("exp_quadratic", EXPONENTIAL).text
    theorem = text.index("Theorem")
    path = tmp_path / "wrong.v"
    path.write_text(text[:theorem] + text[theorem:].replace("(x ^ 2)", "((1 / 2) * (x ^ 2))"), encoding="utf-8")
    outcome = coq.check(path)
    assert not outcome.ok
    assert "rejects line" in outcome.summary


@needs_coq
def test_admitted_lemmas_are_not_proofs(tmp_path):
    path = tmp_path / "admitted.v"
    path.write_text(f"{coq.WHOLE}\nTheorem wrong : 1 = 2.\nAdmitted.\n", encoding="utf-8")
    outcome = coq.check(path)
    assert not outcome.ok
    assert not outcome.whole
    assert "Admitted" in outcome.summary


def test_strict_relations_are_not_exported():
    strict = Inequality(sp.exp(x) > x, ((x, 0, 1),))
    with pytest.raises(coq.UnsupportedError, match="strict"):
        coq.export(replace(CLAIMS["scalar.exp_quadratic"], title="strict"), strict)
