"""What is asked of a model in a test: one query for each cluster of songs, whatever number of recordings it has."""

from collections import defaultdict
from dataclasses import dataclass

from training.dataset import LabelledPair, PairDataset
from training.splits import Split

UNKNOWN_GENRE = "unknown"


@dataclass(frozen=True, slots=True)
class Query:
    """A song, and the playlists of its regime that hold it.

    Attributes:
        song_id: the smallest of the recordings that stand in the split.
        playlist_ids: all that hold any recording of the song.
        genre: of the first of these playlists, or "unknown".
        group: that playlist's id; queries of one group are not independent of one another.
    """

    song_id: str
    playlist_ids: frozenset[str]
    genre: str
    group: str


def cluster_queries(dataset: PairDataset, split: Split) -> list[Query]:
    """The queries of a split, by song id.

    A cluster that only weak sources place (all its pairs have weight 0) is not asked for.
    """
    by_cluster: dict[str, list[LabelledPair]] = defaultdict(list)
    for pair in dataset.select(split):
        by_cluster[dataset.clusters[pair.song_id]].append(pair)
    asked = [_query(dataset, pairs) for pairs in by_cluster.values() if any(pair.weight > 0 for pair in pairs)]
    return sorted(asked, key=lambda query: query.song_id)


def _query(dataset: PairDataset, pairs: list[LabelledPair]) -> Query:
    first = min(pair.playlist_id for pair in pairs)
    return Query(
        song_id=min(pair.song_id for pair in pairs),
        playlist_ids=frozenset(pair.playlist_id for pair in pairs),
        genre=dataset.playlists[first].genre or UNKNOWN_GENRE,
        group=first,
    )
