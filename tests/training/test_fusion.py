"""Weights of signals, learned."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import approx_fprime

from training.fusion import Choices, Weights, best_scale, fit_weights


def choices(weights: list[float], songs: int, playlists: int = 12, seed: int = 0) -> Choices:
    """Songs that choose one playlist each, by these weights and a chance."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(songs, playlists, len(weights))).astype(np.float32)
    logits = features @ np.array(weights) + generator.gumbel(size=(songs, playlists))
    relevant = np.zeros((songs, playlists), np.bool_)
    relevant[np.arange(songs), logits.argmax(axis=1)] = True
    return Choices(features, relevant)


HEURISTIC = np.array([0.5, 0.5, 0.5])


def test_with_many_songs_the_true_weights_are_found() -> None:
    found = fit_weights(choices([2.0, 0.5, 0.0], 3_000), HEURISTIC, spread=1.3)
    np.testing.assert_allclose(found, [2.0, 0.5, 0.0], atol=0.1)


def test_few_songs_move_the_heuristics_little_and_many_much() -> None:
    def moved(songs: int) -> float:
        taught = choices([3.0, 0.0, 0.0], songs)
        centre = HEURISTIC * best_scale(taught, HEURISTIC)
        return float(np.linalg.norm(fit_weights(taught, HEURISTIC, spread=0.5) - centre))

    assert moved(3) < 0.5 * moved(300)


def test_a_narrow_spread_keeps_the_heuristics() -> None:
    taught = choices([3.0, 0.0, 1.0], 200)
    found = fit_weights(taught, HEURISTIC, spread=1e-3)
    np.testing.assert_allclose(found, HEURISTIC * best_scale(taught, HEURISTIC), atol=0.01)


def test_weights_are_not_below_zero_unless_they_may() -> None:
    taught = choices([2.0, -1.0, 0.5], 1_000)
    assert fit_weights(taught, HEURISTIC, spread=1.3)[1] == 0
    free = fit_weights(taught, HEURISTIC, spread=1.3, positive=np.array([True, False, True]))
    assert free[1] == pytest.approx(-1, abs=0.2)


def test_a_song_of_several_playlists_is_right_in_each() -> None:
    """Two right ones of equal features: the likelihood is that of either of them."""
    features = np.array([[[1.0], [1.0], [0.0]]], np.float32)
    loss, _ = Choices(features, np.array([[True, True, False]])).loss(np.array([1.0]))
    assert loss == pytest.approx(-np.log(2 * np.e / (2 * np.e + 1)))


def test_songs_of_no_playlist_and_of_all_teach_nothing() -> None:
    taught = choices([1.0, 1.0, 1.0], 50)
    nobody = np.concatenate([taught.relevant, np.zeros((1, 12), np.bool_), np.ones((1, 12), np.bool_)])
    more = Choices(np.concatenate([taught.features, taught.features[:2] * 5]), nobody)
    np.testing.assert_allclose(
        fit_weights(more, HEURISTIC, spread=1.0), fit_weights(taught, HEURISTIC, spread=1.0), atol=1e-4
    )


def test_without_songs_the_heuristics_stay() -> None:
    nothing = Choices(np.zeros((0, 4, 3), np.float32), np.zeros((0, 4), np.bool_))
    np.testing.assert_array_equal(fit_weights(nothing, HEURISTIC, spread=1.0), HEURISTIC)


def test_the_scale_is_the_one_that_scores_were_made_with() -> None:
    taught = choices([2.0, 2.0, 2.0], 4_000)
    assert best_scale(taught, HEURISTIC) == pytest.approx(4, rel=0.1)
    assert best_scale(choices([0.0, 0.0, 0.0], 2_000), HEURISTIC) < 0.2


weights = st.lists(st.floats(-5, 5), min_size=3, max_size=3).map(np.array)


@given(at=weights, seed=st.integers(0, 100))
def test_the_gradient_is_that_of_the_loss(at: Weights, seed: int) -> None:
    taught = choices([1.0, 0.0, 1.0], 6, playlists=4, seed=seed)
    exact = Choices(taught.features.astype(np.float64), taught.relevant)
    ahead, behind = (approx_fprime(at, lambda each: exact.loss(each)[0], step) for step in (2e-3, -2e-3))
    np.testing.assert_allclose(exact.loss(at)[1], (ahead + behind) / 2, atol=0.02)
