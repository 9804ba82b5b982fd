"""What comes after the last vector: the index, its recall, and the moment in which the version becomes visible."""

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress

from lifecycle.progress import Advance
from lifecycle.reconcile.work import Work
from registry import catalogue, versions
from registry.database import Connection
from registry.errors import AutosortError, Refused
from registry.stages import Stage
from registry.vectors import index
from registry.vectors.claims import Claim
from registry.vectors.records import Coverage, VectorSetState, quarantine_limit

_LOOK_SECONDS = 0.5


def ensure_index(work: Work) -> None:
    """Build and measure the version's index, unless that is done; one worker does, and the others wait for it.

    Raises:
        DatabaseFull: there is no room for it.
    """
    while not _is_indexed(work):
        if claim := work.database.persist(work.crew.claim_finish):
            _index_once(work, claim)
        else:
            time.sleep(_LOOK_SECONDS)


def show_if_whole(work: Work) -> Coverage:
    """Make the version visible and ready if nothing is lacking, in one transaction with the count; return the count.

    Raises:
        Refused: too many songs are set aside.
        DatabaseError: a vector is not of length 1.
    """
    return work.database.persist(lambda connection: _show_if_whole(connection, work))


def _show_if_whole(connection: Connection, work: Work) -> Coverage:
    name = work.version.version
    # Of several workers one takes the version further. The others wait for that here, where they hold no table yet.
    stage = versions.get(connection, name).stage
    becoming = stage is Stage.EMBEDDING and versions.lock(connection, name) is stage
    coverage = work.vectors.coverage(connection)
    if not coverage.complete:
        return coverage
    if becoming:
        _require_few_quarantined(work, coverage.quarantined, catalogue.counts(connection)["songs"])
    work.vectors.attach(connection)
    if becoming:
        versions.move(connection, name, Stage.READY)
    return coverage


def _require_few_quarantined(work: Work, quarantined: int, songs: int) -> None:
    allowed = quarantine_limit(songs)
    if quarantined > allowed:
        raise Refused(
            f"{quarantined} of {songs} songs could not be embedded by {work.version.version}; with more than {allowed} "
            "set aside it does not become ready.",
            "`autosort status` lists them with their reasons. Mend the songs or the model, then run the same again.",
        )


def _is_indexed(work: Work) -> bool:
    state: VectorSetState | None = work.database.persist(work.vectors.state)
    return state is not None and (state.attached or state.index_recall is not None)


def _index_once(work: Work, claim: Claim) -> None:
    try:
        if not _is_indexed(work):
            _index(work)
    finally:
        with suppress(AutosortError):
            work.database.persist(lambda connection: work.crew.release(connection, [claim]))


def _index(work: Work) -> None:
    work.database.persist(lambda connection: _build_watched(connection, work))
    with work.database.autocommit() as connection:
        index.settle(connection, work.vectors)
    quality = work.database.persist(lambda connection: index.measure(connection, work.vectors))
    work.database.persist(lambda connection: index.record_quality(connection, work.vectors, quality))


def _build_watched(connection: Connection, work: Work) -> None:
    """Build the index, telling how far it is; interrupted, the server stops building too."""
    plan = index.plan_build(connection, work.vectors)
    name = f"Indexing {work.version.version}"
    with work.progress.task(name, plan.rows, unit="songs") as advance, ThreadPoolExecutor(1, "indexing") as pool:
        building = pool.submit(index.build, connection, work.vectors, plan)
        try:
            _watch(work, building, advance)
        except BaseException:
            with suppress(Exception):  # a database that is away builds nothing
                connection.cancel_safe()
            raise
        building.result()


def _watch(work: Work, building: Future[None], advance: Advance) -> None:
    while wait([building], timeout=_LOOK_SECONDS).not_done:
        with suppress(AutosortError), work.database.transaction() as connection:
            if progress := index.read_progress(connection, work.vectors):
                advance(progress.done, progress.total or None)
