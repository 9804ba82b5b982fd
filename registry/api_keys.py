"""Keys of the HTTP service: who may do what, known by the digests of random keys that are shown once."""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from registry.database import Connection
from registry.errors import BadInput, NotFound
from registry.queries import load_queries

_SQL = load_queries("api_keys")

PREFIX = "autosort_"
"""By which people and scanners of leaked secrets recognise a key."""

_RANDOM_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Role(StrEnum):
    """What a key may do; each role may do what those before it may."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    def includes(self, other: "Role") -> bool:
        """Whether a key of this role may do what the other one may."""
        order = tuple(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True)
class ApiKey:
    """A key as it is on record; `digest` is all that is known of the key itself."""

    name: str
    role: Role
    digest: bytes
    created_at: datetime
    created_by: str
    revoked_at: datetime | None
    revoked_by: str | None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "ApiKey":
        return cls(**{**row, "role": Role(row["role"]), "digest": bytes(row["digest"])})


def digest_of(key: str) -> bytes:
    """A key's SHA-256. A fast hash is right here: a key is 256 random bits, which nobody can guess."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def add(connection: Connection, name: str, role: Role, *, actor: str) -> tuple[ApiKey, str]:
    """Make a key; the record of it, and the key itself, which is known to nobody after this.

    Raises:
        BadInput: the name cannot be one, or there is or was a key of that name.
    """
    if not _NAME.fullmatch(name):
        raise BadInput(
            f"{name[:80]!r} cannot name a key.", "Take 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-', such as app-2026."
        )
    key = PREFIX + secrets.token_hex(_RANDOM_BYTES)
    row = connection.execute(
        _SQL["add"], {"name": name, "role": role.value, "digest": digest_of(key), "actor": actor}
    ).fetchone()
    assert row is not None  # noqa: S101 - an INSERT that returns
    return ApiKey.from_row(row), key


def revoke(connection: Connection, name: str, *, actor: str) -> bool:
    """Have a key refused from now on; False if that was done before.

    Raises:
        NotFound: there is no such key.
    """
    changed = connection.execute(_SQL["revoke"], {"name": name, "actor": actor}).rowcount > 0
    if not changed and connection.execute(_SQL["find"], {"name": name}).fetchone() is None:
        raise NotFound(f"There is no key {name[:80]!r}.", "See `autosort keys list`.")
    return changed


def list_all(connection: Connection) -> list[ApiKey]:
    """All keys, the revoked ones too, in the order of their making."""
    return [ApiKey.from_row(row) for row in connection.execute(_SQL["list_all"])]
