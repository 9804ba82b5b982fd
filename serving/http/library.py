"""The app's library: songs, playlists and feedback, kept and embedded."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictInt

from registry.api_keys import Role
from registry.errors import BadInput
from registry.records import (
    AudioFeatures,
    Feedback,
    Identifier,
    Line,
    MembershipSource,
    Milliseconds,
    Playlist,
    Prose,
    ReleaseDate,
    Removal,
    Song,
    Verdict,
)
from serving.http.addresses import needs
from serving.http.answering import USER_HEADER
from serving.http.dependencies import Held, service_of
from serving.http.emotions import Emotions, felt_in
from serving.http.replies import json_reply
from serving.library import KeptSong, Library
from serving.matching.matcher import Answering

router = APIRouter(tags=["Auto-Sort"], dependencies=[needs(Role.WRITE)])

Result = TypeVar("Result")

_MOST_SONGS = 256
_MOST_MEMBERS = 10_000
_CREATED = 201


class SongBody(BaseModel):
    """What is told of a song; what is not told stays as it is known."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "title": "En dröm för två",
                    "artist": "Hedvig Pelström",
                    "language": "sv",
                    "description": "A quiet song about a harbour at night.",
                    "audio_features": {"energy": 0.3, "tempo": 92},
                }
            ]
        },
    )

    title: Line
    artist: Line | None = None
    album: Line | None = None
    isrc: Line | None = None
    genre: Line | None = None
    language: Line | None = None
    description: Prose | None = None
    release_date: ReleaseDate | None = None
    duration_ms: Milliseconds | None = None
    popularity: Annotated[StrictInt, Field(ge=0, le=100)] | None = None
    audio_features: AudioFeatures = AudioFeatures()


class NamedSongBody(SongBody):
    """The same, with the song's id."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"song_id": "song-2", "title": "Paper lanterns"}]})

    song_id: Identifier


class SongsBody(BaseModel):
    """Songs, of which all are kept, or none."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"songs": [{"song_id": "song-2", "title": "Paper lanterns", "description": "A slow dance."}]}]
        },
    )

    songs: Annotated[list[NamedSongBody], Field(min_length=1, max_length=_MOST_SONGS)]


class SongEmbedding(BaseModel):
    """A song's vector.

    `content_hash` is of the text that was embedded; `cached`, whether its vector was there before. Without a vector,
    `set_aside` says why the version cannot embed the song. `emotions` is null if the version cannot tell them.
    """

    song_id: str
    content_hash: str
    embedding: list[float] | None
    cached: bool
    set_aside: str | None = None
    emotions: Emotions | None = None


class SongResponse(SongEmbedding):
    """The same, by the version that gave it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model_version": "v2",
                    "generation": 7,
                    "song_id": "song-1",
                    "content_hash": "9f2c" * 16,
                    "embedding": [0.021, -0.034, 0.057],
                    "cached": False,
                }
            ]
        }
    )

    model_version: str
    generation: int


class SongsResponse(BaseModel):
    """The songs in the order of the request; how many of them the catalogue did not have, or had otherwise."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model_version": "v2",
                    "generation": 7,
                    "added": 1,
                    "changed": 0,
                    "songs": [
                        {
                            "song_id": "song-1",
                            "content_hash": "9f2c" * 16,
                            "embedding": [0.021, -0.034, 0.057],
                            "cached": False,
                        }
                    ],
                }
            ]
        }
    )

    model_version: str
    generation: int
    added: int
    changed: int
    songs: list[SongEmbedding]


class PlaylistBody(BaseModel):
    """What is told of a playlist; what is not told stays as it is known.

    `song_ids` are all the songs that it holds from now on; `source` says where it is known from that those new to it
    belong there.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"name": "Late harbour", "description": "Quiet songs for the way home.", "song_ids": ["song-1"]}
            ]
        },
    )

    name: Line
    description: Prose | None = None
    genre: Line | None = None
    subgenre: Line | None = None
    owner: Line | None = None
    song_ids: Annotated[list[Identifier], Field(max_length=_MOST_MEMBERS)] | None = None
    source: MembershipSource = MembershipSource.MANUAL


class PlaylistResponse(BaseModel):
    """The vector of a playlist's text, and how many songs' places in it came and went."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model_version": "v2",
                    "generation": 7,
                    "playlist_id": "late-harbour",
                    "content_hash": "9f2c" * 16,
                    "embedding": [0.021, -0.034, 0.057],
                    "songs_added": 1,
                    "songs_removed": 0,
                }
            ]
        }
    )

    model_version: str
    generation: int
    playlist_id: str
    content_hash: str
    embedding: list[float]
    songs_added: int
    songs_removed: int
    emotions: Emotions | None = None


class FeedbackItem(BaseModel):
    """What a user said of one match; `user` is by default that of the header X-User-Id, `at` is now."""

    model_config = ConfigDict(extra="forbid")

    user: Line | None = None
    song_id: Identifier
    playlist_id: Identifier
    verdict: Verdict
    from_playlist_id: Identifier | None = None
    at: AwareDatetime | None = None


class FeedbackBody(BaseModel):
    """Feedback, all of which is recorded, or none."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"feedback": [{"user": "ada", "song_id": "song-1", "playlist_id": "late-harbour", "verdict": "accept"}]}
            ]
        },
    )

    feedback: Annotated[list[FeedbackItem], Field(min_length=1, max_length=1_000)]


class FeedbackResponse(BaseModel):
    """How much of it was new; the rest had been recorded before."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"recorded": 1, "known": 0}]})

    recorded: int
    known: int


@router.put(
    "/songs/{song_id:path}", response_model=SongResponse, responses={201: {"model": SongResponse}}, status_code=200
)
async def put_song(song_id: Identifier, body: SongBody, request: Request, answering: Held) -> Response:
    """Add a song to the catalogue, or change it; its vector is there when this answers."""
    song = Song(song_id=song_id, **_told(body))
    kept = await _library(request, lambda library: library.keep_songs(answering, [song]))
    (felt,) = await felt_in(request, answering, [kept.songs[0].song])
    reply = json_reply({**_by(answering), **_song_json(kept.songs[0], felt)})
    reply.status_code = _CREATED if kept.added else reply.status_code
    return reply


@router.post("/songs:embed", response_model=SongsResponse)
async def embed_songs(body: SongsBody, request: Request, answering: Held) -> Response:
    """The same for several songs at once."""
    songs = [Song(**_told(each)) for each in body.songs]
    kept = await _library(request, lambda library: library.keep_songs(answering, songs))
    felt = await felt_in(request, answering, [each.song for each in kept.songs])
    told = [_song_json(*each) for each in zip(kept.songs, felt, strict=True)]
    return json_reply({**_by(answering), "added": kept.added, "changed": kept.changed, "songs": told})


@router.delete("/songs/{song_id:path}", status_code=204)
async def delete_song(song_id: Identifier, request: Request, answering: Held) -> Response:
    """Take a song out of the catalogue and out of all playlists."""
    await _library(request, lambda library: library.remove(answering, Removal(song_id=song_id)))
    return Response(status_code=204)


@router.put(
    "/playlists/{playlist_id:path}",
    response_model=PlaylistResponse,
    responses={201: {"model": PlaylistResponse}},
    status_code=200,
)
async def put_playlist(playlist_id: Identifier, body: PlaylistBody, request: Request, answering: Held) -> Response:
    """Add a playlist to the catalogue, or change it; songs are matched with it within a second."""
    playlist = Playlist(playlist_id=playlist_id, **body.model_dump(exclude={"song_ids", "source"}))
    kept = await _library(
        request, lambda library: library.keep_playlist(answering, playlist, body.song_ids, body.source)
    )
    (felt,) = await felt_in(request, answering, [kept.playlist])
    reply = json_reply(
        {
            **_by(answering),
            "playlist_id": playlist_id,
            "emotions": felt,
            "content_hash": kept.content_hash.hex(),
            "embedding": kept.vector,
            "songs_added": kept.songs_added,
            "songs_removed": kept.songs_removed,
        }
    )
    reply.status_code = _CREATED if kept.added else reply.status_code
    return reply


@router.delete("/playlists/{playlist_id:path}", status_code=204)
async def delete_playlist(playlist_id: Identifier, request: Request, answering: Held) -> Response:
    """Take a playlist out of the catalogue; its songs stay."""
    await _library(request, lambda library: library.remove(answering, Removal(playlist_id=playlist_id)))
    return Response(status_code=204)


@router.post("/feedback")
async def feedback(body: FeedbackBody, request: Request, _: Held) -> FeedbackResponse:
    """Record what users said of matches: what the next version learns from, and what a parallel run is judged by."""
    user, now = request.headers.get(USER_HEADER), datetime.now(UTC)
    told = [_feedback(each, user, now) for each in body.feedback]
    recorded = await _library(request, lambda library: library.keep_feedback(told))
    return FeedbackResponse(recorded=recorded, known=len(told) - recorded)


async def _library(request: Request, work: Callable[[Library], Result]) -> Result:
    library = service_of(request).library
    return await library.threads.run(lambda: work(library))


def _told(body: SongBody) -> dict[str, object]:
    return {name: getattr(body, name) for name in body.model_fields_set}


def _feedback(item: FeedbackItem, user: str | None, now: datetime) -> Feedback:
    if item.user is None and user is None:
        raise BadInput("It is not told whose feedback it is.", f"Send `user` with each, or the header {USER_HEADER}.")
    if (item.verdict is Verdict.MOVE) != (item.from_playlist_id is not None):
        raise BadInput('`from_playlist_id` goes with the verdict "move", and only with it.', "Send both or neither.")
    told = item.model_dump(exclude_none=True)
    return Feedback.model_validate({"user": user, "at": now, **told})


def _by(answering: Answering) -> dict[str, object]:
    return {"model_version": answering.version.version, "generation": answering.generation}


def _song_json(kept: KeptSong, emotions: object) -> dict[str, object]:
    return {
        "song_id": kept.song.song_id,
        "content_hash": kept.content_hash.hex(),
        "embedding": kept.vector,
        "cached": kept.recorded,
        "set_aside": kept.set_aside,
        "emotions": emotions,
    }
