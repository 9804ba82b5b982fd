"""The auditor: whether anything that a model is tested on was trained on.

It believes no label. Sides are dealt anew from the hash, and near-duplicates are looked for anew, so that a dataset
whose test pairs were relabelled is found out as well as one that was built by a faulty rule.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from registry.errors import BadInput
from training.clusters import must_join
from training.pairs import source_weight
from training.splits import UNSEEN_PLAYLISTS, Split, combined, sides

if TYPE_CHECKING:
    from training.dataset import LabelledPair, PairDataset

_NEVER_TRAINED = (Split.DEVELOPMENT, Split.UNSEEN_SONG, Split.BOTH_UNSEEN, Split.LATER)
"""Splits whose songs are never trained on: all but those that keep the playlist alone from training."""


@dataclass(frozen=True)
class Audit:
    """What was found.

    Attributes:
        overlaps: by name, how many songs, playlists or pairs are where they must not be; all 0 in a clean dataset.
        splits: by split, the number of pairs, songs, playlists and clusters.
        untrained: training pairs that are known but not trained on, by the reason: "capped" or "weak_source".
        rejections: hard negatives that users gave.
        same_texts: playlists of the test whose text is that of a playlist that is trained on, as "Chill" may be: no
            overlap, but no proof of anything new either.
    """

    overlaps: Mapping[str, int]
    splits: Mapping[str, Mapping[str, int]]
    untrained: Mapping[str, int]
    rejections: int
    same_texts: int

    @property
    def clean(self) -> bool:
        """Whether nothing that is tested on was trained on."""
        return not any(self.overlaps.values())

    def as_json(self) -> dict[str, Any]:
        """The audit as a JSON object."""
        return {
            "clean": self.clean,
            "overlaps": dict(self.overlaps),
            "splits": {split: dict(counts) for split, counts in self.splits.items()},
            "untrained": dict(self.untrained),
            "rejections": self.rejections,
            "same_texts": self.same_texts,
        }


def audit(dataset: "PairDataset") -> Audit:
    """Look a dataset over; changes nothing and raises nothing."""
    return Audit(
        overlaps=_overlaps(dataset),
        splits=_splits(dataset),
        untrained=_untrained(dataset),
        rejections=len(dataset.rejections),
        same_texts=_same_texts(dataset),
    )


def require_clean(found: Audit) -> None:
    """Raise `BadInput` if anything that is tested on was trained on, with what and how many."""
    if not found.clean:
        wrong = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in found.overlaps.items() if count)
        raise BadInput(
            f"The dataset leaks: {wrong}.",
            "Nothing may be trained on it. Build it again with `autosort retrain`; if that gives the same, it is a "
            "defect of the toolkit: report it with the dataset.",
        )


def _overlaps(dataset: "PairDataset") -> dict[str, int]:
    train = dataset.select(Split.TRAIN)
    trained = {dataset.clusters[pair.song_id] for pair in train}
    playlists = {pair.playlist_id for pair in train}
    songs, lists = sides(dataset.clusters.values(), dataset.playlists, dataset.salt)
    texts = {each: sha256(dataset.song_text(each).encode()).hexdigest() for each in dataset.songs}
    return {
        "test_songs_trained_on": sum(songs[each] is Split.UNSEEN_SONG for each in trained),
        "development_songs_trained_on": sum(songs[each] is Split.DEVELOPMENT for each in trained),
        "later_songs_trained_on": len(trained & _clusters(dataset, Split.LATER)),
        "unseen_playlists_trained_on": sum(lists[each] is Split.UNSEEN_PLAYLIST for each in playlists),
        "development_playlists_trained_on": sum(lists[each] is Split.DEVELOPMENT_PLAYLIST for each in playlists),
        "pairs_in_another_split": sum(not _rightly_placed(dataset, pair, songs, lists) for pair in dataset.pairs),
        "near_duplicates_apart": _apart(dataset, texts),
        "texts_trained_and_tested": _shared_texts(dataset, texts),
        "rejections_that_are_positives": _contradicted(dataset),
    }


def _rightly_placed(
    dataset: "PairDataset", pair: "LabelledPair", songs: Mapping[str, Split], playlists: Mapping[str, Split]
) -> bool:
    """Whether a pair's split is what its sides make it, the song being one of the newest or not."""
    playlist, song = playlists[pair.playlist_id], songs[dataset.clusters[pair.song_id]]
    return pair.split is combined(playlist, song) or pair.split is combined(playlist, song, later=True)


def _apart(dataset: "PairDataset", texts: Mapping[str, str]) -> int:
    """Songs that are near-duplicates and not in one cluster."""
    joined = must_join(dataset.songs.values(), lambda song: texts[song.song_id])
    return sum(dataset.clusters[one] != dataset.clusters[other] for one, other in joined)


def _shared_texts(dataset: "PairDataset", texts: Mapping[str, str]) -> int:
    """Texts that are trained on and are also those of songs which must not be."""
    kept = {texts[pair.song_id] for pair in dataset.pairs if pair.split in _NEVER_TRAINED}
    return len(kept & {texts[pair.song_id] for pair in dataset.select(Split.TRAIN)})


def _contradicted(dataset: "PairDataset") -> int:
    """Rejections of songs that the playlist holds a near-duplicate of."""
    rejected = {(each.playlist_id, dataset.clusters[each.song_id]) for each in dataset.rejections}
    if not rejected:
        return 0
    return len(rejected & {(pair.playlist_id, dataset.clusters[pair.song_id]) for pair in dataset.pairs})


def _clusters(dataset: "PairDataset", split: Split) -> set[str]:
    return {dataset.clusters[pair.song_id] for pair in dataset.select(split)}


def _splits(dataset: "PairDataset") -> dict[str, dict[str, int]]:
    by_split: dict[Split, list[LabelledPair]] = defaultdict(list)
    for pair in dataset.pairs:
        by_split[pair.split].append(pair)
    return {
        split.value: {
            "pairs": len(pairs),
            "songs": len({pair.song_id for pair in pairs}),
            "playlists": len({pair.playlist_id for pair in pairs}),
            "clusters": len({dataset.clusters[pair.song_id] for pair in pairs}),
        }
        for split, pairs in sorted(by_split.items())
    }


def _untrained(dataset: "PairDataset") -> dict[str, int]:
    described = {each.playlist_id for each in dataset.playlists.values() if each.description}
    unused = [pair for pair in dataset.select(Split.TRAIN) if pair.weight == 0]
    weak = sum(source_weight(pair.source, described=pair.playlist_id in described) == 0 for pair in unused)
    return {"capped": len(unused) - weak, "weak_source": weak}


def _same_texts(dataset: "PairDataset") -> int:
    trained = {dataset.playlist_text(pair.playlist_id) for pair in dataset.select(Split.TRAIN)}
    tested = {pair.playlist_id for pair in dataset.pairs if pair.split in UNSEEN_PLAYLISTS}
    return sum(dataset.playlist_text(each) in trained for each in tested)
