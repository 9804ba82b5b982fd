"""Checkpoints that can be trusted after `kill -9`: one counts only if every file of it was written to its end."""

import json
import os
import shutil
from pathlib import Path

_COMPLETE = "complete"


def mark_complete(checkpoint: Path) -> None:
    """Bring a checkpoint's files to disk, then mark it as complete with the size of each."""
    for path in filter(Path.is_file, checkpoint.rglob("*")):
        with path.open("rb") as file:
            os.fsync(file)
    (checkpoint / _COMPLETE).write_text(json.dumps(_sizes(checkpoint)))


def last_complete(folder: Path) -> Path | None:
    """The latest checkpoint that was neither half written nor half deleted; those that were are deleted."""
    complete = []
    for checkpoint in folder.glob("checkpoint-*"):
        if _is_complete(checkpoint):
            complete.append(checkpoint)
        else:
            shutil.rmtree(checkpoint)
    return max(complete, key=lambda each: int(each.name.removeprefix("checkpoint-")), default=None)


def _is_complete(checkpoint: Path) -> bool:
    mark = checkpoint / _COMPLETE
    try:
        sizes = json.loads(mark.read_text()) if mark.is_file() else None
    except ValueError:  # the mark itself was half written
        sizes = None
    return bool(sizes) and sizes == _sizes(checkpoint)


def _sizes(checkpoint: Path) -> dict[str, int]:
    """The size of each file of a checkpoint, but for the mark that holds them."""
    files = (path for path in checkpoint.rglob("*") if path.is_file() and path.name != _COMPLETE)
    return {path.relative_to(checkpoint).as_posix(): path.stat().st_size for path in sorted(files)}
