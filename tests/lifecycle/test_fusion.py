"""Weights of signals: learned from what the model has not seen, taken where they rank better."""

from dataclasses import replace

import numpy as np
import pytest

from lifecycle import fusion
from lifecycle.dataset_vectors import EncodedDataset
from lifecycle.evaluation import dataset_regimes
from lifecycle.fusion import Fusion, chosen_signals, fuse
from lifecycle.homeless import homeless_report
from registry.errors import BadInput
from registry.records import AudioFeatures, CatalogueSnapshot, Membership, Playlist, Song
from registry.versions import LearnedWeights
from serving.matching.signals.names import PAYING_SIGNALS
from training.dataset import PairDataset, build_dataset
from training.splits import REGIMES, Split

PLAYLISTS, SONGS, DIMENSIONS = 12, 40, 16


@pytest.fixture(scope="module")
def dataset() -> PairDataset:
    """Twelve playlists of forty songs, each of a loudness and of years of its own, and none of words of its own."""
    generator = np.random.default_rng(7)
    songs, memberships = [], []
    for playlist in range(PLAYLISTS):
        for number in range(SONGS):
            energy = float(np.clip(generator.normal(playlist / PLAYLISTS, 0.06), 0, 1))
            songs.append(
                Song(
                    song_id=f"s{playlist:02}-{number:02}",
                    title=f"Tune {generator.integers(10**9)}",
                    artist=f"Band {generator.integers(10**6)}",
                    release_date=str(1960 + 5 * (playlist % 4) + int(generator.integers(4))),
                    audio_features=AudioFeatures(energy=energy, valence=float(generator.uniform())),
                )
            )
            memberships.append(Membership(playlist_id=f"p{playlist:02}", song_id=songs[-1].song_id))
    playlists = tuple(Playlist(playlist_id=f"p{number:02}", name=f"List {number}") for number in range(PLAYLISTS))
    return build_dataset(CatalogueSnapshot(tuple(songs), playlists, tuple(memberships), ()))


def encoded(dataset: PairDataset, *, told: float, memorised: float = 0.0) -> EncodedDataset:
    """Vectors of a model that knows a song's playlist by `told`, and of those it was trained on by `memorised` more."""
    generator = np.random.default_rng(3)

    def unit(vector: np.ndarray) -> np.ndarray:
        return np.asarray(vector / np.linalg.norm(vector), np.float32)

    axes = {each: unit(generator.normal(size=DIMENSIONS)) for each in dataset.playlists}
    trained = {pair.song_id for pair in dataset.trained_on()}
    songs = {
        each: unit(
            (told + memorised * (each in trained)) * axes[f"p{each[1:3]}"] + unit(generator.normal(size=DIMENSIONS))
        )
        for each in dataset.songs
    }
    return EncodedDataset(songs, axes, DIMENSIONS)


@pytest.fixture(scope="module")
def blind(dataset: PairDataset) -> Fusion:
    """Of a model whose vectors say nothing."""
    return fuse(dataset, encoded(dataset, told=0.0))


def test_what_tells_playlists_apart_is_given_weight(blind: Fusion) -> None:
    assert blind.record["taken"] is True
    assert blind.record["songs"] > 10
    assert blind.matching.learned is not None
    known = blind.matching.learned.known
    assert known["acoustic"] > 1 > known["centroid"]
    assert known["era"] > known["artist"]


def test_signals_that_no_song_has_are_given_none(blind: Fusion) -> None:
    assert blind.matching.learned is not None
    assert not {"genre", "language", "album"} & set(blind.matching.learned.known)
    assert set(blind.matching.signals) == set(PAYING_SIGNALS)


def test_what_a_model_has_memorised_does_not_count_for_it(dataset: PairDataset) -> None:
    """Its training songs lie at their playlists, new songs nowhere near: vectors are worth nothing."""
    found = fuse(dataset, encoded(dataset, told=0.0, memorised=50.0))
    assert found.matching.learned is not None
    known = found.matching.learned.known
    assert max(known["text"], known["centroid"], known["nearest"]) < 0.5 * known["acoustic"]


def test_a_model_that_tells_new_songs_apart_is_given_weight(dataset: PairDataset) -> None:
    found = fuse(dataset, encoded(dataset, told=0.5))
    assert found.matching.learned is not None
    known = found.matching.learned.known
    assert max(known["text"], known["centroid"], known["nearest"]) > 0.5


def test_nothing_of_the_test_is_looked_at(dataset: PairDataset) -> None:
    vectors = encoded(dataset, told=0.5)
    tested = {pair.song_id for split in REGIMES for pair in dataset.select(split) if split is not Split.UNSEEN_PLAYLIST}
    turned = {each: (-vector if each in tested else vector) for each, vector in vectors.songs.items()}
    assert fuse(dataset, replace(vectors, songs=turned)) == fuse(dataset, vectors)


def test_where_the_heuristics_rank_better_they_stay(dataset: PairDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    worse = LearnedWeights(known=dict.fromkeys(PAYING_SIGNALS, 0.0) | {"artist": 1.0}, by_text={"text": 1.0})
    monkeypatch.setattr(fusion._Lesson, "learned", lambda _: worse)
    found = fuse(dataset, encoded(dataset, told=1.0))
    assert found.record["taken"] is False
    assert found.matching.learned is None
    assert found.record["heuristic_mrr"] > max(found.record["learned_mrr"].values())


def test_a_version_may_match_by_some_signals_alone(dataset: PairDataset) -> None:
    found = fuse(dataset, encoded(dataset, told=1.0), ("text", "acoustic"))
    assert set(found.matching.signals) == {"text", "acoustic"}
    assert found.matching.learned is None or set(found.matching.learned.known) <= {"text", "acoustic"}


def test_where_no_signal_is_named_all_that_pay_are_taken() -> None:
    assert chosen_signals(()) == PAYING_SIGNALS
    assert chosen_signals(("emotion", "text")) == ("text", "emotion"), "and those that do not pay, if they are named"
    assert chosen_signals(("acoustic", "text")) == ("text", "acoustic"), "in their usual order"


@pytest.mark.parametrize(
    ("named", "told"),
    [(("text", "mood"), "mood"), (("text", "text"), "twice"), (("acoustic",), "text is not among them")],
)
def test_what_a_version_cannot_match_by_is_refused(named: tuple[str, ...], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        chosen_signals(named)


def test_songs_without_a_home_are_recognised(dataset: PairDataset, blind: Fusion) -> None:
    assert blind.matching.belonging is not None
    vectors = encoded(dataset, told=2.0)
    found = fuse(dataset, vectors)
    (regime,) = dataset_regimes(found.matching, dataset, vectors, (Split.UNSEEN_SONG,))
    report = homeless_report(found.matching, regime)
    assert report is not None
    assert report["kept"] > 0.85
    assert report["recognised"] > 0.6
    assert [each["kept"] for each in report["curve"]] == sorted(each["kept"] for each in report["curve"])
    assert [each["recognised"] for each in report["curve"]] == sorted(
        (each["recognised"] for each in report["curve"]), reverse=True
    )


def test_a_version_that_cannot_tell_says_nothing_of_homes(dataset: PairDataset, blind: Fusion) -> None:
    vectors = encoded(dataset, told=0.0)
    spec = blind.matching.model_copy(update={"belonging": None})
    (regime,) = dataset_regimes(spec, dataset, vectors, (Split.UNSEEN_SONG,))
    assert homeless_report(spec, regime) is None


def test_without_a_song_to_weigh_by_the_heuristics_stay_and_signals_have_their_scales(dataset: PairDataset) -> None:
    small = replace(dataset)
    vars(small)["weighing"] = frozenset()  # as chance may leave it where there are few songs
    found = fuse(small, encoded(dataset, told=1.0))
    assert (found.record["songs"], found.record["taken"], found.matching.learned) == (0, False, None)
    assert all(found.matching.signals[name].spread != 1 for name in ("text", "centroid", "nearest", "acoustic"))
