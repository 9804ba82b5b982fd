"""Keeping every version that could serve up to the catalogue, for as long as somebody wants it."""

import time
from collections.abc import Callable
from contextlib import suppress

from lifecycle.budget import following_bill
from lifecycle.progress import Progress
from lifecycle.reconcile.encoders import Encoders
from lifecycle.reconcile.operation import followed, reconcile
from lifecycle.reconcile.work import Reconciled
from lifecycle.workspace import Workspace
from registry.changes import Noticed, follow_changes
from registry.errors import AutosortError, DatabaseBusy, DatabaseUnavailable

_LOOK_SECONDS = 0.5
_ANYWAY_SECONDS = 60.0
"""Also without a change something may be left to do: a worker elsewhere may have died, a version been registered."""

OnReconciled = Callable[[list[Reconciled]], None]


def watch(workspace: Workspace, progress: Progress, on_reconciled: OnReconciled) -> None:
    """Reconcile all versions whenever the catalogue changes, until interrupted. Outages of the database are outlived.

    Args:
        on_reconciled: told what was done each time.
    """
    follower = _Follower(workspace, progress, on_reconciled)
    while True:
        try:
            follower.follow()
        except (DatabaseUnavailable, DatabaseBusy) as error:
            follower.tell_once("the database", f"{error.fact} Waiting for it.")
            time.sleep(_LOOK_SECONDS)
            with suppress(AutosortError):  # it starts the embedded Postgres again, and waits for any other
                workspace.database.persist(lambda connection: connection.execute("SELECT 1"))


class _Follower:
    """What is kept from one look to the next: models that are loaded, problems that were told."""

    def __init__(self, workspace: Workspace, progress: Progress, on_reconciled: OnReconciled) -> None:
        self._workspace = workspace
        self._progress = progress
        self._on_reconciled = on_reconciled
        self._encoders = Encoders(workspace, progress)
        self._told: dict[str, str] = {}

    def follow(self) -> None:
        """Reconcile at once, and after every change."""
        noticed, read_at = Noticed(), time.monotonic() - _ANYWAY_SECONDS
        with follow_changes(self._workspace.database) as feed:
            while True:
                changed = noticed.changed(feed.wait(_LOOK_SECONDS))
                if changed or time.monotonic() - read_at >= _ANYWAY_SECONDS:
                    read_at = time.monotonic()
                    self._on_reconciled([done for name in followed(self._workspace) if (done := self._reconcile(name))])
                    self._told.pop("the database", None)

    def tell_once(self, about: str, problem: str) -> None:
        """Say what is wrong, unless it was said already and has not passed since."""
        if self._told.get(about) != problem:
            self._told[about] = problem
            self._progress.say(problem)

    def _reconcile(self, name: str) -> Reconciled | None:
        """One version; what is wrong with it keeps no other from being brought up to date."""
        try:
            with following_bill(self._workspace, name, self._progress) as bill:
                done = reconcile(self._workspace, name, self._progress, encoders=self._encoders, spend=bill.spend)
        except DatabaseUnavailable:
            raise
        except AutosortError as error:
            self.tell_once(name, f"{name}: {error}")
            return None
        self._told.pop(name, None)
        return done
