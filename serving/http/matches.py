"""Songs to playlists."""

from fastapi import APIRouter, Request

from serving.http.dependencies import LookedUp, service_of
from serving.schemas import MatchResponse

router = APIRouter(tags=["Auto-Sort"])


@router.post("/match", response_model_exclude_unset=True)
def match(asked: LookedUp, request: Request) -> MatchResponse:
    """The playlists that songs belong in."""
    # No connection is held from here on: embedding may have to wait for its turn.
    return MatchResponse.model_validate(service_of(request).matching.answer(asked))
