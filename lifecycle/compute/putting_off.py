"""What becomes of work while the machine that is to do it is away: it stays on record, and is tried again later."""

from collections.abc import Iterator
from contextlib import contextmanager

from lifecycle.workspace import Workspace
from registry import remote_work
from registry.errors import AutosortError, ComputeUnavailable
from registry.remote_work import RemoteState, RemoteWork


@contextmanager
def put_off_while_away(workspace: Workspace, work: RemoteWork) -> Iterator[None]:
    """Note on the work's record that Modal is away, or that it failed; the error passes on, with what happens next."""
    try:
        yield
    except ComputeUnavailable as error:
        with workspace.database.transaction() as connection:
            later = remote_work.put_off(connection, work.work_id, error.fact)
        raise ComputeUnavailable(
            error.fact,
            f"The {work.kind.value} is on record and is tried again from {later.due_at:%H:%M:%S} UTC on by whatever "
            "runs next: this command, `autosort sync` or `autosort quarter`. `autosort status` shows it.",
        ) from None
    except AutosortError as error:
        with workspace.database.transaction() as connection:
            remote_work.close(connection, work.work_id, RemoteState.FAILED, error.fact)
        raise
