"""What endpoints are given: the service, and the version that answers."""

import re
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from registry.texts import render_playlist
from serving.http.answering import Chosen
from serving.http.embedding import embed
from serving.http.problems import NothingLive
from serving.inference.served import ServedEncoder, as_served
from serving.matching.filling import Candidates, known_playlist, told_playlist
from serving.matching.index import PlaylistIndex
from serving.matching.matcher import Answering
from serving.parallel.live_matching import Asked
from serving.schemas import MatchRequest, PlaylistRequest
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


@dataclass(frozen=True)
class Filling:
    """A request for songs: for which playlist, by which version, and the songs near it."""

    body: MatchRequest
    answering: Answering
    candidates: Candidates


async def _asked(body: MatchRequest, request: Request, answering: Held) -> Asked | Filling:
    if body.playlist is not None:
        index = await _understood(request, answering, body.playlist)
        candidates = await service_of(request).requested.near(answering, index, members=body.include_members)
        return Filling(body, answering, candidates)
    chosen: Chosen = request.state.chosen
    requested = await service_of(request).requested.look_up(answering, body.songs)
    return Asked(body, answering, chosen.standing, chosen.user, requested)


LookedUp = Annotated[Asked | Filling, Depends(_asked)]
"""A request for matches, its songs or playlist looked up."""


async def _understood(request: Request, answering: Answering, asked: PlaylistRequest) -> PlaylistIndex:
    """The playlist as the version knows it, or as it understands what is told of it."""
    if asked.playlist_id is not None:
        return known_playlist(answering, asked.playlist_id)
    playlist, encoder = asked.as_playlist(), encoder_of(answering)
    text = render_playlist(playlist, answering.version.spec.text_template)
    embedded = await embed(request, encoder, [text], encoder.spec.playlist_prompt)
    return told_playlist(answering, playlist, embedded.vectors[0])


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
