"""The addresses that the service answers at: their templates, which logs and metrics name, and what each needs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute

from registry.api_keys import Role
from registry.errors import AutosortError


class NotAllowed(AutosortError):
    """The key may not do this."""


@dataclass(frozen=True)
class Address:
    """Where a request goes: a template such as "/songs/{song_id}", and the role needed there; None for no key."""

    template: str
    role: Role | None
    known: bool = True


_UNKNOWN = Address("(unknown)", Role.READ, known=False)
_OPEN = ("/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc")
"""They tell how to ask, and nothing of this server."""


@dataclass(frozen=True)
class _Needs:
    """What a route needs. The middleware has seen to it before; this is asked should it ever look at another route."""

    role: Role | None

    async def __call__(self, request: Request) -> None:
        caller = request.scope["state"].get("caller")
        if self.role is not None and (caller is None or not caller.role.includes(self.role)):
            raise NotAllowed(f"This address needs a key that may {self.role}.", "Ask with another key.")


def needs(role: Role) -> Any:  # noqa: ANN401 - as FastAPI's own Depends
    """For a route's `dependencies`: its callers need a key of this role. A route that says nothing needs "read"."""
    return Depends(_Needs(role))


def needs_no_key() -> Any:  # noqa: ANN401 - as FastAPI's own Depends
    """For a route's `dependencies`: anybody may ask."""
    return Depends(_Needs(None))


class Addresses:
    """Finds an address by method and path."""

    def __init__(self, routers: Iterable[APIRouter]) -> None:
        self._plain: dict[tuple[str, str], Address] = {}
        self._patterns: list[tuple[frozenset[str], Callable[[str], Any], Address]] = []
        for path in _OPEN:
            self._plain["GET", path] = self._plain["HEAD", path] = Address(path, None)
        for router in routers:
            for route in router.routes:
                if isinstance(route, APIRoute):
                    self._add(route)

    def find(self, method: str, path: str) -> Address:
        """The address that a request is for; an unknown one still needs a key that may read."""
        found = self._plain.get((method, path))
        if found is not None:
            return found
        for methods, matches, address in self._patterns:
            if method in methods and matches(path):
                return address
        return _UNKNOWN

    def role(self, method: str, template: str) -> Role | None:
        """What a route needs, by its template."""
        return self.find(method, template).role

    def _add(self, route: APIRoute) -> None:
        methods = frozenset(route.methods or ())
        address = Address(route.path_format, _role_of(route))
        self._patterns.append((methods, route.path_regex.match, address))
        if "{" not in route.path:
            self._plain.update({(method, route.path): address for method in methods})


def _role_of(route: APIRoute) -> Role | None:
    said = [each.dependency.role for each in route.dependencies if isinstance(each.dependency, _Needs)]
    return said[0] if said else Role.READ
