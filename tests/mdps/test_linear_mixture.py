"""Linear mixtures and random linear models."""

import numpy as np
import pytest

from mdps.errors import InvalidModelError
from mdps.linear_instances import random_simplex
from mdps.linear_mixture import LinearMixture, random_mixture


def test_a_mixture_is_the_table_of_its_kernels():
    model = random_mixture(2, 3, 4, 2, 5)
    table = model.to_tabular()
    assert table.transitions.shape == (5, 4, 2, 4)
    mean = sum(model.weights[3, i] * model.kernels[i] for i in range(3))
    np.testing.assert_allclose(table.transitions[3], mean)
    values = np.arange(4.0)
    np.testing.assert_allclose(model.features(values) @ model.weights[3], mean @ values)
    assert (model.horizon, model.n_factors) == (5, 3)


def test_bad_mixtures_are_named():
    model = random_mixture(0)
    with pytest.raises(InvalidModelError, match=r"kernels has shape \(5, 3, 5\)"):
        LinearMixture(model.kernels[0], model.weights, model.rewards)
    with pytest.raises(InvalidModelError, match=r"weights has shape \(3, 2\)"):
        LinearMixture(model.kernels, model.weights[:, :2], model.rewards)
    with pytest.raises(InvalidModelError, match=r"weights\[h=0\] sums to"):
        LinearMixture(model.kernels, 0.9 * model.weights, model.rewards)
    with pytest.raises(InvalidModelError, match="rewards has shape"):
        LinearMixture(model.kernels, model.weights, model.rewards[:1])


def test_random_linear_models_meet_the_assumptions():
    model = random_simplex(3, 6, 7, 2, 4)
    assert np.linalg.norm(model.features, axis=-1).max() <= 1.0
    assert np.linalg.norm(model.weights, axis=-1).max() <= np.sqrt(6)
    assert model.unit_rewards
    np.testing.assert_array_equal(model.features, random_simplex(3, 6, 7, 2, 4).features)
    assert (model.n_factors, model.n_states, model.n_actions, model.horizon) == (6, 7, 2, 4)
