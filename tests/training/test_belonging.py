"""Learning when a song belongs nowhere."""

import numpy as np
import pytest

from training.belonging import MINIMUM_SONGS, Evidence, learn_rule, share_recognised, threshold_that_keeps


def evidence(count: int, mean: float, seed: int) -> Evidence:
    generator = np.random.default_rng(seed)
    return {
        "score": generator.normal(10 + mean, 1, count).astype(np.float32),
        "noise": generator.normal(500, 100, count).astype(np.float32),
    }


def test_homes_are_told_from_strays() -> None:
    rule = learn_rule(evidence(300, 2, 0), evidence(300, -2, 1))
    assert rule is not None
    home, stray = rule.chances(evidence(200, 2, 2)), rule.chances(evidence(200, -2, 3))
    threshold = threshold_that_keeps(home)
    assert np.mean(home >= threshold) >= 0.95
    assert share_recognised(stray, threshold) > 0.95
    assert abs(rule.weights["noise"]) * 100 < 0.3 * rule.weights["score"]


def test_both_kinds_count_the_same_however_many_there_are() -> None:
    rule = learn_rule(evidence(40, 2, 0), evidence(800, -2, 1))
    assert rule is not None
    assert rule.chances({"score": np.array([10], np.float32), "noise": np.array([500], np.float32)})[
        0
    ] == pytest.approx(0.5, abs=0.2)


@pytest.mark.parametrize(("homes", "strays"), [(MINIMUM_SONGS - 1, 100), (100, MINIMUM_SONGS - 1), (0, 0)])
def test_of_too_few_songs_nothing_is_learned(homes: int, strays: int) -> None:
    assert learn_rule(evidence(homes, 2, 0), evidence(strays, -2, 1)) is None


def test_the_threshold_keeps_at_least_its_share() -> None:
    chances = np.linspace(0, 1, 101)
    assert threshold_that_keeps(chances, 0.95) == pytest.approx(0.05)
    assert threshold_that_keeps(np.array([0.3]), 0.95) == pytest.approx(0.3)
    assert threshold_that_keeps(np.array([]), 0.95) == 0
    assert share_recognised(np.array([]), 0.5) == 0
