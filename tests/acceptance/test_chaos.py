"""Workers and the database killed by `kill -9` while the catalogue changes: real processes, a Postgres of their own."""

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.reembed_kills import Chaos


@pytest.fixture(scope="module")
def chaos() -> Iterator[Chaos]:
    # Not in pytest's own folder: that becomes unreadable to Postgres' user when another run of root's starts.
    with tempfile.TemporaryDirectory(prefix="autosort-chaos-", ignore_cleanup_errors=True) as home:
        yield Chaos(Path(home), songs=120)


def test_with_worker_and_database_killed_the_same_command_ends_as_a_run_left_in_peace(chaos: Chaos) -> None:
    outcome = chaos.run(random.Random(1), "both", longest=6)
    assert outcome.coverage.complete
    assert outcome.coverage.orphaned == 0
    assert outcome.rows == outcome.songs
    assert outcome.different == 0
    assert outcome.changes > 0
