"""When this command was typed, near enough: imported before anything that takes time."""

import time

STARTED = time.monotonic()
"""By the monotonic clock, in seconds."""
