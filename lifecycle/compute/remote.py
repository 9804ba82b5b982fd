"""Reaching the app on Modal by the names of its functions, and what can go wrong on the way."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from registry.errors import AutosortError, ComputeError, ComputeUnavailable, Refused

_REACH_SECONDS = 5.0
_TOLD = 300

_AWAY = "It may be back soon; work that was begun there goes on."


class StillRunning(Exception):
    """The call has no outcome yet."""


class Forgotten(Exception):
    """Nobody knows the call any more; what it left on a disk is there."""


class ModalApp:
    """The deployed app.

    Args:
        name: of the app.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def call(self, function: str, *arguments: Any) -> Any:  # noqa: ANN401 - as the function says
        """Call a function and wait for it.

        Raises:
            ComputeUnavailable: Modal cannot be reached, or the call was lost on the way.
            ComputeError: there is no such function, or it failed in a way of its own.
            AutosortError: what the function raised.
        """
        with translated(self.name):
            return self._function(function).remote(*arguments)

    def spawn(self, function: str, *arguments: Any) -> str:  # noqa: ANN401
        """Begin a call; its id finds it again, from anywhere."""
        with translated(self.name):
            return str(self._function(function).spawn(*arguments).object_id)

    def outcome(self, call_id: str, *, seconds: float) -> Any:  # noqa: ANN401
        """What a call came to.

        Raises:
            StillRunning: nothing yet within so many seconds.
            Forgotten: there is no such call, or not any more.
            ComputeUnavailable, ComputeError, AutosortError: as for `call`.
        """
        import modal
        from modal import exception as modals

        require_reachable()
        with translated(self.name):
            try:
                call = modal.FunctionCall.from_id(call_id)
                call.num_inputs()  # asked of a call that is not known any more, this says so
                return call.get(timeout=seconds)
            except modals.FunctionTimeoutError:
                raise
            except (TimeoutError, modals.TimeoutError):
                raise StillRunning from None
            except (modals.NotFoundError, modals.OutputExpiredError):
                raise Forgotten from None

    def instance(self, name: str, **parameters: Any) -> Any:  # noqa: ANN401 - modal's own
        """An instance of one of its classes."""
        import modal

        with translated(self.name):
            return modal.Cls.from_name(self.name, name)(**parameters)

    def shelf(self) -> "FarShelfOnModal":
        """The shelf on its volume."""
        return FarShelfOnModal(self)

    def _function(self, name: str) -> Any:  # noqa: ANN401
        import modal

        require_reachable()
        return modal.Function.from_name(self.name, name)


class FarShelfOnModal:
    """The methods of the shelf on the app's volume."""

    def __init__(self, app: ModalApp) -> None:
        self._app = app

    def call(self, method: str, *arguments: Any) -> Any:  # noqa: ANN401
        return self._app.call("shelf", method, *arguments)


def require_reachable(connect: Callable[..., socket.socket] = socket.create_connection) -> None:
    """Raise `ComputeUnavailable` at once where nobody answers; Modal's own client tries for a minute.

    Raises:
        Refused: Modal is not installed.
    """
    try:
        from modal.config import config
    except ImportError:
        raise Refused(
            "AUTOSORT_COMPUTE is modal, and the package modal is not installed.",
            "Run `pip install modal`.",
        ) from None
    # There may be several, parted by commas, of which the client takes whichever answers.
    addresses = [urlsplit(each.strip()) for each in str(config["server_url"]).split(",")]
    problem: OSError | None = None
    for address in addresses:
        if address.scheme == "unix":  # in a container of Modal's
            return
        port = address.port or (443 if address.scheme == "https" else 80)
        try:
            connect((address.hostname, port), _REACH_SECONDS / len(addresses)).close()
        except OSError as error:
            problem = error
        else:
            return
    raise ComputeUnavailable(f"Modal cannot be reached: {type(problem).__name__}.", _AWAY)


@contextmanager
def translated(app: str) -> Iterator[None]:
    """Modal's exceptions as the toolkit's own; what a function raised of the toolkit's passes as it is."""
    from modal import exception as modals

    try:
        yield
    except (AutosortError, StillRunning, Forgotten):
        raise
    except modals.AuthError:
        raise ComputeError(
            "Modal does not know this token.", "Run `modal token new`, then `autosort doctor`."
        ) from None
    except (modals.ConnectionError, modals.ServiceError, modals.InternalError, ConnectionError) as error:
        raise ComputeUnavailable(f"Modal did not answer: {type(error).__name__}.", _AWAY) from None
    except modals.NotFoundError as error:
        raise ComputeError(
            f"Modal has not what was asked of {app!r}: {str(error)[:_TOLD]}.", "Run `modal deploy modal_jobs/app.py`."
        ) from None
    except Exception as error:
        raise ComputeError(
            f"Work on Modal failed: {type(error).__name__}: {str(error)[:_TOLD]}.", f"See `modal app logs {app}`."
        ) from error
