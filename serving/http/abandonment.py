"""What a client no longer waits for is not computed."""

import asyncio
from collections.abc import Awaitable
from concurrent.futures import Future
from typing import TypeVar

from starlette.requests import Request

Result = TypeVar("Result")


class ClientGone(Exception):
    """The client has closed the connection; nobody reads an answer."""


async def unless_abandoned(request: Request, future: "Future[Result]") -> Result:
    """The future's result; it is cancelled if the client goes away first.

    Raises:
        ClientGone: it did.
    """
    wrapped = asyncio.wrap_future(future)
    if wrapped.done():
        return await wrapped
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((wrapped, gone), return_when=asyncio.FIRST_COMPLETED)
        if wrapped.done():
            return await wrapped
        raise ClientGone
    finally:
        wrapped.cancel()
        gone.cancel()


def _gone(request: Request) -> Awaitable[None]:
    async def wait() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    return wait()
