"""Artifacts, datasets and outcomes of trainings on a disk far away, which arrive and leave in pieces.

The same folders as a workspace's own (`artifacts/`, `datasets/`, `runs/`), so that what stands here is loaded as it is.
A folder is there once it is whole and is what its name says, or it is not there.
"""

import shutil
from dataclasses import dataclass
from enum import StrEnum
from hashlib import file_digest
from pathlib import Path, PurePosixPath

from registry.artifacts import ArtifactStore, digest_of
from registry.errors import BadInput, DigestMismatch, NotFound


class Kind(StrEnum):
    """What folders travel."""

    ARTIFACT = "artifacts"
    DATASET = "datasets"
    RUN = "runs"


@dataclass(frozen=True)
class Piece:
    """A file of a folder: its path in there, its bytes, and their SHA-256 (hex)."""

    path: str
    size: int
    digest: str


def list_pieces(folder: Path) -> list[Piece]:
    """The files of a folder, by path."""
    found = []
    for path in sorted(filter(Path.is_file, folder.rglob("*"))):
        with path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        found.append(Piece(path.relative_to(folder).as_posix(), path.stat().st_size, digest))
    return found


class Shelf:
    """The folders on one disk."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def artifacts(self) -> ArtifactStore:
        return ArtifactStore(self.root / Kind.ARTIFACT)

    @property
    def datasets(self) -> Path:
        return self.root / Kind.DATASET

    def folder(self, kind: Kind, name: str) -> Path:
        """Where a folder stands, or would.

        Raises:
            BadInput: the name leads elsewhere.
        """
        return _within(self.root / kind, name)

    def has(self, kind: Kind, name: str) -> bool:
        """Whether a folder is there."""
        return self.folder(kind, name).is_dir()

    def write(self, kind: Kind, name: str, path: str, offset: int, data: bytes) -> None:
        """Write a part of a file of a folder that is arriving; the same again changes nothing."""
        target = _within(self._arriving(kind, name), path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("r+b" if target.exists() else "wb") as file:
            file.seek(offset)
            file.write(data)

    def seal(self, kind: Kind, name: str) -> None:
        """End an arrival: the folder is there if it is what its name says, or everything of it is deleted.

        Raises:
            DigestMismatch, BadInput, UnsafeArtifact: it is something else.
        """
        arriving, target = self._arriving(kind, name), self.folder(kind, name)
        if not target.is_dir():
            try:
                self._check(kind, name, arriving)
                arriving.rename(target)
            finally:
                shutil.rmtree(arriving, ignore_errors=True)

    def pieces(self, kind: Kind, name: str) -> list[Piece]:
        """The files of a folder.

        Raises:
            NotFound: it is not there.
        """
        if not self.has(kind, name):
            raise NotFound(f"{kind.value}/{name[:16]} is not on this disk.", "Send it there, or make it again.")
        return list_pieces(self.folder(kind, name))

    def read(self, kind: Kind, name: str, path: str, offset: int, size: int) -> bytes:
        """A part of a file of a folder.

        Raises:
            NotFound: there is no such file.
        """
        found = _within(self.folder(kind, name), path)
        if not found.is_file():
            raise NotFound(f"{path[:64]} of {kind.value}/{name[:16]} is not on this disk.", "Send it there.")
        with found.open("rb") as file:
            file.seek(offset)
            return file.read(size)

    def peek(self, kind: Kind, name: str, path: str) -> bytes:
        """All of a small file of a folder; nothing as long as it is not there."""
        found = _within(self.folder(kind, name), path)
        return found.read_bytes() if found.is_file() else b""

    def _arriving(self, kind: Kind, name: str) -> Path:
        return _within(self.root / kind / ".arriving", name)

    def _check(self, kind: Kind, name: str, folder: Path) -> None:
        if kind is Kind.ARTIFACT and (found := digest_of(folder)) != name:
            raise DigestMismatch(f"What arrived as {name[:12]} has the digest {found[:12]}.", "Send it again.")
        if kind is Kind.DATASET:
            from training.dataset import PairDataset  # takes a second, which the sending side does not need

            PairDataset.load(folder.parent, name)


def _within(folder: Path, name: str) -> Path:
    parts = PurePosixPath(name).parts
    if not parts or any(part in {"..", "/"} for part in parts):
        raise BadInput(f"{name[:64]!r} names nothing in {folder}.", "Give a name without a path that leads out of it.")
    return folder.joinpath(*parts)
