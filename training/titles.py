"""Titles that say nothing: playlists whose own text tells no more about their songs than about any others.

"My favourites" and "new playlist 7" teach a model to put unrelated songs together. They are found by measurement, not
by a list of words: the base model finds the playlist's songs neither by its text nor by one another, and they do not
sound alike either. The text alone would not do: of a style that the base model has no word for, it may know the songs
by each other, or only their sound tells, and such a title must be learned, not dropped.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt

from registry.records import ACOUSTIC_FEATURES, Song
from training.dataset import PairDataset
from training.development import Encode
from training.examples import Prompts
from training.splits import Split

Similarities = npt.NDArray[np.float32]
Vectors = npt.NDArray[np.float32]

MINIMUM_SONGS = 5
"""A playlist with fewer training songs cannot be judged and stays."""

_BACKGROUND = 500
_OWN = 100
_SAYS_NOTHING = 0.65
_CONFIDENCE = 1.645  # one-sided 95 %


@dataclass(frozen=True)
class SilentTitle:
    """A playlist whose text says nothing of its songs.

    Attributes:
        informativeness: the chance that a song of its own is nearer to its text than one of another playlist (the area
            under the ROC curve): 0.5 says nothing, 1 everything.
        coherence: the same chance for the mean of its other songs instead of its text.
        sound: the same for the mean of their audio features; None where too few of its songs have any.
    """

    playlist_id: str
    name: str
    informativeness: float
    coherence: float
    sound: float | None

    def as_json(self) -> dict[str, Any]:
        """The finding as a JSON object."""
        return asdict(self)


def find_silent_titles(dataset: PairDataset, encode: Encode, prompts: Prompts) -> list[SilentTitle]:
    """Training playlists whose text says nothing of their songs, by id.

    A playlist counts as silent where of all three chances even the upper end of a one-sided 95 % interval stays under
    0.65 (standard error after Hanley and McNeil, "The meaning and use of the area under a ROC curve", 1982). Up to 100
    songs of each playlist are looked at, against up to 500 of others; a dozen is the least that can show it.

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
    sounds = _sounds(dataset, songs)
    found = []
    for (playlist_id, held), title in zip(judged.items(), titles, strict=True):
        others = sorted(set(background).difference(members[playlist_id]))
        if not others:
            continue
        near, far = (np.array([vectors[each] for each in group]) for group in (held, others))
        told, coherent = _Chance.of(near @ title, far @ title), _coherence(near, far)
        sound = _likeness(sounds, held, others)
        if all(each.surely_little for each in (told, coherent, sound) if each):
            name = dataset.playlists[playlist_id].name
            figures = (round(told.area, 4), round(coherent.area, 4), round(sound.area, 4) if sound else None)
            found.append(SilentTitle(playlist_id, name, *figures))
    return found


@dataclass(frozen=True)
class _Chance:
    """That something of one's own is nearer than something of others, with the upper end of its interval."""

    area: float
    upper: float

    @classmethod
    def of(cls, near: Similarities, far: Similarities) -> "_Chance":
        area = _area(near, far)
        return cls(area, area + _CONFIDENCE * _standard_error(area, len(near), len(far)))

    @property
    def surely_little(self) -> bool:
        return self.upper < _SAYS_NOTHING


def _coherence(near: Vectors, far: Vectors) -> _Chance:
    """How well the songs of a playlist tell one another: each is compared with the mean of the others."""
    total = near.sum(axis=0)
    others = total - near
    lengths = np.maximum(np.linalg.norm(others, axis=1), 1e-9)
    return _Chance.of(np.sum(near * others, axis=1) / lengths, far @ total / max(float(np.linalg.norm(total)), 1e-9))


def _sounds(dataset: PairDataset, song_ids: Sequence[str]) -> dict[str, Vectors]:
    """Audio features in standard deviations, by song; unknown ones are average. A song that has none is left out."""
    known = [each for each in song_ids if _has_sound(dataset.songs[each])]
    table = np.array(
        [[getattr(dataset.songs[each].audio_features, name) for name in ACOUSTIC_FEATURES] for each in known], float
    )
    if not known:
        return {}
    missing = np.isnan(table)
    counts = np.maximum((~missing).sum(axis=0), 1)
    centred = np.where(missing, 0.0, table - np.where(missing, 0.0, table).sum(axis=0) / counts)
    spread = np.sqrt((centred**2).sum(axis=0) / counts)
    return dict(zip(known, (centred / np.where(spread > 0, spread, 1.0)).astype(np.float32), strict=True))


def _has_sound(song: Song) -> bool:
    return any(getattr(song.audio_features, name) is not None for name in ACOUSTIC_FEATURES)


def _likeness(sounds: Mapping[str, Vectors], held: Sequence[str], others: Sequence[str]) -> "_Chance | None":
    """How well the sound of a playlist's songs tells one from others, each compared with the mean of the rest."""
    near, far = (np.array([sounds[each] for each in group if each in sounds]) for group in (held, others))
    if len(near) < MINIMUM_SONGS or not len(far):
        return None
    total = near.sum(axis=0)
    apart = np.abs(near - (total - near) / (len(near) - 1)).mean(axis=1)
    return _Chance.of(-apart, -np.abs(far - total / len(near)).mean(axis=1))


def _members(dataset: PairDataset) -> dict[str, list[str]]:
    """The training songs of each playlist, in an order that means nothing."""
    members: dict[str, list[str]] = defaultdict(list)
    for pair in dataset.select(Split.TRAIN):
        members[pair.playlist_id].append(pair.song_id)
    return {name: sorted(held, key=_drawn) for name, held in sorted(members.items())}


def _drawn(song_id: str) -> bytes:
    """A repeatable order that means nothing."""
    return sha256(song_id.encode()).digest()


def _area(near: Similarities, far: Similarities) -> float:
    ordered = np.sort(far)
    below, up_to = (np.searchsorted(ordered, near, side) for side in ("left", "right"))
    return float(np.mean((below + up_to) / 2 / len(far)))


def _standard_error(area: float, near: int, far: int) -> float:
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (near - 1) * (one - area**2) + (far - 1) * (two - area**2)
    return float(np.sqrt(max(spread, 0.0) / (near * far)))
