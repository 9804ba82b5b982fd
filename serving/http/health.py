"""What answers now, whether the process is alive, and whether it can answer."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request

from serving.http.addresses import needs_no_key
from serving.http.dependencies import Held, service_of
from serving.matching.matcher import Answering
from serving.schemas import HealthResponse, LiveResponse
from serving.service import Service
from serving.versions.readiness import not_working

# Whoever watches or balances servers has no key; and what these tell stands in every response's headers.
router = APIRouter(tags=["Health"], dependencies=[needs_no_key()])


@router.get("/live")
async def live(answering: Held) -> LiveResponse:
    """The version that answers now."""
    return LiveResponse(model_version=answering.version.version, generation=answering.generation)


@router.get("/health")
async def health() -> HealthResponse:
    """Whether the process is alive; for that alone, see /ready for whether it can answer."""
    return HealthResponse(status="ok")


@router.get("/ready")
async def ready(request: Request, answering: Held) -> HealthResponse:
    """Whether requests can be answered: a version is held, and its model worked within the last half minute.

    If the model was not asked for so long, it is tried now. Also tells why a newer version could not be taken up.
    """
    service = service_of(request)
    await _require_work(service, answering)
    return HealthResponse(status="ok", problem=service.slot.problem)


async def _require_work(service: Service, answering: Answering) -> None:
    """Raise `NotReady` unless the version's model works."""
    trial = service.readiness.trial(answering)
    if trial is None:
        return
    waited = asyncio.wrap_future(trial)
    waited.add_done_callback(_looked_at)
    # When that takes too long it is not cancelled: others may wait for the same trial.
    done, _ = await asyncio.wait([waited], timeout=service.readiness.patience_seconds)
    if not done or waited.exception() is not None:
        raise not_working()


def _looked_at(waited: "asyncio.Future[Any]") -> None:
    """Its error is no surprise, even if nobody waits for it any more."""
    if not waited.cancelled():
        waited.exception()
