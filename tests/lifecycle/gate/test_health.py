"""The gate's rules on quarantine and servers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lifecycle.gate.evidence import Evidence
from lifecycle.gate.health import quarantine, servers
from lifecycle.gate.policy import GatePolicy
from registry.servers import Server
from registry.vectors.records import Coverage

POLICY = GatePolicy()
COVERAGE = Coverage(missing=0, stale=0, quarantined=0, orphaned=0, playlists=0)
INDEX: dict[str, Any] = {"index_valid": True, "index_used": True, "index_recall": 1.0}
GOOD = Evidence("v2", None, COVERAGE, 1_000, **INDEX, artifact_verified=True)
NOW = datetime(2026, 5, 3, tzinfo=UTC)


def server(name: str, *warm: str, problem: str | None = None) -> Server:
    return Server(name, "v1", 1, warm, problem, NOW, NOW, timedelta(0))


@pytest.mark.parametrize(
    ("songs", "aside", "passed"), [(160, 5, True), (160, 6, False), (1_000, 10, True), (1_000, 11, False)]
)
def test_a_hundredth_may_be_set_aside_or_five_of_a_small_catalogue(songs: int, aside: int, *, passed: bool) -> None:
    verdict = quarantine(replace(GOOD, songs=songs, coverage=replace(COVERAGE, quarantined=aside)), POLICY)
    assert verdict.passed is passed
    assert f"{aside} of {songs}" in verdict.figure
    assert not verdict.waivable


def test_without_servers_none_has_to_hold_it() -> None:
    assert servers(GOOD, POLICY).passed


def test_every_server_must_hold_the_candidate() -> None:
    assert servers(replace(GOOD, servers=[server("a", "v1", "v2"), server("b", "v2")]), POLICY).passed
    verdict = servers(replace(GOOD, servers=[server("a", "v2"), server("b", "v1", problem="No memory.")]), POLICY)
    assert not verdict.passed
    assert verdict.waivable
    assert verdict.figure == "1 of 2 do not hold it ready: b: No memory."
