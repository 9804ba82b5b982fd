"""The HTTP service: the app's own endpoints, and those that clients of OpenAI and TEI speak."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from registry.artifacts import ArtifactStore
from registry.database import Database, open_database
from registry.settings import RegistrySettings
from serving.http import emotions, health, matches, openai, rerank, tei
from serving.http.answering import AnsweringMiddleware
from serving.http.limits import BodyLimit
from serving.http.problems import install_error_handlers
from serving.schemas import Problem
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
    app.add_middleware(BodyLimit)
    app.add_middleware(AnsweringMiddleware)
    install_error_handlers(app)
    for router in (matches.router, health.router, tei.router, openai.router, rerank.router, emotions.router):
        app.include_router(router)
    return app
