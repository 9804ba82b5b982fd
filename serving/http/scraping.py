"""Prometheus fetches here what the service has counted."""

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.responses import PlainTextResponse, Response

from registry.api_keys import Role
from serving.http.addresses import needs
from serving.http.dependencies import service_of
from serving.http.openapi import shown

router = APIRouter(tags=["Health"], dependencies=[needs(Role.ADMIN)])


_EXAMPLE = """# HELP autosort_queue_texts Texts that wait for a model.
# TYPE autosort_queue_texts gauge
autosort_queue_texts 3.0
"""


@router.get("/metrics", response_class=PlainTextResponse, responses=shown(_EXAMPLE, "text/plain"))
def metrics(request: Request) -> Response:
    """Counts, times and the state of the service, in Prometheus' text format."""
    service = service_of(request)
    told = service.metrics.exposition([each.version.version for each in service.slot.held])
    return Response(told, media_type=CONTENT_TYPE_PLAIN_0_0_4)
