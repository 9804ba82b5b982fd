"""Why a song was matched with a playlist, in words: the signals that spoke for it most, and what they are about."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry.records import Song
from registry.versions import EMOTION
from serving.matching.index import PlaylistIndex
from serving.matching.signals.asked import AskedSongs
from serving.matching.signals.emotional import EmotionSignal
from serving.matching.signals.facts import YEARS_APART, FactSignal, year_of
from serving.matching.signals.lexical import LexicalSignal
from serving.matching.signals.semantic import NearestSignal
from serving.matching.signals.sound import SoundSignal

_REASONS = 3
_WORTH_TELLING = 0.15
"""Of the greatest share, what another must reach to be told too."""

_WORDS = 3


@dataclass(frozen=True)
class Explanation:
    """The songs of the playlist that are most like the song, the nearest first, with their cosine; and a sentence."""

    nearest: Sequence[tuple[Song, float]]
    why: str

    def as_json(self) -> dict[str, Any]:
        """The fields that a match is told with."""
        return {
            "nearest_songs": [
                {"song_id": song.song_id, "title": song.title, "artist": song.artist, "similarity": round(cosine, 4)}
                for song, cosine in self.nearest
            ],
            "why": self.why,
        }


def explain(asked: AskedSongs, index: PlaylistIndex, playlist: int, shares: Mapping[str, float]) -> Explanation:
    """Why one song was matched with one playlist.

    Args:
        asked: that song alone.
        playlist: row of the playlist in the index.
        shares: of the score, by signal.
    """
    signal = index.signals.get("nearest")
    nearest = signal.nearest(asked, playlist)[0] if isinstance(signal, NearestSignal) else []
    reasons = []
    for name in _telling(shares):
        told = _REASON[name](asked, index, playlist, nearest)
        if told:
            reasons.append(told)
    against = _against(shares)
    if not reasons:
        why = "Nothing speaks for it much."
    else:
        why = f"{_sentence(reasons)}{f', though {against}' if against else ''}."
    return Explanation(nearest, why[0].upper() + why[1:])


def _telling(shares: Mapping[str, float]) -> list[str]:
    """The signals that speak for the match, most first: those that are worth telling."""
    positive = sorted(
        (name for name, share in shares.items() if share > 0 and name in _REASON), key=lambda n: -shares[n]
    )
    return [name for name in positive[:_REASONS] if shares[name] >= _WORTH_TELLING * shares[positive[0]]]


def _against(shares: Mapping[str, float]) -> str:
    """What speaks against it as much as anything speaks for it."""
    worst = min((name for name in shares if name in _AGAINST), key=lambda name: shares[name], default=None)
    if worst is None or -shares[worst] < _WORTH_TELLING * max(shares.values()) or shares[worst] >= 0:
        return ""
    return _AGAINST[worst]


def _sentence(reasons: Sequence[str]) -> str:
    return reasons[0] if len(reasons) == 1 else f"{', '.join(reasons[:-1])} and {reasons[-1]}"


Nearest = Sequence[tuple[Song, float]]
Reason = Callable[[AskedSongs, PlaylistIndex, int, Nearest], str]
"""Of one song that is asked for."""


def _by_nearest(_asked: AskedSongs, _index: PlaylistIndex, _playlist: int, nearest: Nearest) -> str:
    titles = " and ".join(f"\u201c{song.title}\u201d" for song, _ in nearest[:2])
    return f"it is close to {titles}" if titles else ""


def _by_fact(kind: str, wording: str) -> Reason:
    def reason(asked: AskedSongs, index: PlaylistIndex, playlist: int, _nearest: Nearest) -> str:
        signal, song = index.signals[kind], asked.songs[0]
        if not isinstance(signal, FactSignal):
            return ""
        value, count = signal.most_telling(song, playlist)
        count -= _holds(index, playlist, song)
        if count <= 0:
            return ""
        songs, are = ("song", "is") if count == 1 else ("songs", "are")
        return wording.format(value=value, count=count, songs=songs, are=are)

    return reason


def _by_words(asked: AskedSongs, index: PlaylistIndex, playlist: int, _nearest: Nearest) -> str:
    signal = index.signals["lexical"]
    words = signal.shared_words(asked.songs[0], playlist)[:_WORDS] if isinstance(signal, LexicalSignal) else []
    return f"they share words ({', '.join(words)})" if words else ""


def _by_sound(asked: AskedSongs, index: PlaylistIndex, playlist: int, _nearest: Nearest) -> str:
    signal = index.signals["acoustic"]
    if not isinstance(signal, SoundSignal):
        return "it sounds alike"
    features = signal.most_alike(asked.songs[0], playlist)[:2]
    return f"it sounds alike ({', '.join(features)})" if features else ""


def _by_years(asked: AskedSongs, index: PlaylistIndex, playlist: int, _nearest: Nearest) -> str:
    song = asked.songs[0]
    year = year_of(song)
    known = [year_of(member.song) for member in index.profiles[playlist].members]
    count = sum(year is not None and each is not None and abs(each - year) <= YEARS_APART for each in known)
    count -= _holds(index, playlist, song)
    return f"{count} of its songs {'is' if count == 1 else 'are'} of the years around {year}" if count > 0 else ""


def _by_emotions(asked: AskedSongs, index: PlaylistIndex, playlist: int, _nearest: Nearest) -> str:
    signal = index.signals[EMOTION]
    shared = signal.shared(asked, playlist) if isinstance(signal, EmotionSignal) else []
    return f"it feels alike ({', '.join(shared)})" if shared else "it feels alike"


def _holds(index: PlaylistIndex, playlist: int, song: Song) -> bool:
    """Whether the song is among those that the playlist is known by: it is then no reason for itself."""
    return any(member.song.song_id == song.song_id for member in index.profiles[playlist].members)


_REASON: dict[str, Reason] = {
    "text": lambda *_: "it fits what the playlist says of itself",
    "centroid": lambda *_: "it is like the playlist's songs as a whole",
    "nearest": _by_nearest,
    "lexical": _by_words,
    "artist": _by_fact("artist", "{count} {songs} by {value} {are} there"),
    "album": _by_fact("album", "{count} {songs} of the same album {are} there"),
    "genre": _by_fact("genre", "{count} of its songs {are} {value}"),
    "language": _by_fact("language", "{count} of its songs {are} in the same language"),
    "era": _by_years,
    "acoustic": _by_sound,
    EMOTION: _by_emotions,
}

_AGAINST = {
    "acoustic": "it sounds different",
    EMOTION: "it feels different",
    "era": "it is of other years",
    "text": "the playlist describes something else",
    "centroid": "the playlist's songs are of another kind",
}
