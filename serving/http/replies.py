"""Bodies of responses, written fast: thousands of numbers a request."""

from typing import Any

import orjson
from starlette.responses import Response


def json_reply(body: Any) -> Response:  # noqa: ANN401 - whatever JSON holds, and arrays of numbers
    """A response with this body; numpy arrays become lists of numbers."""
    return Response(orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")
