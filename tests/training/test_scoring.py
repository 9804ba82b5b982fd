"""How an embedding scores playlists by itself."""

import numpy as np
import pytest

from training.scoring import text_and_centroid

SONGS = np.eye(2, 3, dtype=np.float32)
TEXTS = np.eye(3, dtype=np.float32)


def test_text_and_centroid_count_the_same() -> None:
    by_text = text_and_centroid(SONGS, TEXTS, np.full((3, 3), 3**-0.5, np.float32))
    assert by_text.argmax(axis=1).tolist() == [0, 1]
    agreeing = text_and_centroid(SONGS, TEXTS, TEXTS)
    np.testing.assert_allclose(agreeing, 2 * by_text, atol=1e-5)


def test_where_no_songs_are_known_the_text_counts_twice_and_others_are_left_alone() -> None:
    centroids = np.array(TEXTS)
    centroids[2] = np.nan
    found = text_and_centroid(SONGS, TEXTS, centroids)
    assert np.isfinite(found).all()
    text = SONGS @ TEXTS.T
    standard = (text - text.mean()) / text.std()
    np.testing.assert_allclose(found[:, 2], 2 * standard[:, 2], atol=1e-5)
    assert found[:, 0].argmax() == 0


@pytest.mark.filterwarnings("error")
def test_no_centroid_at_all_leaves_the_text() -> None:
    found = text_and_centroid(SONGS, TEXTS, np.full((3, 3), np.nan, np.float32))
    assert found.argmax(axis=1).tolist() == [0, 1]
