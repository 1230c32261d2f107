"""PyTorch policies: gradients against finite differences and closed forms, draws, devices, bad input."""

import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mdps.errors import InvalidModelError, InvalidPolicyError
from solvers.torch_bridge.policies import (
    DeviceError,
    GaussianPolicy,
    SoftmaxPolicy,
    TabularLogits,
    TorchPolicy,
    as_device,
    draw,
    perceptron,
)


class CauchyPolicy(torch.nn.Module):
    """Location theta, scale one; the score is bounded."""

    def __init__(self):
        super().__init__()
        self.location = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, states):
        return torch.distributions.Cauchy(self.location.expand(len(states)), torch.ones(len(states)))


def softmax_case():
    rng = np.random.default_rng(0)
    return TorchPolicy(SoftmaxPolicy(perceptron((4, 6, 3), 1))), rng.normal(size=(9, 4)), rng.integers(3, size=9)


def gaussian_case():
    rng = np.random.default_rng(1)
    policy = TorchPolicy(GaussianPolicy(perceptron((3, 5, 2), 2), 0.7))
    return policy, rng.normal(size=(9, 3)), rng.normal(size=(9, 2))


def cauchy_case():
    rng = np.random.default_rng(2)
    return TorchPolicy(CauchyPolicy()), np.zeros((9, 1)), rng.standard_cauchy(size=9)


CASES = pytest.mark.parametrize("case", [softmax_case, gaussian_case, cauchy_case])


@CASES
def test_score_and_product_match_finite_differences(case):
    policy, states, actions = case()
    rng = np.random.default_rng(3)
    theta = policy.parameters() + 0.1 * rng.normal(size=policy.dimension)
    weights, vector, step = rng.normal(size=len(states)), rng.normal(size=policy.dimension), 1e-5

    def objective(point):
        return weights @ policy.log_probabilities(point, states, actions)

    def score(point):
        return policy.score(point, states, actions, weights)

    gradient = [
        (objective(theta + step * e) - objective(theta - step * e)) / (2 * step) for e in np.eye(policy.dimension)
    ]
    np.testing.assert_allclose(score(theta), gradient, rtol=1e-7, atol=1e-8)
    product = (score(theta + step * vector) - score(theta - step * vector)) / (2 * step)
    np.testing.assert_allclose(policy.hvp(theta, states, actions, weights, vector), product, rtol=1e-6, atol=1e-7)
    slopes = policy.slopes(theta, states, actions, vector)
    assert weights @ slopes == pytest.approx(score(theta) @ vector, rel=1e-12)


def test_cauchy_score_and_curvature_have_their_closed_forms():
    policy, states, actions = cauchy_case()
    weights = np.random.default_rng(0).normal(size=len(actions))
    u = actions - 0.4
    score, curvature = 2 * u / (1 + u * u), 2 * (u * u - 1) / (1 + u * u) ** 2
    assert policy.score([0.4], states, actions, weights)[0] == pytest.approx(weights @ score, rel=1e-12)
    assert policy.hvp([0.4], states, actions, weights, [2.0])[0] == pytest.approx(2 * weights @ curvature, rel=1e-12)


@CASES
def test_products_are_linear_and_symmetric(case):
    policy, states, actions = case()
    rng, theta = np.random.default_rng(4), policy.parameters()
    weights, x, y = rng.normal(size=len(states)), *rng.normal(size=(2, policy.dimension))
    apply = [policy.hvp(theta, states, actions, weights, v) for v in (x, y, x + 3 * y)]
    np.testing.assert_allclose(apply[2], apply[0] + 3 * apply[1], atol=1e-10)
    assert y @ apply[0] == pytest.approx(x @ apply[1], abs=1e-10)


@CASES
def test_draws_depend_on_the_seed_only(case):
    policy, states, _ = case()
    theta, before = policy.parameters(), torch.random.get_rng_state()
    torch.manual_seed(7)
    first = policy.sample(theta, states, policy.generator(5))
    torch.rand(3)
    again = policy.sample(theta, states, policy.generator(5))
    other = policy.sample(theta, states, policy.generator(6))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    torch.random.set_rng_state(before)


def test_no_global_state_is_touched():
    before = torch.random.get_rng_state()
    policy, states, _ = softmax_case()
    policy.sample(policy.parameters(), states, policy.generator(0))
    assert torch.equal(before, torch.random.get_rng_state())


def test_draws_have_their_laws():
    generator, count = torch.Generator().manual_seed(0), 40_000
    law = torch.distributions.Categorical(
        probs=torch.tensor([0.2, 0.0, 0.5, 0.3], dtype=torch.float64).expand(count, 4)
    )
    found = np.bincount(draw(law, generator).numpy(), minlength=4) / count
    np.testing.assert_allclose(found, [0.2, 0.0, 0.5, 0.3], atol=5 * 0.5 / count**0.5)
    assert found[1] == 0.0
    heads = draw(torch.distributions.Bernoulli(torch.full((count,), 0.3, dtype=torch.float64)), generator)
    assert float(heads.mean()) == pytest.approx(0.3, abs=5 * 0.5 / count**0.5)
    normal = torch.distributions.Normal(torch.full((count,), 2.0, dtype=torch.float64), 3.0)
    values = draw(torch.distributions.Independent(normal, 0), generator).numpy()
    assert values.dtype == np.float64
    assert values.mean() == pytest.approx(2.0, abs=15 / count**0.5)
    assert values.std() == pytest.approx(3.0, rel=5 / count**0.5)
    squashed = torch.distributions.TransformedDistribution(normal, [torch.distributions.transforms.TanhTransform()])
    assert float(draw(squashed, generator).abs().max()) <= 1.0


def test_a_law_without_inverse_is_named():
    law = torch.distributions.Poisson(torch.ones(3, dtype=torch.float64))
    with pytest.raises(InvalidPolicyError, match="Poisson has no inverse"):
        draw(law, torch.Generator())


def test_the_module_is_copied_and_kept_in_double_precision():
    module = perceptron((2, 3), 0).float()
    policy = TorchPolicy(SoftmaxPolicy(module))
    with torch.no_grad():
        module[0].weight.zero_()
    assert np.abs(policy.parameters()).max() > 0.0
    assert policy.parameters().dtype == np.float64
    assert policy.dimension == 9


def test_networks_depend_on_their_seed_only():
    first, again, other = (TorchPolicy(SoftmaxPolicy(perceptron((2, 3), s))).parameters() for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_bad_input_is_named():
    policy, states, actions = softmax_case()
    theta, weights = policy.parameters(), np.ones(len(states))
    with pytest.raises(InvalidPolicyError, match=r"theta has shape \(2,\)"):
        policy.score(theta[:2], states, actions, weights)
    with pytest.raises(InvalidModelError, match=r"theta\[0\] is nan"):
        policy.score(np.where(np.arange(theta.size) == 0, np.nan, theta), states, actions, weights)
    with pytest.raises(InvalidPolicyError, match=r"weights has shape \(1,\)"):
        policy.score(theta, states, actions, weights[:1])
    with pytest.raises(InvalidPolicyError, match=r"vector has shape"):
        policy.hvp(theta, states, actions, weights, theta[:1])
    with pytest.raises(InvalidPolicyError, match="no parameters"):
        TorchPolicy(torch.nn.Tanh())
    with pytest.raises(InvalidPolicyError, match="deviation"):
        GaussianPolicy(perceptron((1, 1), 0), 0.0)
    with pytest.raises(InvalidPolicyError, match="widths"):
        perceptron((1,), 0)

    class Componentwise(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.mean = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))

        def forward(self, states):
            return torch.distributions.Normal(self.mean.expand(len(states), 2), 1.0)

    with pytest.raises(InvalidPolicyError, match=r"log-probabilities have shape \(3, 2\)"):
        TorchPolicy(Componentwise()).score(np.zeros(2), np.zeros((3, 1)), np.zeros((3, 2)), np.ones(3))


def test_devices():
    assert as_device("cpu").type == "cpu"
    for name, message in (("meta", "not 'cpu' or 'cuda'"), ("nonsense", "device is 'nonsense'")):
        with pytest.raises(DeviceError, match=message):
            as_device(name)
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="0 CUDA devices are present"):
            TorchPolicy(TabularLogits(1, 2), device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_agrees_with_the_cpu():
    policy, states, actions = softmax_case()
    twin = TorchPolicy(policy.module, device="cuda")
    weights, vector = np.ones(len(states)), np.ones(policy.dimension)
    theta = policy.parameters()
    for name in ("score", "hvp"):
        extra = (vector,) if name == "hvp" else ()
        here, there = (getattr(p, name)(theta, states, actions, weights, *extra) for p in (policy, twin))
        np.testing.assert_allclose(here, there, rtol=1e-10, atol=1e-12)


def test_without_torch_the_error_says_what_to_install():
    code = "import sys; sys.modules['torch'] = None; import solvers.torch_bridge.policies"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ImportError: solvers.torch_bridge needs PyTorch: pip install 'boundcheck[torch]'" in done.stderr
