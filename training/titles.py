"""Titles that say nothing: playlists whose own text tells no more about their songs than about any others.

"My favourites" and "new playlist 7" teach a model to put unrelated songs together. They are found by measurement, not
by a list of words: how often the base model puts a song of the playlist nearer to its text than a song of another.
"""

from collections import defaultdict
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt

from training.dataset import PairDataset
from training.development import Encode
from training.examples import Prompts
from training.splits import Split

MINIMUM_SONGS = 5
"""A playlist with fewer training songs cannot be judged and stays."""

_BACKGROUND = 500
_OWN = 30
_SAYS_NOTHING = 0.55
_CONFIDENCE = 1.645  # one-sided 95 %


@dataclass(frozen=True)
class SilentTitle:
    """A playlist whose text says nothing of its songs.

    Attributes:
        informativeness: the chance that a song of its own is nearer to its text than one of another playlist (the area
            under the ROC curve): 0.5 says nothing, 1 everything.
    """

    playlist_id: str
    name: str
    informativeness: float

    def as_json(self) -> dict[str, Any]:
        """The finding as a JSON object."""
        return asdict(self)


def find_silent_titles(dataset: PairDataset, encode: Encode, prompts: Prompts) -> list[SilentTitle]:
    """Training playlists whose text says nothing of their songs, by id.

    A playlist counts as silent where even the upper end of a one-sided 95 % interval stays under 0.55 (standard error
    after Hanley and McNeil, "The meaning and use of the area under a ROC curve", 1982). Up to 30 songs of each
    playlist are looked at, against up to 500 of others.

    Args:
        encode: the base model's.
    """
    members = _members(dataset)
    judged = {name: held[:_OWN] for name, held in members.items() if len(held) >= MINIMUM_SONGS}
    everyone = sorted({each for held in members.values() for each in held}, key=_drawn)
    background = everyone[:_BACKGROUND]
    songs = sorted({*background, *(each for held in judged.values() for each in held)})
    if not judged:
        return []
    vectors = dict(zip(songs, encode([prompts.song + dataset.song_text(each) for each in songs]), strict=True))
    titles = encode([prompts.playlist + dataset.playlist_text(each) for each in judged])
    found = []
    for (playlist_id, held), title in zip(judged.items(), titles, strict=True):
        own = set(members[playlist_id])
        near, far = ([vectors[each] @ title for each in group] for group in (held, set(background) - own))
        informativeness = _silence(np.array(near), np.array(far))
        if informativeness is not None:
            found.append(SilentTitle(playlist_id, dataset.playlists[playlist_id].name, informativeness))
    return found


def _members(dataset: PairDataset) -> dict[str, list[str]]:
    """The training songs of each playlist, in an order that means nothing."""
    members: dict[str, list[str]] = defaultdict(list)
    for pair in dataset.select(Split.TRAIN):
        members[pair.playlist_id].append(pair.song_id)
    return {name: sorted(held, key=_drawn) for name, held in sorted(members.items())}


def _silence(near: npt.NDArray[np.float32], far: npt.NDArray[np.float32]) -> float | None:
    """How much a text tells its own songs from others, if that is surely next to nothing."""
    if not len(far):
        return None
    area = _area(near, far)
    upper = area + _CONFIDENCE * _standard_error(area, len(near), len(far))
    return round(area, 4) if upper < _SAYS_NOTHING else None


def _drawn(song_id: str) -> bytes:
    """A repeatable order that means nothing."""
    return sha256(song_id.encode()).digest()


def _area(near: npt.NDArray[np.float32], far: npt.NDArray[np.float32]) -> float:
    ordered = np.sort(far)
    below, up_to = (np.searchsorted(ordered, near, side) for side in ("left", "right"))
    return float(np.mean((below + up_to) / 2 / len(far)))


def _standard_error(area: float, near: int, far: int) -> float:
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (near - 1) * (one - area**2) + (far - 1) * (two - area**2)
    return float(np.sqrt(max(spread, 0.0) / (near * far)))
