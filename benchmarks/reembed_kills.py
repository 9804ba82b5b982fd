"""Re-embedding under `kill -9`, while another process changes the catalogue: are the rows those of a run left in peace?

    python -m benchmarks.reembed_kills [--runs 20] [--songs 600] [--seed 0]

Each run embeds the whole catalogue for a version of its own by two `autosort reembed` processes, while a third process
adds, changes and deletes songs. At a random moment a worker, the database (`kill -9` of its postmaster) or both are
killed; the same command is run again. At the end nothing may be missing, stale, orphaned or there twice, and every
vector must be that of a clean run over the final catalogue.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.support import AUTOSORT, environment
from lifecycle.base_version import register_base_version
from lifecycle.importing import import_file
from lifecycle.progress import Silent
from lifecycle.sample.library import generate_library, write_jsonl
from lifecycle.workspace import Workspace, open_workspace
from registry import versions
from registry.settings import RegistrySettings
from registry.vectors.records import Coverage
from registry.vectors.vector_set import VectorSet
from registry.versions import ModelVersion

TARGETS = ("worker", "database", "both")

_CHURN = """
import random, sys, time
from lifecycle.workspace import open_workspace
from registry import catalogue
from registry.records import Removal, Song

chance, number = random.Random(int(sys.argv[1])), 0
with open_workspace() as workspace:
    while True:
        number += 1
        songs = workspace.database.persist(catalogue.snapshot).songs
        changed, gone = (each.song_id for each in chance.sample(songs, 2))
        records = [
            Song(song_id=f"new-{sys.argv[1]}-{number}", title=f"New {number}", description="It came in between."),
            Song(song_id=changed, title=f"Changed {number}"),
            Removal(song_id=gone),
        ]
        workspace.database.persist(lambda connection: catalogue.merge(connection, list(enumerate(records))))
        print(number, flush=True)
        time.sleep(0.1)
"""


@dataclass(frozen=True)
class Outcome:
    """What one run came to.

    Attributes:
        coverage: of the version, at the end.
        rows: vectors there; `songs` there should be, of the catalogue at the end.
        different: rows whose hash or vector is not that of a clean run (a number differs by 0.001 or more).
        changes: how often the catalogue was changed meanwhile.
    """

    killed: str
    after: float
    coverage: Coverage
    songs: int
    rows: int
    different: int
    changes: int

    @property
    def clean(self) -> bool:
        """Whether the outcome is that of a run left in peace."""
        return self.coverage.complete and self.rows == self.songs and not self.different


class Chaos:
    """A home of its own with an embedded Postgres, in which processes are killed."""

    def __init__(self, home: Path, songs: int) -> None:
        self._home = home
        write_jsonl(generate_library(songs=songs), home / "library.jsonl")
        with self._workspace() as workspace:
            import_file(workspace, home / "library.jsonl")
            register_base_version(workspace, Silent())

    def run(self, chance: random.Random, killed: str, longest: float) -> Outcome:
        """Embed for a new version, killing in the middle; then for another one in peace, and compare."""
        name, after, seed = self.register(), chance.uniform(0.5, longest), chance.randrange(10**9)
        with self._churn(seed) as changes:
            workers = [self._reembed(name) for _ in range(2)]
            time.sleep(after)
            self._kill(killed, workers)
            # Those that were not killed outlive it, and the command is given again.
            self._finish([*workers, self._reembed(name)])
        self._finish([self._reembed(name)])
        clean = self.register()
        self._finish([self._reembed(clean)])
        return self._compare(name, clean, killed, after, len(changes))

    @contextmanager
    def _workspace(self) -> Iterator[Workspace]:
        with open_workspace(RegistrySettings.model_validate({"AUTOSORT_HOME": self._home, "DATABASE_URL": None})) as it:
            yield it

    def register(self) -> str:
        """A version of the base model, of which nothing is embedded."""
        with self._workspace() as workspace, workspace.database.transaction() as connection:
            spec = versions.get(connection, "v1").spec
            recipe = f"chaos at {time.time()}"
            return versions.register(connection, spec, recipe=recipe, actor="benchmark").version

    def _reembed(self, name: str) -> subprocess.Popen[str]:
        command = [str(AUTOSORT), "reembed", name, "--json"]
        with (self._home / f"{name}.log").open("a") as log:
            return subprocess.Popen(command, env=environment(self._home), stdout=log, stderr=log, text=True)

    @contextmanager
    def _churn(self, seed: int) -> Iterator[list[str]]:
        changes: list[str] = []
        command = [sys.executable, "-c", _CHURN, str(seed)]
        process = subprocess.Popen(command, env=environment(self._home), stdout=subprocess.PIPE, text=True)
        try:
            yield changes
        finally:
            process.terminate()
            changes += (process.communicate()[0] or "").splitlines()

    def _kill(self, killed: str, workers: list[subprocess.Popen[str]]) -> None:
        if killed in {"worker", "both"}:
            victim = workers.pop()
            victim.kill()
            victim.wait()
        if killed in {"database", "both"}:
            postmaster = (self._home / "postgres" / "postmaster.pid").read_text().split()[0]
            os.kill(int(postmaster), signal.SIGKILL)

    def _finish(self, workers: list[subprocess.Popen[str]]) -> None:
        """Wait for workers; one that the outage got the better of is started again, as an operator would."""
        for worker in workers:
            worker.wait()
        failed = [worker for worker in workers if worker.returncode]
        if failed:
            again = [str(part) for part in failed[0].args][2]  # type: ignore[union-attr]
            last = self._reembed(again)
            if last.wait():
                sys.exit((self._home / f"{again}.log").read_text()[-2_000:])

    def _compare(self, name: str, clean: str, killed: str, after: float, changes: int) -> Outcome:
        with self._workspace() as workspace, workspace.database.transaction() as connection:
            made, peaceful = (versions.get(connection, each) for each in (name, clean))
            coverage = VectorSet(made).coverage(connection)
            songs = connection.execute("SELECT count(*) AS n FROM songs").fetchone() or {}
            rows, expected = self._rows(workspace, made), self._rows(workspace, peaceful)
        different = sum(each not in expected or not _same(rows[each], expected[each]) for each in rows)
        return Outcome(killed, after, coverage, songs["n"], len(rows), different, changes)

    def _rows(self, workspace: Workspace, version: ModelVersion) -> dict[str, tuple[bytes, np.ndarray]]:
        """Hash and vector by song id; a song that is there twice would be a row too many."""
        with workspace.database.transaction() as connection:
            found = connection.execute(
                "SELECT song_id, content_hash, embedding FROM song_vectors_384 WHERE model_version = %s",
                [version.version],
            ).fetchall()
        rows = {
            row["song_id"]: (bytes(row["content_hash"]), np.asarray(row["embedding"].to_numpy(), np.float32))
            for row in found
        }
        if len(rows) != len(found):
            sys.exit(f"{len(found) - len(rows)} songs are there twice")
        return rows


def _same(row: tuple[bytes, np.ndarray], other: tuple[bytes, np.ndarray]) -> bool:
    """Equal hashes, and vectors equal but for what half precision and the order of sums make of them."""
    return row[0] == other[0] and bool(np.allclose(row[1], other[1], atol=1e-3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--songs", type=int, default=600)
    parser.add_argument("--longest", type=float, default=12.0, help="seconds until the kill, at most")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chance, clean = random.Random(arguments.seed), 0
    with tempfile.TemporaryDirectory(prefix="autosort-kills-", ignore_cleanup_errors=True) as home:
        chaos = Chaos(Path(home), arguments.songs)
        for number in range(arguments.runs):
            outcome = chaos.run(chance, TARGETS[number % len(TARGETS)], arguments.longest)
            clean += outcome.clean
            print(
                f"{number + 1}: {outcome.killed} killed after {outcome.after:.1f} s, {outcome.changes} changes; "
                f"{outcome.rows} rows of {outcome.songs} songs, {outcome.different} different, "
                f"{asdict(outcome.coverage)}",
                flush=True,
            )
    print(f"{clean} of {arguments.runs} ended as a run left in peace")
    sys.exit(clean != arguments.runs)


if __name__ == "__main__":
    main()
