"""Songs that belong nowhere."""

import numpy as np
import pytest

from registry.versions import Belonging
from serving.matching.belonging import KIN, LEAD, SCORE, SHARE, SIZE, chance_of_belonging, evidence

SCORES = np.array([[3.0, 1.0, 0.0], [1.0, 1.0, 1.0]], np.float32)
SIGNALS = {
    "text": np.array([[2.0, 0, 0], [0, 5, 0]], np.float32),
    "era": np.array([[np.nan] * 3, [1, 2, 3]], np.float32),
}
SIZES = np.array([10, 0, 3], np.float32)


def test_the_best_playlist_is_what_counts() -> None:
    found = evidence(SCORES, SIGNALS, SIZES)
    np.testing.assert_allclose(found[SCORE], [3, 1])
    np.testing.assert_allclose(found[LEAD], [2, 0])
    np.testing.assert_allclose(found[SHARE], [-np.log(1 + np.exp(-2) + np.exp(-3)), -np.log(3)], rtol=1e-5)
    np.testing.assert_allclose(found["text"], [2, 0])
    np.testing.assert_allclose(found["era"], [0, 1])
    np.testing.assert_allclose(found[SIZE], np.log1p([10, 10]))
    np.testing.assert_allclose(found[KIN], [0, 0])


def test_a_song_whose_artist_any_playlist_knows_is_kin() -> None:
    scores = np.array([[3.0, 1.0, 0.0], [3.0, -np.inf, 0.0]], np.float32)
    artists = np.array([[-1.0, 5.0, np.nan], [-1.0, 5.0, np.nan]], np.float32)
    np.testing.assert_allclose(evidence(scores, {"artist": artists}, SIZES)[KIN], [5, 0])


def test_what_is_no_candidate_counts_for_nothing() -> None:
    scores = np.array([[-np.inf, 1.0, 0.5], [-np.inf, 2.0, -np.inf]], np.float32)
    found = evidence(scores, SIGNALS, SIZES)
    np.testing.assert_allclose(found[SCORE], [1, 2])
    np.testing.assert_allclose(found[LEAD], [0.5, 0])
    np.testing.assert_allclose(found["text"], [0, 5])
    assert found[SHARE][1] == 0


def test_one_playlist_is_ahead_of_nobody() -> None:
    found = evidence(SCORES[:, :1], {"text": SIGNALS["text"][:, :1]}, SIZES[:1])
    np.testing.assert_allclose(found[LEAD], [0, 0])
    np.testing.assert_allclose(found[SHARE], [0, 0])


def test_the_chance_is_logistic_and_unknown_evidence_is_passed_over() -> None:
    belonging = Belonging(weights={SCORE: 0.5, "text": 1.0, "language": 9.0}, offset=-1.0, threshold=0.4)
    found = chance_of_belonging(evidence(SCORES, SIGNALS, SIZES), belonging)
    np.testing.assert_allclose(found, 1 / (1 + np.exp([-2.5, 0.5])), rtol=1e-5)


@pytest.mark.parametrize("score", [1e4, -1e4])
def test_extreme_evidence_gives_a_number(score: float) -> None:
    belonging = Belonging(weights={SCORE: 1.0}, offset=0.0, threshold=0.5)
    found = chance_of_belonging(evidence(np.full((1, 2), score, np.float32), {}, SIZES[:2]), belonging)
    assert np.isfinite(found).all()
    assert float(found[0]) == pytest.approx(float(score > 0), abs=1e-6)
