import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pytest

from lifecycle.dataset_vectors import encode_dataset, training_profiles
from lifecycle.evaluation import evaluate_version
from lifecycle.labelled_file import evaluate_file
from lifecycle.progress import Silent
from lifecycle.workspace import Workspace
from registry import catalogue, versions
from registry.errors import BadInput, NotFound
from serving.matching.signals.names import PAYING_SIGNALS
from training.dataset import PairDataset, build_dataset
from training.splits import Split

METRICS = {"sufficient", "intervals", "n", "top1", "top5", "mrr", "recall_at_20", "ndcg_at_10"}


def test_a_report_has_every_regime_signal_and_genre(trained: Workspace) -> None:
    report = evaluate_version(trained, "v2", Silent())
    assert report["version"] == "v2"
    assert set(report) >= METRICS
    assert set(report["regimes"]) == {"unseen_song", "unseen_playlist", "both_unseen", "later"}
    assert set(report["regimes"]["unseen_song"]["baselines"]) >= {"popularity", "tfidf_nearest", "tfidf_logistic"}
    assert set(report["regimes"]["both_unseen"]["baselines"]) == {"popularity", "tfidf_nearest"}
    assert report["regimes"]["unseen_song"]["embedding"]["n"] == report["regimes"]["unseen_song"]["n"]
    assert report["general_similarity"]["n"] >= 90
    assert report["audit"]["clean"] is True
    assert 0 < len(report["confusions"]) <= 10
    low, high = report["regimes"]["unseen_song"]["intervals"]["mrr"]
    assert low <= report["regimes"]["unseen_song"]["mrr"] <= high
    everywhere, by_text = (report["regimes"][name] for name in ("unseen_song", "unseen_playlist"))
    assert set(everywhere["signals"]) == set(PAYING_SIGNALS)
    assert set(by_text["signals"]) == {"text", "lexical"}
    for regime in (everywhere, by_text):
        assert set(regime["without"]) == set(regime["signals"])
        assert all(each["n"] == regime["n"] for each in regime["without"].values())
    assert set(everywhere["without_tiers"]) == {"vectors", "metadata", "audio"}
    assert everywhere["without_tiers"]["audio"] == everywhere["without"]["acoustic"]
    assert set(by_text["without_tiers"]) == {"vectors", "metadata"}
    assert sum(each["n"] for each in report["genres"].values()) == report["n"]
    assert sum(each["n"] for each in report["regimes"].values()) == report["n"]


def test_the_base_version_is_tested_on_the_dataset_of_the_latest_training(trained: Workspace) -> None:
    old, new = (evaluate_version(trained, name, Silent()) for name in ("v1", "v2"))
    assert {name: each["n"] for name, each in old["regimes"].items()} == {
        name: each["n"] for name, each in new["regimes"].items()
    }


def test_what_is_tested_has_no_part_in_the_profiles(trained: Workspace) -> None:
    """The centroid signal must not know the tested song: with it in its own centroid it would be far better."""
    with trained.database.transaction() as connection:
        version = versions.get(connection, "v2")
    assert version.spec.training is not None
    dataset = PairDataset.load(trained.datasets, version.spec.training.dataset)
    vectors = encode_dataset(trained.load_encoder(version.spec.embedder), dataset, Silent(), label="")
    trained_on: dict[str, int] = {}
    for pair in dataset.select(Split.TRAIN):
        trained_on[pair.playlist_id] = trained_on.get(pair.playlist_id, 0) + 1
    for profile in training_profiles(dataset, vectors, list(dataset.playlists)):
        assert profile.song_count == trained_on.get(profile.playlist.playlist_id, 0)


class Noting:
    """An encoder that notes the texts it is given; all of its vectors are alike."""

    def __init__(self) -> None:
        self.spec = SimpleNamespace(dimensions=2)
        self.texts: list[str] = []

    def songs(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.texts += texts
        return np.ones((len(texts), 2), np.float32)

    playlists = songs


def test_a_version_is_shown_the_test_in_its_own_template(trained: Workspace) -> None:
    with trained.database.transaction() as connection:
        dataset = build_dataset(catalogue.snapshot(connection))
    dated = {name: each.model_copy(update={"release_date": "1987"}) for name, each in dataset.songs.items()}
    dataset = replace(dataset, songs=dated)
    first, own = Noting(), Noting()
    encode_dataset(first, dataset, Silent(), label="", template=1)  # type: ignore[arg-type]
    encode_dataset(own, dataset, Silent(), label="")  # type: ignore[arg-type]
    assert not [text for text in first.texts if "1980s" in text]
    assert len([text for text in own.texts if "1980s" in text]) == len(dated)


def labelled(path: Path, *, playlist_id: str) -> Path:
    records = [
        {"kind": "song", "song_id": "new-1", "title": "Harbour Lights", "description": "A ship leaves at dawn."},
        {"kind": "song", "song_id": "new-2", "title": "Unplaced"},
        {"kind": "playlist", "playlist_id": playlist_id, "name": "Anything", "genre": "folk"},
        {"kind": "membership", "playlist_id": playlist_id, "song_id": "new-1"},
    ]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_a_labelled_file_tells_known_playlists_from_unseen_ones_and_adds_nothing(
    trained: Workspace, tmp_path: Path
) -> None:
    with trained.database.transaction() as connection:
        before = catalogue.counts(connection)
        known = catalogue.snapshot(connection).playlists[0].playlist_id

    on_known = evaluate_file(trained, "v2", labelled(tmp_path / "a.jsonl", playlist_id=known), Silent())
    on_unseen = evaluate_file(trained, "v2", labelled(tmp_path / "b.jsonl", playlist_id="stranger"), Silent())

    assert (on_known["n"], set(on_known["regimes"])) == (1, {"unseen_song"})
    assert on_known["regimes"]["unseen_song"]["candidates"] == before["playlists"]
    assert (on_unseen["n"], set(on_unseen["regimes"])) == (1, {"unseen_playlist"})
    assert on_unseen["regimes"]["unseen_playlist"]["candidates"] == 1
    assert on_unseen["genres"]["folk"]["n"] == 1
    assert list(on_unseen["genres"]) == ["folk"]
    with trained.database.transaction() as connection:
        assert catalogue.counts(connection) == before


def test_a_file_without_a_song_of_a_playlist_is_refused(trained: Workspace, tmp_path: Path) -> None:
    lonely = tmp_path / "lonely.jsonl"
    lonely.write_text('{"kind": "song", "song_id": "x", "title": "X"}\n')
    with pytest.raises(BadInput):
        evaluate_file(trained, "v2", lonely, Silent())


def test_a_version_that_does_not_exist_is_named(trained: Workspace) -> None:
    with pytest.raises(NotFound, match="v7"):
        evaluate_version(trained, "v7", Silent())
