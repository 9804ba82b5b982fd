"""The database on behalf of requests, in threads of its own: while it is away, only those that need it wait."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from serving.disclosure import unreachable

Result = TypeVar("Result")


class DatabaseThreads:
    """Runs what needs the database.

    Args:
        reachable: whether the database was there when somebody last looked.
        count: threads; all pools of a service together have fewer than a `Database` has connections, so that the slot,
            the heartbeat and the shadow always find one.
    """

    def __init__(self, reachable: Callable[[], bool], count: int, name: str) -> None:
        self._reachable = reachable
        self._threads = ThreadPoolExecutor(count, name)

    async def run(self, work: Callable[[], Result]) -> Result:
        """Have work done in one of the threads.

        Raises:
            DatabaseUnavailable: the database cannot be reached; also whatever the work raises.
        """
        self.require()
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._checked, work)

    def require(self) -> None:
        """Raise `DatabaseUnavailable` unless the database can be reached, as far as is known."""
        if not self._reachable():
            raise unreachable()

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()

    def _checked(self, work: Callable[[], Result]) -> Result:
        self.require()  # again: it may have gone while this waited for a thread
        return work()
