"""The development regimes: what checkpoints and interpolations are chosen by, and never trained on."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from statistics import fmean

import numpy as np
import numpy.typing as npt

from training.dataset import PairDataset
from training.examples import Prompts
from training.metrics import Scores, evaluate_ranking
from training.queries import Query, cluster_queries
from training.scoring import text_and_centroid
from training.splits import Split
from training.statistics import MINIMUM_QUERIES

Vectors = npt.NDArray[np.float32]
Encode = Callable[[Sequence[str]], Vectors]
"""Unit vectors of texts, shape (texts, dimensions)."""

_QUERIES = 1000
_PLAYLISTS = 1000
_CENTROID_SONGS = 1500
_UNSEEN = 3
"""Among fewer playlists than these a rank says next to nothing."""


@dataclass(frozen=True)
class Measured:
    """What a model does on the development regimes.

    Attributes:
        mrr: mean reciprocal rank by regime.
        queries: by regime, how many songs asked.
    """

    mrr: Mapping[str, float]
    queries: Mapping[str, int]

    @property
    def mean(self) -> float:
        """Over the regimes with enough queries, each counting the same; over all of them if none has enough."""
        enough = [name for name, count in self.queries.items() if count >= MINIMUM_QUERIES]
        return fmean(self.mrr[name] for name in enough or self.mrr) if self.mrr else 0.0

    def as_json(self) -> dict[str, float]:
        """The figures by name: of each regime "<regime>_mrr" and "<regime>_n", and "development_mean"."""
        figures = {f"{name}_mrr": round(value, 4) for name, value in self.mrr.items()}
        counts = {f"{name}_n": float(count) for name, count in self.queries.items()}
        return {**figures, **counts, "development_mean": round(self.mean, 4)}


class Development:
    """The development regimes of a dataset.

    Unseen songs are ranked among the trained playlists by text and centroid; the songs of unseen playlists among
    these by text alone, as the test does it, and where these are fewer than three among the trained ones too. Large
    datasets are sampled, repeatably: 1,000 queries a regime, 1,000 playlists, 1,500 songs for the centroids.
    """

    def __init__(self, dataset: PairDataset, prompts: Prompts) -> None:
        self._dataset = dataset
        self._prompts = prompts
        self._songs = _drawn(cluster_queries(dataset, Split.DEVELOPMENT), _QUERIES)
        self._strangers = _drawn(cluster_queries(dataset, Split.DEVELOPMENT_PLAYLIST), _QUERIES)
        members: dict[str, list[str]] = defaultdict(list)
        for pair in dataset.select(Split.TRAIN):
            members[pair.playlist_id].append(pair.song_id)
        self._known = _kept(sorted(members), {each for query in self._songs for each in query.playlist_ids})
        self._unseen = sorted({each for query in self._strangers for each in query.playlist_ids})
        if len(self._unseen) < _UNSEEN:
            self._unseen += self._known
        each = max(1, _CENTROID_SONGS // max(1, len(self._known)))
        self._members = {name: sorted(members[name], key=_order)[:each] for name in self._known}

    def __bool__(self) -> bool:
        """Whether there is anything to measure."""
        return bool(self._songs or self._strangers)

    def measure(self, encode: Encode) -> Measured:
        """Rank by the vectors that a model makes."""
        mrr, queries = {}, {}
        if self._songs:
            known = self._encode_playlists(encode, self._known)
            asked = self._encode_songs(encode, [query.song_id for query in self._songs])
            scores = text_and_centroid(asked, known, self._centroids(encode))
            mrr["development"] = _mrr(scores, self._songs, self._known)
            queries["development"] = len(self._songs)
        if self._strangers:
            asked = self._encode_songs(encode, [query.song_id for query in self._strangers])
            scores = asked @ self._encode_playlists(encode, self._unseen).T
            mrr["development_playlist"] = _mrr(scores, self._strangers, self._unseen)
            queries["development_playlist"] = len(self._strangers)
        return Measured(mrr, queries)

    def _centroids(self, encode: Encode) -> Vectors:
        """Unit vectors, shape (playlists, dimensions); NaN for a playlist of which no song is trained on."""
        songs = sorted({each for held in self._members.values() for each in held})
        vectors = dict(zip(songs, self._encode_songs(encode, songs), strict=True))
        nothing = np.full_like(next(iter(vectors.values())), np.nan)
        held = [[vectors[each] for each in self._members[name]] for name in self._known]
        means = np.stack([np.mean(each, axis=0) if each else nothing for each in held])
        return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), np.float32)

    def _encode_songs(self, encode: Encode, song_ids: Sequence[str]) -> Vectors:
        return encode([self._prompts.song + self._dataset.song_text(each) for each in song_ids])

    def _encode_playlists(self, encode: Encode, playlist_ids: Sequence[str]) -> Vectors:
        return encode([self._prompts.playlist + self._dataset.playlist_text(each) for each in playlist_ids])


def _mrr(scores: Scores, queries: Sequence[Query], playlist_ids: Sequence[str]) -> float:
    relevant = np.array([[each in query.playlist_ids for each in playlist_ids] for query in queries])
    return evaluate_ranking(scores, relevant).mrr


def _drawn(queries: Sequence[Query], size: int) -> list[Query]:
    return sorted(queries, key=lambda query: _order(query.song_id))[:size]


def _kept(playlist_ids: Sequence[str], needed: set[str]) -> list[str]:
    """All that are asked for, and others to make up the number."""
    others = sorted((each for each in playlist_ids if each not in needed), key=_order)
    return sorted(needed) + others[: max(0, _PLAYLISTS - len(needed))]


def _order(key: str) -> bytes:
    """A repeatable order that means nothing."""
    return sha256(key.encode()).digest()
