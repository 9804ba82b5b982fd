"""The simple methods that a model has to beat."""

from dataclasses import replace

import numpy as np
import pytest

from registry.errors import BadInput
from training.baselines import Baselines
from training.dataset import PairDataset
from training.metrics import evaluate_ranking
from training.queries import cluster_queries
from training.splits import Split


@pytest.fixture(scope="module")
def fitted(themed: PairDataset) -> Baselines:
    return Baselines.fit(themed)


def scores_of(fitted: Baselines, split: Split) -> tuple[dict[str, float], set[str]]:
    """Top-1 by method on a split, among all of the dataset's playlists."""
    dataset = fitted.dataset
    queries, playlists = cluster_queries(dataset, split), sorted(dataset.playlists)
    relevant = np.array([[each in query.playlist_ids for each in playlists] for query in queries])
    found = fitted.scores(split, [query.song_id for query in queries], playlists)
    for each in found.values():
        assert each.shape == relevant.shape
        assert np.isfinite(each).all()
    return {name: evaluate_ranking(each, relevant).top1 for name, each in found.items()}, set(found)


def test_words_find_the_playlists_of_songs_that_share_them(fitted: Baselines) -> None:
    top1, names = scores_of(fitted, Split.UNSEEN_SONG)
    assert names == {"popularity", "tfidf_nearest", "tfidf_logistic"}
    assert top1["tfidf_nearest"] > 0.8
    assert top1["tfidf_logistic"] > 0.8
    assert top1["popularity"] < 0.5


def test_a_playlist_that_is_not_trained_on_is_known_by_its_text_alone(fitted: Baselines) -> None:
    songs, playlists = sorted(fitted.dataset.songs)[:3], sorted(fitted.dataset.playlists)
    found = fitted.scores(Split.UNSEEN_PLAYLIST, songs, playlists)
    assert set(found) == {"popularity", "tfidf_nearest"}
    assert not found["popularity"].any()


def test_equal_datasets_give_equal_scores(fitted: Baselines, themed: PairDataset) -> None:
    songs, playlists = sorted(themed.songs)[:5], sorted(themed.playlists)
    again = Baselines.fit(themed).scores(Split.UNSEEN_SONG, songs, playlists)
    for name, each in fitted.scores(Split.UNSEEN_SONG, songs, playlists).items():
        np.testing.assert_array_equal(each, again[name])


def test_without_training_pairs_there_is_nothing_to_fit(themed: PairDataset) -> None:
    pairs = tuple(replace(pair, weight=0.0) for pair in themed.pairs)
    with pytest.raises(BadInput, match="no pair to train on"):
        Baselines.fit(replace(themed, pairs=pairs))
