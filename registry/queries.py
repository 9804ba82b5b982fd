"""SQL kept in `.sql` files: every query has a name and says what it is for."""

import re
from functools import cache
from importlib.resources import files
from typing import LiteralString, cast

from psycopg import sql

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def load_queries(room: str) -> dict[str, sql.SQL]:
    """The queries of `sql/<room>.sql` by name. Braces in them are placeholders of `psycopg.sql`."""
    text = files("registry").joinpath("sql", f"{room}.sql").read_text(encoding="utf-8")
    _, *parts = _NAME.split(text)
    # The text is the project's own, read from its package: as literal as if it stood here.
    return {
        name: sql.SQL(cast("LiteralString", body.strip())) for name, body in zip(parts[::2], parts[1::2], strict=True)
    }
