"""What endpoints are given: the service, and the version that answers."""

import re
from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from serving.http.answering import Chosen
from serving.http.problems import NothingLive
from serving.inference.served import ServedEncoder, as_served
from serving.matching.matcher import Answering
from serving.parallel.live_matching import Asked
from serving.schemas import MatchRequest
from serving.service import Service

_VERSION = re.compile(r"v[0-9]+")


def service_of(request: Request) -> Service:
    """The service that the app runs."""
    service: Service = request.app.state.service
    return service


async def _answering(request: Request) -> Answering:
    chosen: Chosen = request.state.chosen
    if chosen.refusal is not None:
        raise chosen.refusal
    if chosen.answering is None:
        raise NothingLive(service_of(request).slot.problem)
    return chosen.answering


Held = Annotated[Answering, Depends(_answering)]
"""The version that answers this request."""


async def _asked(body: MatchRequest, request: Request, answering: Held) -> Asked:
    chosen: Chosen = request.state.chosen
    requested = await service_of(request).requested.look_up(answering, body.songs)
    return Asked(body, answering, chosen.standing, chosen.user, requested)


LookedUp = Annotated[Asked, Depends(_asked)]
"""A request for matches, its songs looked up."""


async def named(request: Request, answering: Answering, name: str) -> Answering:
    """The version of that name, which then answers the request; for a name that is none, the one that answers anyway.

    Raises:
        NotFound: there is no such version.
        Refused: it cannot serve, or there is no memory for it.
    """
    if not _VERSION.fullmatch(name) or name == answering.version.version:
        return answering
    held = await run_in_threadpool(service_of(request).slot.pinned, name)
    request.state.chosen = replace(request.state.chosen, answering=held)
    return held


def encoder_of(answering: Answering) -> ServedEncoder:
    """The encoder of the version that answers."""
    return as_served(answering.encoder())
