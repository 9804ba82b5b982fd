"""What servers have served: requests, failures and how long they took, by version, in Postgres for all to compare.

Times are kept as counts in buckets that grow by a tenth each: quantiles are right within 5 %, whatever the load, and
the counts of many servers are simply added (as in HDR histograms).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from registry.database import Connection
from registry.queries import load_queries

_SQL = load_queries("traffic")

_GROWTH = math.log(1.1)
_SHORTEST, _LONGEST = 1e-5, 1e4


@dataclass(frozen=True, order=True)
class Cell:
    """What requests have in common that are counted together."""

    generation: int
    version: str
    endpoint: str
    bucket: int


@dataclass(frozen=True)
class Count:
    """Requests, and how many of them failed."""

    requests: int = 0
    failed: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(self.requests + other.requests, self.failed + other.failed)


Counts = Mapping[Cell, Count]


@dataclass(frozen=True)
class Served:
    """What one version has served at one generation: counts by endpoint and bucket."""

    buckets: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    failed: int = 0

    @property
    def requests(self) -> int:
        return sum(map(self.requests_of, self.buckets))

    def requests_of(self, endpoint: str) -> int:
        """How many requests an endpoint has answered."""
        return sum(self.buckets.get(endpoint, {}).values())

    def quantile(self, endpoint: str, share: float) -> float | None:
        """Seconds within which so large a share of an endpoint's requests was answered; None if there were none."""
        counts = self.buckets.get(endpoint, {})
        wanted, below = share * self.requests_of(endpoint), 0
        for bucket in sorted(counts):
            below += counts[bucket]
            if below >= wanted:
                return seconds_of(bucket)
        return None


def bucket_of(seconds: float) -> int:
    """The bucket that a time falls in."""
    return round(math.log(min(max(seconds, _SHORTEST), _LONGEST)) / _GROWTH)


def seconds_of(bucket: int) -> float:
    """The middle of a bucket."""
    return math.exp(bucket * _GROWTH)


def add(connection: Connection, counts: Counts) -> None:
    """Add what a server has served since it last told. Rows go in one order, so that servers do not deadlock."""
    ordered = sorted(counts)
    if not ordered:
        return
    keys = ("generation", "version", "endpoint", "bucket")
    about = {name: [getattr(cell, name) for cell in ordered] for name in keys}
    numbers = {name: [getattr(counts[cell], name) for cell in ordered] for name in ("requests", "failed")}
    connection.execute(_SQL["add"], {**about, **numbers})


def delete_old(connection: Connection) -> None:
    """Forget what was served more than 30 days ago."""
    connection.execute(_SQL["delete_old"])


def read(connection: Connection, version: str, generation: int, *, since: datetime | None = None) -> Served:
    """What a version served at one generation, by all servers, from the minute of a moment on."""
    buckets: dict[str, dict[int, int]] = {}
    failed = 0
    for row in connection.execute(_SQL["read"], {"version": version, "generation": generation, "since": since}):
        buckets.setdefault(row["endpoint"], {})[row["bucket"]] = row["requests"]
        failed += row["failed"]
    return Served(buckets, failed)
