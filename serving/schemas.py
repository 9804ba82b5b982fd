"""What the HTTP endpoints take and give."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from registry.records import AudioFeatures, Identifier, Line, Milliseconds, Prose, ReleaseDate, Song

MOST_TEXTS = 1024
"""That one request may hold."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
Texts = Text | Annotated[list[Text], Field(min_length=1, max_length=MOST_TEXTS)]
PromptName = Literal["query", "document"] | None


class EmbedRequest(BaseModel):
    """Texts to embed, as TEI takes them.

    `prompt_name` "query" puts the model's instruction for playlists before each text; "document" or null, that for
    songs (E5 and MiniLM have none). Texts longer than the model's limit are cut, or refused without `truncate`.
    """

    inputs: Texts
    prompt_name: PromptName = None
    truncate: bool = True
    normalize: bool = True

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

    def as_song(self, number: int) -> Song:
        """The told song, under an id that no song of the catalogue can have: Postgres stores no NUL."""
        fields = self.model_dump(exclude={"song_id"}, exclude_none=True)
        return Song.model_validate({**fields, "song_id": "told"}).model_copy(update={"song_id": f"\0{number}"})


class MatchRequest(BaseModel):
    """Songs to find playlists for.

    With `interleave`, during a parallel run, the live version's playlists and the candidate's come by turns: feedback
    on them then tells which of the two is preferred. With `rerank` the version's reranker, if it has one, orders the
    first 20 playlists of each song anew.
    """

    model_config = ConfigDict(extra="forbid")

    songs: Annotated[list[SongRequest], Field(min_length=1, max_length=256)]
    top_k: Annotated[int, Field(ge=1, le=100)] = 5
    rerank: bool = False
    interleave: bool = False

    @model_validator(mode="after")
    def _is_one_of_the_two(self) -> Self:
        if self.rerank and self.interleave:
            raise ValueError("rerank and interleave exclude each other: what is compared is not reranked")
        return self


class MatchedSong(BaseModel):
    """The song as it was understood; `song_id` is null for a song that was told."""

    song_id: str | None
    title: str
    artist: str | None


class Match(BaseModel):
    """A playlist; `signals` are each signal's share of the score and add up to it.

    `relevance` is what the reranker says of it, from 0 to 1, if it has read it.
    `model_version` is who put it there, in an interleaved answer, where scores of two versions cannot be compared.
    """

    playlist_id: str
    name: str
    type: str
    score: float
    signals: dict[str, float]
    already_in: bool
    relevance: float | None = None
    model_version: str | None = None


class MatchResult(BaseModel):
    """A song's playlists, best first; if they were to be reranked, whether they are, and if not why."""

    song: MatchedSong
    reranked: bool | None = None
    reason: Literal["deadline", "unavailable", "overloaded", "failed"] | None = None
    matches: list[Match]


class MatchResponse(BaseModel):
    """All results, by the version that gave them."""

    model_version: str
    generation: int
    interleaved: bool = False
    results: list[MatchResult]


class LiveResponse(BaseModel):
    """What answers now."""

    model_version: str
    generation: int


class HealthResponse(BaseModel):
    """Whether the service can answer, and what keeps it from following the live pointer, if anything does."""

    status: Literal["ok", "waiting"]
    problem: str | None = None


class Problem(BaseModel):
    """The one shape of errors: what is the case, and what to do."""

    error: str
    message: str
    remedy: str = ""
    fields: list[dict[str, Any]] | None = None
