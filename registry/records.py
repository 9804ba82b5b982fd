"""What the catalogue holds: songs, playlists, memberships and feedback.

These models are also the schema of the project's JSONL import format, one per kind (`docs/import-formats.md`).
They know nothing of the database, so training can use them without one.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, NewType, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

SongId = NewType("SongId", str)
PlaylistId = NewType("PlaylistId", str)


_LEAST = 2.0**-126


def storable(text: str) -> str:
    """Refuse what a UTF-8 Postgres cannot store: NUL characters and lone surrogates."""
    if "\x00" in text:
        raise ValueError("contains a NUL character")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("contains half of a surrogate pair, so it is not valid Unicode")
    return text


def storable_number(value: float) -> float:
    """Take for 0 what is nearer to it than any number that a `real` of Postgres can hold."""
    return 0.0 if abs(value) < _LEAST else value


def zero_is_unknown(value: object) -> object:
    """Read 0, as a number or as text, as unknown: Spotify writes it for what it could not measure."""
    if not isinstance(value, int | float | str) or isinstance(value, bool):
        return value
    try:
        return None if abs(float(value)) < _LEAST else value
    except (ValueError, OverflowError):
        return value


Identifier = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(storable)
]
Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000), AfterValidator(storable)
]
Prose = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000), AfterValidator(storable)
]
Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False), AfterValidator(storable_number)]
ReleaseDate = Annotated[str, StringConstraints(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$")]
Milliseconds = Annotated[int, Field(ge=0, le=2**31 - 1)]


class MembershipSource(StrEnum):
    """Where it is known from that a song belongs to a playlist."""

    CURATED = "curated"
    ASSIGNED = "assigned"
    MANUAL = "manual"
    PUBLIC = "public"


class Verdict(StrEnum):
    """What a user said of a match: yes, no, or "it belongs there instead"."""

    ACCEPT = "accept"
    REJECT = "reject"
    MOVE = "move"


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AudioFeatures(Record):
    """Spotify's audio features; any may be unknown.

    Loudness is in dB, tempo in beats per minute, key a pitch class (0 = C), mode 1 for major, the time signature in
    beats to the bar; the rest are shares. A tempo or time signature of 0 is unknown.
    """

    danceability: Share | None = None
    energy: Share | None = None
    key: Annotated[float, Field(ge=-1, le=11), AfterValidator(storable_number)] | None = None
    loudness: Annotated[float, Field(ge=-100, le=20), AfterValidator(storable_number)] | None = None
    mode: Annotated[float, Field(ge=0, le=1), AfterValidator(storable_number)] | None = None
    speechiness: Share | None = None
    acousticness: Share | None = None
    instrumentalness: Share | None = None
    liveness: Share | None = None
    valence: Share | None = None
    tempo: Annotated[Annotated[float, Field(gt=0, le=1_000)] | None, BeforeValidator(zero_is_unknown)] = None
    time_signature: Annotated[Annotated[float, Field(gt=0, le=16)] | None, BeforeValidator(zero_is_unknown)] = None


ACOUSTIC_FEATURES = (
    "danceability",
    "energy",
    "loudness",
    "speechiness",
    "acousticness",
    "instrumentalness",
    "liveness",
    "valence",
    "tempo",
)
"""The features that say how a song sounds; key, mode and metre say little of what it is played for."""


class Song(Record):
    """One recording. `description` is the LLM's analysis of it; `genre` and `language` are the song's own."""

    song_id: Identifier
    title: Line
    artist: Line | None = None
    album: Line | None = None
    isrc: Line | None = None
    genre: Line | None = None
    language: Line | None = None
    description: Prose | None = None
    release_date: ReleaseDate | None = None
    duration_ms: Milliseconds | None = None
    popularity: Annotated[int, Field(ge=0, le=100)] | None = None
    audio_features: AudioFeatures = AudioFeatures()


class Playlist(Record):
    """A playlist as its owner describes it; its genre says nothing of its songs' own genres."""

    playlist_id: Identifier
    name: Line
    description: Prose | None = None
    genre: Line | None = None
    subgenre: Line | None = None
    owner: Line | None = None


class Membership(Record):
    """A song that belongs to a playlist, and where that is known from."""

    playlist_id: Identifier
    song_id: Identifier
    source: MembershipSource = MembershipSource.CURATED
    added_at: datetime | None = None


class Feedback(Record):
    """What a user said of one match; `from_playlist_id` is where a moved song was taken from."""

    user: Line
    song_id: Identifier
    playlist_id: Identifier
    verdict: Verdict
    from_playlist_id: Identifier | None = None
    at: datetime

    @model_validator(mode="after")
    def _only_moves_come_from_somewhere(self) -> Self:
        if (self.verdict is Verdict.MOVE) != (self.from_playlist_id is not None):
            raise ValueError("from_playlist_id goes with the verdict 'move', and only with it")
        return self


class Removal(Record):
    """A song or playlist that is gone; with both ids, only the song's place in that playlist is."""

    song_id: Identifier | None = None
    playlist_id: Identifier | None = None

    @model_validator(mode="after")
    def _removes_something(self) -> Self:
        if self.song_id is None and self.playlist_id is None:
            raise ValueError("needs song_id, playlist_id or both")
        return self


CatalogueRecord = Song | Playlist | Membership | Feedback | Removal


@dataclass(frozen=True)
class CatalogueSnapshot:
    """The whole catalogue as values, each kind ordered by its ids: what a dataset is built from."""

    songs: tuple[Song, ...]
    playlists: tuple[Playlist, ...]
    memberships: tuple[Membership, ...]
    feedback: tuple[Feedback, ...]
