"""A version that matches as retraining makes them, by the bundled model, and libraries for it to match in."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from lifecycle.dataset_vectors import encode_dataset, profile_of
from lifecycle.fusion import fuse
from lifecycle.progress import Silent
from lifecycle.sample.library import generate_library
from registry.records import CatalogueSnapshot, Playlist, Song
from registry.texts import CURRENT_TEMPLATE, render_playlist, render_song
from registry.vectors.records import StoredProfile
from registry.versions import LearnedWeights, MatchSpec
from serving.inference.encoder import Encoder
from serving.inference.lazily import Lazily
from serving.inference.reranker import PairReader
from serving.matching import matcher
from serving.matching.index import PlaylistIndex
from serving.matching.matcher import Answering, Recorded
from serving.settings import ALL_TIERS, Tier
from training.dataset import build_dataset

LEARNED = LearnedWeights(
    known={
        "text": 0.3,
        "centroid": 1.0,
        "nearest": 1.0,
        "lexical": 0.8,
        "artist": 0.5,
        "album": 0.2,
        "genre": 0.6,
        "language": 0.2,
        "era": 0.8,
        "acoustic": 2.5,
    },
    by_text={"text": 2.0, "lexical": 0.1},
    by_text_offset=2.0,
    type_influence=0.5,
)
"""About what larger libraries teach."""

Held = Mapping[str, Sequence[Song]]
"""Songs by the name of the playlist that holds them."""


@dataclass(frozen=True)
class SmallWorld:
    """An encoder, and how a version that was retrained on a small sample library matches with it.

    Attributes:
        spec: by heuristic weights; it knows when none fits.
    """

    encoder: Encoder
    spec: MatchSpec

    @classmethod
    def of(cls, encoder: Encoder) -> "SmallWorld":
        made = generate_library(300)
        snapshot = CatalogueSnapshot(made.songs, made.playlists, made.memberships, made.feedback)
        dataset = build_dataset(snapshot)
        matching = fuse(dataset, encode_dataset(encoder, dataset, Silent(), label="")).matching
        assert matching.learned is None
        assert matching.belonging is not None
        return cls(encoder, matching)

    @property
    def learned(self) -> MatchSpec:
        """On the same scales, by learned weights."""
        return self.spec.model_copy(update={"learned": LEARNED, "belonging": None})

    def answering(
        self,
        held: Held,
        spec: MatchSpec | None = None,
        *,
        descriptions: Mapping[str, str] | None = None,
        tiers: Collection[Tier] = ALL_TIERS,
        reranker: PairReader | None = None,
    ) -> Answering:
        """The version with a library; a playlist's id is its name."""
        spec = spec or self.spec
        about = descriptions or {}
        index = PlaylistIndex.build(
            [self.profile(name, songs, about.get(name)) for name, songs in held.items()], spec, 384, tiers=tiers
        )
        fields = {"matching": spec, "text_template": CURRENT_TEMPLATE, "reranker": None}
        version: Any = SimpleNamespace(version="v2", spec=SimpleNamespace(**fields))
        loaded: Lazily[PairReader] | None = None
        if reranker is not None:
            loaded = Lazily("The reranker of v2", lambda: reranker)
            loaded.wait()
        return Answering(1, version, lambda: self.encoder, index, 0, loaded)

    def profile(self, name: str, songs: Sequence[Song] = (), description: str | None = None) -> StoredProfile:
        """A playlist as the version knows it."""
        playlist = Playlist(playlist_id=name, name=name, description=description)
        (text,) = self.encoder.playlists([render_playlist(playlist)])
        vectors = self.encoder.songs([render_song(song) for song in songs]) if songs else ()
        known = {song.song_id: vector for song, vector in zip(songs, vectors, strict=True)}
        return profile_of(StoredProfile(playlist, np.asarray(text), None, 0, {}), songs, known)


def matched(answering: Answering, song: Song, holders: Collection[str] = (), top_k: int = 50) -> dict[str, Any]:
    """What comes of one song; `holders` are the playlists that it is in."""
    (found,) = matcher.match(answering, [song], Recorded({}, {song.song_id: set(holders)}), top_k=top_k)
    return found


def order(found: Mapping[str, Any]) -> list[str]:
    """The names of the playlists, the best first."""
    return [match["name"] for match in found["matches"]]
