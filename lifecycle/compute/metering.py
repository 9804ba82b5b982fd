"""What containers far away worked for, told as it happens: it is paid for whatever becomes of the work."""

from collections.abc import Callable

Spend = Callable[[str, float], None]
"""Takes a function's name and the seconds that it worked; from any thread."""


def unbilled(_function: str, _seconds: float) -> None:
    """For work that is on nobody's bill."""
