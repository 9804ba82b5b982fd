"""The model versions there are, and which of them this server can answer with at once."""

from collections.abc import Collection
from datetime import datetime

from fastapi import APIRouter, Request
from pydantic import BaseModel

from registry.stages import GIVEN_UP
from registry.versions import ModelVersion
from serving.http.dependencies import service_of

router = APIRouter(tags=["Auto-Sort"])


class VersionState(BaseModel):
    """A version; `held` if this server has it in memory: a request that names it waits for nothing."""

    version: str
    stage: str
    base_model: str
    dimensions: int
    registered_at: datetime
    held: bool


class VersionsResponse(BaseModel):
    """The versions that were not given up, oldest first, and where the live pointer stands."""

    generation: int
    live: str | None
    previous: str | None
    candidate: str | None
    versions: list[VersionState]


@router.get("/versions")
async def list_versions(request: Request) -> VersionsResponse:
    """The versions that answer, or could: a request may name one of them in its header X-Model-Version."""
    service = service_of(request)
    present, registered = await service.library.threads.run(service.slot.registered)
    held = {each.version.version for each in service.slot.held}
    return VersionsResponse(
        generation=present.generation,
        live=present.live,
        previous=present.previous,
        candidate=present.candidate,
        versions=[_state(each, held) for each in registered if each.stage not in GIVEN_UP],
    )


def _state(version: ModelVersion, held: Collection[str]) -> VersionState:
    return VersionState(
        version=version.version,
        stage=version.stage,
        base_model=version.spec.embedder.base_model,
        dimensions=version.spec.embedder.dimensions,
        registered_at=version.registered_at,
        held=version.version in held,
    )
