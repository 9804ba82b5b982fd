"""What answers now, whether the process is alive, and whether it can answer."""

from fastapi import APIRouter, Request

from serving.http.dependencies import Held, service_of
from serving.schemas import HealthResponse, LiveResponse

router = APIRouter(tags=["Health"])


@router.get("/live")
async def live(answering: Held) -> LiveResponse:
    """The version that answers now."""
    return LiveResponse(model_version=answering.version.version, generation=answering.generation)


@router.get("/health")
async def health() -> HealthResponse:
    """Whether the process is alive."""
    return HealthResponse(status="ok")


@router.get("/ready")
async def ready(request: Request, _: Held) -> HealthResponse:
    """Whether requests can be answered; also tells why a newer version could not be taken up, if so."""
    return HealthResponse(status="ok", problem=service_of(request).slot.problem)
