"""What the HTTP endpoints take and give."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
    model_validator,
)

from registry.records import AudioFeatures, Identifier, Line, Milliseconds, Playlist, Prose, ReleaseDate, Song

MOST_TEXTS = 1024
"""That one request may hold."""

MOST_CHARACTERS = 2_000_000
"""Of a request's texts in all; what reaches a model is less, as each is cut to the tokens that it reads."""


def require_room(length: int) -> None:
    """Raise `ValueError` for so many characters in one request, if they are too many."""
    if length > MOST_CHARACTERS:
        raise ValueError(f"the texts have {length} characters in all; {MOST_CHARACTERS} is the most")


def _not_too_long(texts: str | list[str]) -> str | list[str]:
    require_room(len(texts) if isinstance(texts, str) else sum(map(len, texts)))
    return texts


Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
Texts = Annotated[
    Text | Annotated[list[Text], Field(min_length=1, max_length=MOST_TEXTS)], AfterValidator(_not_too_long)
]
PromptName = Literal["query", "document"] | None


class EmbedRequest(BaseModel):
    """Texts to embed, as TEI takes them.

    `prompt_name` "query" puts the model's instruction for playlists before each text; "document" or null, that for
    songs (E5 and MiniLM have none). Texts longer than the model's limit are cut, or refused without `truncate`.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"inputs": "a slow song about a harbour at night"},
                {"inputs": ["songs for a night drive", "quiet mornings"], "prompt_name": "query"},
            ]
        }
    )

    inputs: Texts
    prompt_name: PromptName = None
    truncate: StrictBool = True
    normalize: StrictBool = True

    @property
    def texts(self) -> list[str]:
        return [self.inputs] if isinstance(self.inputs, str) else self.inputs


class SongRequest(BaseModel):
    """A song of the catalogue by its id, or any song by what is told of it."""

    model_config = ConfigDict(extra="forbid")

    song_id: Identifier | None = None
    title: Line | None = None
    artist: Line | None = None
    album: Line | None = None
    genre: Line | None = None
    language: Line | None = None
    description: Prose | None = None
    release_date: ReleaseDate | None = None
    duration_ms: Milliseconds | None = None
    audio_features: AudioFeatures = AudioFeatures()

    @model_validator(mode="after")
    def _names_a_song(self) -> Self:
        if self.song_id is None and self.title is None:
            raise ValueError("needs song_id, or title")
        if self.song_id is not None and self.model_fields_set != {"song_id"}:
            raise ValueError("song_id stands alone: its other fields are the catalogue's")
        return self

    @property
    def length(self) -> int:
        """Characters of what is told of it in words."""
        told = (self.title, self.artist, self.album, self.genre, self.language, self.description)
        return sum(len(each) for each in told if each)

    def as_song(self, number: int) -> Song:
        """The told song, under an id that no song of the catalogue can have: Postgres stores no NUL."""
        fields = self.model_dump(exclude={"song_id"}, exclude_none=True)
        return Song.model_validate({**fields, "song_id": "told"}).model_copy(update={"song_id": f"\0{number}"})


class PlaylistRequest(BaseModel):
    """A playlist of the catalogue by its id, or any playlist by what is told of it."""

    model_config = ConfigDict(extra="forbid")

    playlist_id: Identifier | None = None
    name: Line | None = None
    description: Prose | None = None
    genre: Line | None = None
    subgenre: Line | None = None

    @model_validator(mode="after")
    def _names_a_playlist(self) -> Self:
        if self.playlist_id is None and self.name is None:
            raise ValueError("needs playlist_id, or name")
        if self.playlist_id is not None and self.model_fields_set != {"playlist_id"}:
            raise ValueError("playlist_id stands alone: its other fields are the catalogue's")
        return self

    def as_playlist(self) -> Playlist:
        """The told playlist, under an id that no playlist of the catalogue can have: Postgres stores no NUL."""
        fields = self.model_dump(exclude={"playlist_id"}, exclude_none=True)
        return Playlist.model_validate({**fields, "playlist_id": "told"}).model_copy(update={"playlist_id": "\0told"})


class MatchRequest(BaseModel):
    """Songs to find playlists for, or a playlist to find songs of the catalogue for.

    Songs that the playlist holds already are left out unless `include_members`.

    With `interleave`, during a parallel run, the live version's playlists and the candidate's come by turns: feedback
    on them then tells which of the two is preferred. With `rerank` the version's reranker, if it has one, orders the
    first 20 playlists of each song anew.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "songs": [
                        {
                            "title": "En dröm för två",
                            "artist": "Hedvig Pelström",
                            "description": "A quiet song about a harbour at night.",
                            "audio_features": {"energy": 0.3, "valence": 0.6, "tempo": 92},
                        }
                    ],
                    "top_k": 3,
                },
                {"playlist": {"name": "Late harbour", "description": "Quiet songs for the way home."}, "top_k": 3},
            ]
        },
    )

    songs: Annotated[list[SongRequest], Field(min_length=1, max_length=256)] = []
    playlist: PlaylistRequest | None = None
    top_k: Annotated[StrictInt, Field(ge=1, le=100)] = 5
    rerank: StrictBool = False
    interleave: StrictBool = False
    include_members: StrictBool = False

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if bool(self.songs) == (self.playlist is not None):
            raise ValueError("needs either songs or a playlist")
        if self.playlist is not None and (self.rerank or self.interleave):
            raise ValueError("rerank and interleave are for songs")
        return self

    @model_validator(mode="after")
    def _is_one_of_the_two(self) -> Self:
        if self.rerank and self.interleave:
            raise ValueError("rerank and interleave exclude each other: what is compared is not reranked")
        return self

    @model_validator(mode="after")
    def _are_not_too_long(self) -> Self:
        require_room(sum(each.length for each in self.songs))
        return self


class MatchedSong(BaseModel):
    """The song as it was understood; `song_id` is null for a song that was told."""

    song_id: str | None
    title: str
    artist: str | None


class NearSong(BaseModel):
    """A song of a playlist that is like the song that was asked for; `similarity` is the cosine of their vectors."""

    song_id: str
    title: str
    artist: str | None
    similarity: float


class Match(BaseModel):
    """A playlist; `signals` are each signal's share of the score and add up to it.

    `nearest_songs` are those of its songs that are most like the song, three at most; `why` says in words what spoke
    for the match.

    `relevance` is what the reranker says of it, from 0 to 1, if it has read it.
    `model_version` is who put it there, in an interleaved answer, where scores of two versions cannot be compared.
    """

    playlist_id: str
    name: str
    type: str
    score: float
    signals: dict[str, float]
    already_in: bool
    nearest_songs: list[NearSong] = []
    why: str = ""
    relevance: float | None = None
    model_version: str | None = None


class MatchResult(BaseModel):
    """A song's playlists, best first; if they were to be reranked, whether they are, and if not why.

    `confidence` is how likely the song is to belong in the first of them, and `fits` whether that is enough: where it
    is false, none of the playlists fits. Both are left out by versions that cannot tell.
    """

    song: MatchedSong
    fits: bool | None = None
    confidence: float | None = None
    reranked: bool | None = None
    reason: Literal["no_reranker", "deadline", "unavailable", "overloaded", "failed"] | None = None
    matches: list[Match]


class MatchResponse(BaseModel):
    """All results, by the version that gave them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model_version": "v2",
                    "generation": 7,
                    "interleaved": False,
                    "results": [
                        {
                            "song": {"song_id": "song-1", "title": "En dröm för två", "artist": "Hedvig Pelström"},
                            "matches": [
                                {
                                    "playlist_id": "late-harbour",
                                    "name": "Late harbour",
                                    "type": "mood",
                                    "score": 1.42,
                                    "signals": {"text": 0.61, "centroid": 0.55, "acoustic": 0.26},
                                    "already_in": False,
                                }
                            ],
                        }
                    ],
                }
            ]
        }
    )

    model_version: str
    generation: int
    interleaved: bool = False
    results: list[MatchResult]


class FillingSong(BaseModel):
    """A song for a playlist; `signals` are each signal's share of the score and add up to it.

    One of them is `elsewhere`, what the other playlists take: a score above 0 says that the song fits here better than
    in all of them together. `nearest_songs` are those of the playlist that are most like it, `why` says in words what
    spoke for it.
    """

    song: MatchedSong
    score: float
    signals: dict[str, float]
    already_in: bool
    nearest_songs: list[NearSong] = []
    why: str = ""


class FilledPlaylist(BaseModel):
    """The playlist as it was understood; `playlist_id` is null for one that was told."""

    playlist_id: str | None
    name: str
    type: str


class FillResponse(BaseModel):
    """A playlist's songs, best first, by the version that gave them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model_version": "v2",
                    "generation": 7,
                    "playlist": {"playlist_id": "late-harbour", "name": "Late harbour", "type": "mood"},
                    "songs": [
                        {
                            "song": {"song_id": "song-1", "title": "En dröm för två", "artist": "Hedvig Pelström"},
                            "score": 0.31,
                            "signals": {"text": 0.61, "centroid": 0.55, "acoustic": 0.26, "elsewhere": -1.11},
                            "already_in": False,
                        }
                    ],
                }
            ]
        }
    )

    model_version: str
    generation: int
    playlist: FilledPlaylist
    songs: list[FillingSong]


class LiveResponse(BaseModel):
    """What answers now."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"model_version": "v2", "generation": 7}]})

    model_version: str
    generation: int


class HealthResponse(BaseModel):
    """Whether the service can answer, and what keeps it from following the live pointer, if anything does."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok"}]})

    status: Literal["ok", "waiting"]
    problem: str | None = None


class Problem(BaseModel):
    """The one shape of errors: what is the case, and what to do."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "error": "Overloaded",
                    "message": "The service is busy: 812 texts wait, for about 5.3 s.",
                    "remedy": "Send the same request again later; the Retry-After header says when.",
                }
            ]
        }
    )

    error: str
    message: str
    remedy: str = ""
    fields: list[dict[str, Any]] | None = None
