"""How Weights & Biases is opened and closed: quiet, within one folder, and offline unless there is a key.

Nothing here imports wandb before it is needed, nor needs it to be installed.
"""

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from wandb import Run

    from lifecycle.progress import Progress

_PROJECT = "autosort"
_KEY = "WANDB_API_KEY"
_LONGEST = 300
_GRACE = 5.0
_FAILED = 60.0

_PREFERRED: Mapping[str, Any] = {"project": _PROJECT, "init_timeout": 30.0, "finish_timeout": 900.0}
"""What a variable of W&B's own (`WANDB_PROJECT`, …) may change; the seconds that a server is waited for."""

_FIXED: Mapping[str, Any] = {
    "console": "off",
    "finish_timeout_raises": True,
    "label_disable": True,
    "reinit": "create_new",
    "symlink": False,
    "use_dot_wandb": False,
    # A run tells of the training alone: nothing of this machine, its code or its git repository.
    "disable_code": True,
    "disable_git": True,
    "disable_job_creation": True,
    "host": "",
    "program": "",
    "save_code": False,
    "x_disable_machine_info": True,
    "x_disable_meta": True,
    "x_disable_stats": True,
    "x_disable_viewer": True,
    "x_save_requirements": False,
    "x_transaction_log_flush_interval": 1.0,
}


@dataclass(frozen=True)
class Identity:
    """What a run is known by.

    Attributes:
        run_id: a run begun again under the same one goes on.
        kind: of work, by which runs can be told apart.
    """

    run_id: str
    name: str
    kind: str


@dataclass(frozen=True)
class Standing:
    """How a run would be opened.

    Attributes:
        version: of W&B; None where it is not installed.
        has_key: whether there is one; whether it is right only their server knows.
        modes: in which it is tried, the better one first; empty: W&B is switched off.
    """

    version: str | None
    has_key: bool
    modes: tuple[str, ...]


def read_standing() -> Standing:
    """How a run would be opened in this environment; W&B is not imported for that."""
    return Standing(version("wandb") if _is_installed() else None, bool(_key()), tuple(_modes()))


@contextmanager
def wandb_run(
    home: Path, identity: Identity, config: Mapping[str, Any], progress: "Progress"
) -> Iterator["Run | None"]:
    """A run of W&B, or none where there is no W&B; the reason for none, if it is not plain, is told in one line.

    The run is not finished here, but W&B is closed afterwards: what is not sent by then stays in `home/wandb`.
    """
    with _environment(home / "wandb"):
        run = _begin(home.absolute(), identity, config, progress)
        try:
            yield run
        finally:
            if run is not None:
                _close()


def finish(run: "Run", exit_code: int) -> None:
    """Send what is left and end the run.

    W&B's own limit does not hold while its server keeps silent, so it is kept here as well; after a failure nobody
    should wait long.

    Raises:
        TimeoutError: not all could be sent in time; it is kept in the run's folder.
    """
    errors: list[Exception] = []
    thread = Thread(target=_finish, args=(run, exit_code, errors), daemon=True)
    thread.start()
    limit = run.settings.finish_timeout
    try:
        thread.join((min(limit, _FAILED) if exit_code else limit) + _GRACE if limit else None)
        if thread.is_alive():
            raise TimeoutError("the server did not answer in time")
    finally:
        if thread.is_alive():
            _kill()
    if errors:
        raise errors[0]


def _finish(run: "Run", exit_code: int, errors: list[Exception]) -> None:
    try:
        run.finish(exit_code)
    except Exception as error:  # noqa: BLE001 - raised again where it is waited for
        errors.append(error)


def _kill() -> None:
    """End W&B's process the hard way; what it was told is on disk by then."""
    for child in psutil.Process().children():
        if child.name() == "wandb-core":
            child.kill()


def told(error: BaseException) -> str:
    """An error of W&B in one line, without the key."""
    text = str(error).replace(_key(), "…") if _key() else str(error)
    lines = text.strip().splitlines() or ["no reason given"]
    return f"Weights & Biases: {type(error).__name__}: {lines[0][:_LONGEST].rstrip('.')}"


def _begin(home: Path, identity: Identity, config: Mapping[str, Any], progress: "Progress") -> "Run | None":
    if not _is_installed():
        if _key():
            progress.say(f"{_KEY} is set, but wandb is not installed: `pip install autosort-lifecycle[wandb]`.")
        return None
    problem = ""
    for mode in _modes():
        try:
            run = _open(home, mode, identity, config)
        except Exception as error:  # noqa: BLE001 - whatever it is, the training is worth more
            problem = f"{told(error)}. "
            _close()
        else:
            progress.say(problem + _where(run))
            return run
    if problem:
        progress.say(f"{problem}This retraining is not tracked.")
    return None


def _key() -> str:
    return os.environ.get(_KEY, "").strip()


def _is_installed() -> bool:
    """Whether there is a package; a mere folder of that name, such as W&B leaves where it runs, is none."""
    found = find_spec("wandb")
    return found is not None and found.origin is not None


def _modes() -> list[str]:
    """How to open W&B, the better way first; `WANDB_MODE` may ask for less than the key allows."""
    chosen = os.environ.get("WANDB_MODE", "")
    if chosen == "disabled":
        return []
    return ["online", "offline"] if _key() and chosen in ("", "online") else ["offline"]


def _open(home: Path, mode: str, identity: Identity, config: Mapping[str, Any]) -> "Run":
    import wandb

    folder = home / "wandb"
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):  # W&B would turn to the folder of temporary files
        raise PermissionError(f"{folder} cannot be written")
    preferred = {name: value for name, value in _PREFERRED.items() if f"WANDB_{name}".upper() not in os.environ}
    wandb.setup(wandb.Settings(silent=True, mode=mode))
    return wandb.init(
        id=identity.run_id,
        name=identity.name,
        job_type=identity.kind,
        config=dict(config),
        resume="allow",
        settings=wandb.Settings(root_dir=str(home), mode=mode, **preferred, **_FIXED),
    )


def sync_command(run: "Run") -> str:
    """What sends that of a run which is on this machine alone."""
    option = "" if run.offline else "--include-online "
    return f"`wandb sync {option}{shlex.quote(run.settings.sync_dir)}`"


def _where(run: "Run") -> str:
    if run.offline:
        return f"Tracked offline; {sync_command(run)} sends it to Weights & Biases."
    return f"Tracked at {run.url}"


def _close() -> None:
    """End W&B's process, so that the next run in this one begins with the settings of its time."""
    with suppress(Exception, SystemExit):  # it exits where its process did not end well
        from wandb import teardown

        teardown(0)


@contextmanager
def _environment(folder: Path) -> Iterator[None]:
    """What W&B takes from the environment alone: no reports of its own, no files elsewhere. What is set stands."""
    wanted = {
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_CACHE_DIR": str(folder / "cache"),
        "WANDB_DATA_DIR": str(folder / "data"),
    }
    added = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
