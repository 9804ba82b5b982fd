"""Model artifacts: folders named by the SHA-256 of what they hold, verified before every load."""

import re
import shutil
import tempfile
from collections.abc import Callable
from hashlib import file_digest, sha256
from pathlib import Path

from registry.errors import ArtifactError, DigestMismatch, UnsafeArtifact

SAFE_SUFFIXES = frozenset({".json", ".md", ".model", ".safetensors", ".txt"})
"""Weights as safetensors, tokenizers, configurations and text. Anything else might run code when it is loaded."""

_DIGEST = re.compile("[0-9a-f]{64}")


class ArtifactStore:
    """A folder of artifacts, each a sub-folder named by its digest.

    Args:
        refresh: brings the folder up to date where it is a copy; asked when an artifact is missing.
    """

    def __init__(self, folder: Path, refresh: Callable[[], None] | None = None) -> None:
        self._folder = folder
        self._refresh = refresh

    def add(self, source: Path) -> str:
        """Copy a folder into the store, whole or not at all, and return its digest.

        Raises:
            ArtifactError: there is no such folder.
            UnsafeArtifact: the folder holds something other than weights and text.
        """
        if not source.is_dir():
            raise ArtifactError(
                f"There is no folder {source} to store.", "Give the folder that the model was saved to."
            )
        digest = digest_of(source)
        target = self._folder / digest
        if target.is_dir() and digest_of(target) == digest:
            return digest
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._folder, prefix=".draft-") as draft:
            shutil.copytree(source, Path(draft) / digest)
            shutil.rmtree(target, ignore_errors=True)
            (Path(draft) / digest).rename(target)
        return digest

    def size(self, digest: str) -> int:
        """Bytes of an artifact; 0 if it is not there."""
        return sum(path.stat().st_size for path in (self._folder / digest).rglob("*") if path.is_file())

    def verified(self, digest: str) -> Path:
        """The folder of an artifact whose bytes have just been found to be the registered ones.

        Raises:
            ArtifactError: it is not in the store, or no digest at all.
            UnsafeArtifact: it holds something that must never be loaded, such as a pickle.
            DigestMismatch: a byte differs from what was registered.
        """
        folder = self._folder / digest
        if not _DIGEST.fullmatch(digest):
            raise ArtifactError(
                f"{digest[:64]!r} is no artifact's digest.",
                "A digest is a SHA-256 in 64 hexadecimal digits, as the registration of a version recorded it.",
            )
        if not folder.is_dir() and self._refresh is not None:
            self._refresh()
        if not folder.is_dir():
            raise ArtifactError(
                f"The artifact {digest[:12]} is not in {self._folder}.",
                "Copy it there from a machine that has it, or from a backup; its digest is checked on arrival.",
            )
        found = digest_of(folder)
        if found != digest:
            raise DigestMismatch(
                f"The artifact in {folder} was changed: its digest is {found[:12]}, {digest[:12]} was registered.",
                "It is not loaded. Restore the folder from a backup, or retrain; then run the same command again.",
            )
        return folder

    def remove(self, digest: str) -> None:
        """Delete an artifact, if it is there; what is no digest names none, and nothing is deleted."""
        if _DIGEST.fullmatch(digest):
            shutil.rmtree(self._folder / digest, ignore_errors=True)


def digest_of(folder: Path) -> str:
    """SHA-256 of a folder, in lower-case hexadecimal digits.

    It is that of one line for each file at any depth: the file's own SHA-256 in the same form, two spaces, its path
    relative to the folder with slashes, a line feed. Lines are ordered by path, code point by code point, and encoded
    as UTF-8. Folders have no line, so an empty one makes no difference.

    Raises:
        UnsafeArtifact: the folder holds a link, or a file that is neither weights nor text.
    """
    lines = []
    for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix()):
        _check_safe(folder, path)
        if path.is_file():
            with path.open("rb") as file:
                lines.append(f"{file_digest(file, 'sha256').hexdigest()}  {path.relative_to(folder).as_posix()}\n")
    return sha256("".join(lines).encode()).hexdigest()


def copy_safe_files(source: Path, target: Path) -> None:
    """Copy of a model folder only what an artifact may hold."""
    for path in sorted(source.rglob("*")):
        if path.is_file() and path.suffix in SAFE_SUFFIXES:
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def _check_safe(folder: Path, path: Path) -> None:
    if path.is_symlink() or not (path.is_dir() or path.is_file()):
        raise UnsafeArtifact(
            f"{path.relative_to(folder)} in the artifact {folder} is a link or no plain file.",
            "Nothing of it is loaded. Replace it with the file itself, or restore the folder from a backup.",
        )
    if path.is_file() and path.suffix not in SAFE_SUFFIXES:
        raise UnsafeArtifact(
            f"{path.relative_to(folder)} in the artifact {folder} may run code when loaded; only "
            f"{', '.join(sorted(SAFE_SUFFIXES))} files are allowed.",
            "Nothing of it is loaded. Find out who put it there, then restore the folder from a backup.",
        )
