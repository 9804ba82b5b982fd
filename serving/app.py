"""The HTTP service: /embed, /match, /live, health and readiness."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from starlette.concurrency import run_in_threadpool

from registry.artifacts import ArtifactStore
from registry.database import Database, open_database
from registry.settings import RegistrySettings
from serving import matcher
from serving.answering import AnsweringMiddleware
from serving.encoder import Encoder
from serving.matcher import Answering
from serving.problems import NothingLive, install_error_handlers
from serving.requested import Requested, RequestedSongs
from serving.schemas import (
    EmbedRequest,
    HealthResponse,
    LiveResponse,
    MatchRequest,
    MatchResponse,
    Problem,
)
from serving.settings import ServingSettings
from serving.slot import VersionSlot


def create_app(registry: RegistrySettings | None = None, settings: ServingSettings | None = None) -> FastAPI:
    """The service over the registry that the settings (by default, the environment) name."""
    registry, settings = registry or RegistrySettings(), settings or ServingSettings()
    artifacts = ArtifactStore(registry.artifacts_folder)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        opened: AbstractContextManager[Database] = open_database(registry)
        database = await run_in_threadpool(opened.__enter__)
        slot = VersionSlot(
            database,
            lambda spec: Encoder.load(artifacts, spec, device=settings.device),
            poll_seconds=settings.poll_seconds,
        )
        requested = RequestedSongs(database, slot)
        try:
            await run_in_threadpool(slot.start)
            app.state.slot, app.state.requested = slot, requested
            yield
            await run_in_threadpool(requested.close)
            await run_in_threadpool(slot.stop)
        finally:
            await run_in_threadpool(opened.__exit__, None, None, None)

    app = FastAPI(title="Auto-Sort", lifespan=lifespan, responses={422: {"model": Problem}, 503: {"model": Problem}})
    app.add_middleware(AnsweringMiddleware)
    install_error_handlers(app)
    _add_endpoints(app)
    return app


async def _answering(request: Request) -> Answering:
    held: Answering | None = request.state.answering
    if held is None:
        raise NothingLive(request.app.state.slot.problem)
    return held


Held = Annotated[Answering, Depends(_answering)]


@dataclass(frozen=True)
class _Asked:
    body: MatchRequest
    requested: Requested


async def _asked(body: MatchRequest, request: Request, answering: Held) -> _Asked:
    requested: RequestedSongs = request.app.state.requested
    return _Asked(body, await requested.look_up(answering, body.songs))


LookedUp = Annotated[_Asked, Depends(_asked)]


def _add_endpoints(app: FastAPI) -> None:
    @app.post("/embed")
    def embed(body: EmbedRequest, answering: Held) -> list[list[float]]:
        """Vectors of texts, of length 1, by the live version."""
        encoder = answering.encoder()
        encode = encoder.playlists if body.prompt_name == "query" else encoder.songs
        vectors: list[list[float]] = encode(body.texts).tolist()
        return vectors

    @app.post("/match", responses={404: {"model": Problem}})
    def match(asked: LookedUp, answering: Held) -> MatchResponse:
        """The playlists that songs belong in, by the live version."""
        # No connection is held from here on: embedding may have to wait for its turn.
        songs, recorded = asked.requested.songs, asked.requested.recorded
        results = matcher.match(answering, songs, recorded, top_k=asked.body.top_k)
        for named, result in zip(asked.body.songs, results, strict=True):
            result["song"]["song_id"] = named.song_id
        return MatchResponse.model_validate(
            {
                "model_version": answering.version.version,
                "generation": answering.generation,
                "results": results,
            }
        )

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
        return HealthResponse(status="ok", problem=request.app.state.slot.problem)
