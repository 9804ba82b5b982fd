"""Bringing folders to a disk far away and back, in pieces, checked on arrival."""

import shutil
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from lifecycle.compute.shelf import Kind, Piece, list_pieces
from lifecycle.progress import Progress
from registry.errors import ComputeError

PIECE_BYTES = 16 * 2**20


class FarShelf(Protocol):
    """A `Shelf` on another machine: its methods by name."""

    def call(self, method: str, *arguments: Any) -> Any:  # noqa: ANN401 - as the method says
        """Call one; what it raises is raised here."""
        ...


def send(far: FarShelf, kind: Kind, name: str, folder: Path, progress: Progress) -> bool:
    """Bring a folder there unless it is; whether it had to be."""
    if far.call("has", kind.value, name):
        return False
    pieces = list_pieces(folder)
    with progress.task(f"Sending {kind.value}/{name[:12]}", sum(each.size for each in pieces), unit="bytes") as advance:
        sent = 0
        for piece in pieces:
            with (folder / piece.path).open("rb") as file:
                for offset in range(0, max(piece.size, 1), PIECE_BYTES):
                    far.call("write", kind.value, name, piece.path, offset, file.read(PIECE_BYTES))
                    advance(min(sent + offset + PIECE_BYTES, sent + piece.size))
            sent += piece.size
        far.call("seal", kind.value, name)
    return True


def fetch(far: FarShelf, kind: Kind, name: str, target: Path, progress: Progress) -> Path:
    """Bring a folder here, each file checked by its digest; what is here already is not fetched again.

    Raises:
        ComputeError: a file is not what it was there.
    """
    pieces = [Piece(*each) for each in far.call("pieces", kind.value, name)]
    if target.is_dir() and list_pieces(target) == pieces:
        return target
    draft = target.with_name(f".arriving-{target.name}")
    shutil.rmtree(draft, ignore_errors=True)
    _fetch_all(far, kind, name, pieces, draft, progress)
    shutil.rmtree(target, ignore_errors=True)
    draft.rename(target)
    return target


def _fetch_all(far: FarShelf, kind: Kind, name: str, pieces: Sequence[Piece], draft: Path, progress: Progress) -> None:
    with progress.task(
        f"Fetching {kind.value}/{name[:12]}", sum(each.size for each in pieces), unit="bytes"
    ) as advance:
        done = 0
        for piece in pieces:
            path = draft / piece.path
            path.parent.mkdir(parents=True, exist_ok=True)
            digest = sha256()
            with path.open("wb") as file:
                for offset in range(0, piece.size, PIECE_BYTES):
                    part = far.call("read", kind.value, name, piece.path, offset, PIECE_BYTES)
                    digest.update(part)
                    file.write(part)
                    done += len(part)
                    advance(done)
            if digest.hexdigest() != piece.digest:
                raise ComputeError(f"{piece.path} of {kind.value}/{name[:12]} arrived changed.", "Run this again.")
