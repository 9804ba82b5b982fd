"""A made-up catalogue and vectors for it, of any size: for what is measured beyond what can be encoded here.

The vectors are Gaussian clusters, shaped like real ones: a common direction; 1,000 clusters; half of the variance
between them and half within, along directions whose variances fall as 1/i. At 100,000 songs of 384 dimensions a song's
nearest neighbour has a mean cosine of 0.84, its twentieth of 0.79, any two songs of 0.49; the intrinsic dimension is 22
(maximum likelihood, 20 neighbours). The figures of 4,000 descriptions of MusicCaps in the bundled model are 0.83, 0.74,
0.48 and 15.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from registry import versions
from registry.database import Connection, Database
from registry.records import Playlist
from registry.texts import CURRENT_TEMPLATE, content_hash, render_playlist
from registry.vectors.records import FreshProfile
from registry.vectors.vector_set import VectorSet
from registry.versions import EmbedderSpec, MatchSpec, ModelSpec, ModelVersion, Scale, SignalWeights

Matrix = npt.NDArray[np.float32]

CLUSTERS = 1_000
COMMON = 0.69
WITHIN = 0.5
PAGE = 10_000


@dataclass(frozen=True)
class Clusters:
    """Where the vectors lie: the clusters' middles, shape (CLUSTERS, d), and the spread within one, shape (d,)."""

    middles: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]

    @classmethod
    def scatter(cls, dimensions: int, seed: int = 0) -> "Clusters":
        """Clusters that depend on nothing but these numbers."""
        variances = 1 / np.arange(1, dimensions + 1)
        spread = np.sqrt(variances / variances.sum() * (1 - COMMON**2))
        middles = np.random.default_rng(seed).normal(size=(CLUSTERS, dimensions)) * spread * np.sqrt(1 - WITHIN)
        middles[:, -1] += COMMON
        return cls(middles, spread * np.sqrt(WITHIN))

    def draw(self, count: int, seed: int, *, spread: float = 1.0) -> Matrix:
        """Unit vectors, shape (count, d), each from some cluster, `spread` times as far out as songs."""
        random = np.random.default_rng((seed, count))
        middles = self.middles[random.integers(CLUSTERS, size=count)]
        drawn = middles + random.normal(size=middles.shape) * self.spread * spread
        return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


def add_songs(connection: Connection, count: int, genres: dict[str, float]) -> None:
    """Fill the catalogue by COPY; genres by the share of songs that have them, spread evenly over the ids."""
    names, shares = list(genres), list(genres.values())
    chosen = np.random.default_rng(0).choice(len(names), size=count, p=shares)
    with connection.cursor().copy("COPY songs (song_id, title, artist, genre, language) FROM STDIN") as copy:
        for number in range(count):
            copy.write_row((_song_id(number), f"Song {number}", f"Artist {number % 997}", names[chosen[number]], "en"))
    with connection.cursor().copy(
        "COPY song_texts (template, song_id, content_hash) FROM STDIN (FORMAT BINARY)"
    ) as copy:
        copy.set_types(["int2", "text", "bytea"])
        for number in range(count):
            copy.write_row((CURRENT_TEMPLATE, _song_id(number), sha256(_song_id(number).encode()).digest()))


def add_playlists(connection: Connection, count: int) -> None:
    """Add playlists without songs."""
    with connection.cursor().copy("COPY playlists (playlist_id, name) FROM STDIN") as copy:
        for number in range(count):
            copy.write_row((f"playlist-{number:05}", f"Playlist {number}"))


def add_version(connection: Connection, dimensions: int, recipe: str, artifact: str = "a" * 64) -> ModelVersion:
    """Register a version without a model, unless an artifact is named."""
    embedder = EmbedderSpec(
        artifact=artifact, base_model="made-up", base_revision="1", dimensions=dimensions, max_length=256
    )
    matching = MatchSpec(
        weights={"default": SignalWeights(semantic=0.7, acoustic=0.3)},
        signals={"text": Scale(mean=0.1, spread=0.2)},
        features={"energy": Scale(mean=0.6, spread=0.2)},
    )
    spec = ModelSpec(embedder=embedder, text_template=CURRENT_TEMPLATE, matching=matching)
    return versions.register(connection, spec, recipe=recipe, actor="benchmark")


def load_songs(database: Database, vectors: VectorSet, clusters: Clusters) -> Iterator[int]:
    """Write the vectors of all songs, page by page, each in a transaction of its own; gives how many after each."""
    after, done = "", 0
    while True:
        with database.transaction() as connection:
            pending = vectors.pending_songs(connection, after=after, limit=PAGE)
            if not pending:
                return
            vectors.write_songs(connection, pending, clusters.draw(len(pending), seed=done))
        after, done = pending[-1].song.song_id, done + len(pending)
        yield done


def load_playlists(database: Database, vectors: VectorSet, embeddings: Matrix) -> None:
    """Write playlists' text vectors, one for each row of `embeddings`."""
    with database.transaction() as connection:
        pending = vectors.pending_playlists(connection, limit=len(embeddings))
        fresh = [
            FreshProfile(each.playlist.playlist_id, each.revision, _text_hash(each.playlist), embedding)
            for each, embedding in zip(pending, embeddings, strict=True)
        ]
        vectors.write_profiles(connection, fresh)


def _song_id(number: int) -> str:
    return f"song-{number:08}"


def _text_hash(playlist: Playlist) -> bytes:
    return content_hash(render_playlist(playlist))
