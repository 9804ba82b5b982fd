"""The HTTP service: /embed, /match, /live, health and readiness."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from starlette.concurrency import run_in_threadpool

from registry.artifacts import ArtifactStore
from registry.database import Database, open_database
from registry.settings import RegistrySettings
from serving.http.answering import AnsweringMiddleware, Chosen
from serving.http.problems import NothingLive, install_error_handlers
from serving.matching.live_matching import Asked
from serving.matching.matcher import Answering
from serving.schemas import (
    EmbedRequest,
    HealthResponse,
    LiveResponse,
    MatchRequest,
    MatchResponse,
    Problem,
)
from serving.service import Service
from serving.settings import ServingSettings


def create_app(registry: RegistrySettings | None = None, settings: ServingSettings | None = None) -> FastAPI:
    """The service over the registry that the settings (by default, the environment) name."""
    registry, settings = registry or RegistrySettings(), settings or ServingSettings()
    artifacts = ArtifactStore(registry.artifacts_folder)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        opened: AbstractContextManager[Database] = open_database(registry)
        database = await run_in_threadpool(opened.__enter__)
        try:
            service = Service(database, artifacts, registry, settings)
            app.state.service = await run_in_threadpool(service.__enter__)
            yield
            await run_in_threadpool(service.__exit__)
        finally:
            await run_in_threadpool(opened.__exit__, None, None, None)

    app = FastAPI(title="Auto-Sort", lifespan=lifespan, responses={422: {"model": Problem}, 503: {"model": Problem}})
    app.add_middleware(AnsweringMiddleware)
    install_error_handlers(app)
    _add_endpoints(app)
    return app


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _answering(request: Request) -> Answering:
    chosen: Chosen = request.state.chosen
    if chosen.refusal is not None:
        raise chosen.refusal
    if chosen.answering is None:
        raise NothingLive(_service(request).slot.problem)
    return chosen.answering


Held = Annotated[Answering, Depends(_answering)]


async def _asked(body: MatchRequest, request: Request, answering: Held) -> Asked:
    chosen: Chosen = request.state.chosen
    requested = await _service(request).requested.look_up(answering, body.songs)
    return Asked(body, answering, chosen.standing, chosen.user, requested)


LookedUp = Annotated[Asked, Depends(_asked)]


def _add_endpoints(app: FastAPI) -> None:
    @app.post("/embed")
    def embed(body: EmbedRequest, answering: Held) -> list[list[float]]:
        """Vectors of texts, of length 1."""
        encoder = answering.encoder()
        encode = encoder.playlists if body.prompt_name == "query" else encoder.songs
        vectors: list[list[float]] = encode(body.texts).tolist()
        return vectors

    @app.post("/match", responses={404: {"model": Problem}}, response_model_exclude_unset=True)
    def match(asked: LookedUp, request: Request) -> MatchResponse:
        """The playlists that songs belong in."""
        # No connection is held from here on: embedding may have to wait for its turn.
        return MatchResponse.model_validate(_service(request).matching.answer(asked))

    @app.get("/live")
    async def live(answering: Held) -> LiveResponse:
        """The version that answers now."""
        return LiveResponse(model_version=answering.version.version, generation=answering.generation)

    @app.get("/health")
    async def health() -> HealthResponse:
        """Whether the process is alive."""
        return HealthResponse(status="ok")

    @app.get("/ready")
    async def ready(request: Request, _: Held) -> HealthResponse:
        """Whether requests can be answered; also tells why a newer version could not be taken up, if so."""
        return HealthResponse(status="ok", problem=_service(request).slot.problem)
