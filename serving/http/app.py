"""The HTTP service: the app's own endpoints, and those that clients of OpenAI and TEI speak."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware

from registry.artifacts import ArtifactStore
from registry.database import Database, open_database
from registry.settings import RegistrySettings
from serving.http import emotions, health, library, matches, openai, rerank, scraping, tei, versions
from serving.http.access import AccessMiddleware
from serving.http.addresses import Addresses
from serving.http.answering import GENERATION_HEADER, USER_HEADER, VERSION_HEADER, AnsweringMiddleware
from serving.http.limits import BodyLimit, RoomLimit
from serving.http.observing import ObservingMiddleware
from serving.http.openapi import ERRORS, describe_access
from serving.http.problems import install_error_handlers
from serving.service import Service
from serving.settings import ServingSettings

ROUTERS = tuple(each.router for each in (matches, library, emotions, versions, health, tei, openai, rerank, scraping))
"""Every endpoint."""


def create_app(
    registry: RegistrySettings | None = None,
    settings: ServingSettings | None = None,
    artifacts: ArtifactStore | None = None,
) -> FastAPI:
    """The service over the registry that the settings (by default, the environment) name."""
    registry, settings = registry or RegistrySettings(), settings or ServingSettings()
    artifacts = artifacts or ArtifactStore(registry.artifacts_folder)

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

    app = FastAPI(title="Auto-Sort", lifespan=lifespan, responses=ERRORS)
    addresses = Addresses(ROUTERS)
    _add_middleware(app, settings, addresses)
    install_error_handlers(app)
    for router in ROUTERS:
        app.include_router(router)
    describe_access(app, addresses)
    return app


def _add_middleware(app: FastAPI, settings: ServingSettings, addresses: Addresses) -> None:
    """From the innermost to the outermost."""
    app.add_middleware(BodyLimit)
    app.add_middleware(RoomLimit)
    app.add_middleware(AnsweringMiddleware)
    app.add_middleware(AccessMiddleware)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST", "PUT", "DELETE"),
            allow_headers=("Authorization", "Content-Type", "X-Api-Key", "X-Request-Id", VERSION_HEADER, USER_HEADER),
            expose_headers=("X-Request-Id", "Retry-After", VERSION_HEADER, GENERATION_HEADER),
        )
    app.add_middleware(ObservingMiddleware, addresses=addresses)
