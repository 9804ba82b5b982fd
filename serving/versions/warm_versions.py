"""Versions held in memory, whole and ready: a move of the pointer, or a pinned request, then loads nothing."""

import threading
from collections import defaultdict
from collections.abc import Callable, Collection
from functools import partial

from registry.database import Database
from registry.versions import EmbedderSpec, ModelVersion
from serving.inference.emotions import EmotionReader
from serving.inference.lazily import Lazily
from serving.inference.reranker import PairReader
from serving.inference.served import TextEncoder
from serving.matching.matcher import Answering
from serving.settings import ALL_TIERS, Tier

LoadEncoder = Callable[[EmbedderSpec], TextEncoder]
RerankerOf = Callable[[ModelVersion], "Lazily[PairReader] | None"]
"""Gives a version's reranker, which need not be loaded yet; None for a version without one."""
EmotionsOf = Callable[[ModelVersion], Callable[[], EmotionReader] | None]
"""Gives what gives a version's emotion model, or waits for it; None for a version that matches by no emotions."""


class WarmVersions:
    """Each version's encoder and playlists. Threads may share it; of two that want the same version one loads it."""

    def __init__(
        self,
        database: Database,
        load_encoder: LoadEncoder,
        reranker_of: RerankerOf = lambda _: None,
        tiers: Collection[Tier] = ALL_TIERS,
        emotions_of: EmotionsOf = lambda _: None,
    ) -> None:
        self._database = database
        self._load_encoder = load_encoder
        self._reranker_of = reranker_of if "deep" in tiers else lambda _: None
        self._emotions_of = emotions_of if "deep" in tiers else lambda _: None
        self._tiers = tiers
        self._held: dict[str, Answering] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    @property
    def names(self) -> tuple[str, ...]:
        """The versions that are held."""
        return tuple(sorted(self._held))

    @property
    def held(self) -> list[Answering]:
        """The versions that are held, by name."""
        return [each for _, each in sorted(self._held.items())]

    def find(self, name: str) -> Answering | None:
        """A version that is held."""
        return self._held.get(name)

    def bring(self, version: ModelVersion, profiles_revision: int) -> Answering:
        """A version with its playlists as of a revision, or later; what is not held of it is loaded.

        Raises:
            ArtifactError: its model is missing, unsafe or changed.
            NotFound: it has no whole set of vectors.
        """
        with self._locks[version.version]:
            held = self._held.get(version.version)
            if held is None or held.profiles_revision != profiles_revision:
                # Bound to the encoder itself: an answer keeps it alive to its end, whatever is dropped here meanwhile.
                encoder = held.encoder if held else partial(_same, self._encoder(version))
                reranker = held.reranker if held else self._reranker_of(version)
                emotions = held.emotions if held else self._emotions_of(version)
                with self._database.transaction() as connection:
                    held = Answering.load(
                        connection, version, 0, encoder, reranker, held, emotions=emotions, tiers=self._tiers
                    )
                self._held[version.version] = held
            return held

    def keep(self, names: Collection[str]) -> None:
        """Drop all other versions; answers that are on their way keep theirs to their end, then its memory is free."""
        for name in set(self._held) - set(names):
            self._held.pop(name, None)

    def _encoder(self, version: ModelVersion) -> TextEncoder:
        """The version's encoder; of two versions with the same model, the one that is loaded."""
        for held in tuple(self._held.values()):
            if held.version.spec.embedder == version.spec.embedder:
                return held.encoder()
        return self._load_encoder(version.spec.embedder)


def _same(encoder: TextEncoder) -> TextEncoder:
    return encoder
