"""Texts to vectors, on behalf of a request: in shared batches, and only while the client waits."""

from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from serving.http.abandonment import unless_abandoned
from serving.inference.served import Embedded, ServedEncoder

_QUICK_CHARACTERS = 10_000
"""Texts that are cut into tokens in well under a millisecond; more would hold up other requests' answers."""


async def embed(
    request: Request, encoder: ServedEncoder, texts: Sequence[str], prompt: str, *, normalize: bool = True
) -> Embedded:
    """Vectors of texts with a prompt before each, of length 1 unless they are not to be normalized.

    Raises:
        Overloaded: they would have to wait for too long.
        InferenceFailed: the model failed on one.
        ClientGone: nobody waits for them any more.
    """
    submit = encoder.submit if normalize else encoder.pool
    if sum(map(len, texts)) <= _QUICK_CHARACTERS:
        future = submit(texts, prompt)
    else:
        future = await run_in_threadpool(submit, texts, prompt)
    return await unless_abandoned(request, future)
