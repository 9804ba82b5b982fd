"""Progress on stderr: bars on a terminal, a line every half minute elsewhere, with --json as JSON."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from lifecycle.progress import Advance, Progress

_LINE_SECONDS = 30.0


def progress_on(console: Console, *, as_json: bool) -> Progress:
    """The progress that suits a console."""
    return TerminalProgress(console) if console.is_terminal and not as_json else LineProgress(console, as_json=as_json)


class TerminalProgress:
    """Bars and lines."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, line: str) -> None:
        """Print the line."""
        self._console.print(line, markup=False, highlight=False)

    @contextmanager
    def task(self, name: str, total: int, *, unit: str | None = None) -> Iterator[Advance]:
        """Show a bar until the task ends."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TaskProgressColumn())
        with Bars(*columns, TimeRemainingColumn(), TextColumn("{task.fields[facts]}"), console=self._console) as bars:
            task, pace = bars.add_task(name, total=total, facts=""), _Pace()

            def advance(done: int, all_of_it: int | None = None, /, **facts: int) -> None:
                told = _in_words(pace.of(done) if unit else None, unit, facts)
                bars.update(task, completed=done, total=all_of_it or total, facts=told)

            yield advance


class LineProgress:
    """Lines: one when a task begins, one every half minute, one when it ends."""

    def __init__(self, console: Console, *, as_json: bool) -> None:
        self._console = console
        self._as_json = as_json

    def say(self, line: str) -> None:
        """Print the line, or a JSON object with it."""
        self._print(json.dumps({"message": line}, ensure_ascii=False) if self._as_json else line)

    @contextmanager
    def task(self, name: str, total: int, *, unit: str | None = None) -> Iterator[Advance]:
        """Print how far the task is, from time to time and at its end."""
        pace, told_at = _Pace(), time.monotonic()
        last: tuple[int, int, Mapping[str, int]] = (0, total, {})

        def advance(done: int, all_of_it: int | None = None, /, **facts: int) -> None:
            nonlocal told_at, last
            last = (done, all_of_it or total, facts)
            if time.monotonic() - told_at >= _LINE_SECONDS:
                told_at = time.monotonic()
                self._tell(name, unit, pace, *last)

        self._tell(name, unit, pace, *last)
        yield advance
        self._tell(name, unit, pace, *last)

    def _tell(
        self, name: str, unit: str | None, pace: "_Pace", done: int, total: int, facts: Mapping[str, int]
    ) -> None:
        speed = pace.of(done)
        if self._as_json:
            known = {"task": name, "done": done, "total": total, "unit": unit, **facts}
            rates = {"per_second": round(speed, 1), "seconds_left": round((total - done) / speed)} if speed else {}
            self._print(json.dumps(known | rates))
            return
        share = f" ({done / total:.0%})" if total else ""
        left = f", {_duration((total - done) / speed)} left" if speed and done < total else ""
        words = _in_words(speed if unit else None, unit, facts)
        self._print(f"{name}: {done} of {total}{share}{left}{f', {words}' if words else ''}")

    def _print(self, line: str) -> None:
        # Written as it is: rich would break long lines at a width that a log does not have.
        print(line, file=self._console.file, flush=True)


class _Pace:
    """How fast a task goes, over all of it."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    def of(self, done: int) -> float:
        """Units a second; 0 while that cannot be told."""
        seconds = time.monotonic() - self._begun
        return done / seconds if seconds > 0 else 0.0


def _in_words(speed: float | None, unit: str | None, facts: Mapping[str, int]) -> str:
    told = [f"{speed:.0f} {unit}/s"] if speed else []
    return ", ".join(told + [f"{name} {value}" for name, value in facts.items() if value])


def _duration(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3_600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
