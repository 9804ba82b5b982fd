"""Songs to playlists, and a playlist to songs."""

from typing import Any

from fastapi import APIRouter, Request, Response

from serving.http.dependencies import Filling, LookedUp, service_of
from serving.http.replies import json_reply
from serving.matching.filling import fill
from serving.schemas import FillResponse, MatchResponse

router = APIRouter(tags=["Auto-Sort"])


@router.post("/match", response_model=MatchResponse | FillResponse)
def match(asked: LookedUp, request: Request) -> Response:
    """The playlists that songs belong in, or the songs that belong in a playlist."""
    # No connection is held from here on: embedding may have to wait for its turn.
    if isinstance(asked, Filling):
        return json_reply(_filled(asked))
    return json_reply(service_of(request).matching.answer(asked))


def _filled(asked: Filling) -> dict[str, Any]:
    index, wanted = asked.candidates.index, asked.body.playlist
    return {
        "model_version": asked.answering.version.version,
        "generation": asked.answering.generation,
        "playlist": {
            "playlist_id": wanted.playlist_id if wanted else None,
            "name": index.playlists[0].name,
            "type": index.types[0].name,
        },
        "songs": fill(asked.answering, asked.candidates, top_k=asked.body.top_k),
    }
