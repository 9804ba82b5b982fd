"""Songs to playlists, and a playlist to songs."""

from fastapi import APIRouter, Request

from serving.http.dependencies import Filling, LookedUp, service_of
from serving.matching.filling import fill
from serving.schemas import FilledPlaylist, FillResponse, MatchResponse

router = APIRouter(tags=["Auto-Sort"])


@router.post("/match", response_model_exclude_unset=True)
def match(asked: LookedUp, request: Request) -> MatchResponse | FillResponse:
    """The playlists that songs belong in, or the songs that belong in a playlist."""
    # No connection is held from here on: embedding may have to wait for its turn.
    if isinstance(asked, Filling):
        return _filled(asked)
    return MatchResponse.model_validate(service_of(request).matching.answer(asked))


def _filled(asked: Filling) -> FillResponse:
    index, wanted = asked.candidates.index, asked.body.playlist
    playlist = FilledPlaylist(
        playlist_id=wanted.playlist_id if wanted else None, name=index.playlists[0].name, type=index.types[0].name
    )
    return FillResponse.model_validate(
        {
            "model_version": asked.answering.version.version,
            "generation": asked.answering.generation,
            "playlist": playlist,
            "songs": fill(asked.answering, asked.candidates, top_k=asked.body.top_k),
        }
    )
