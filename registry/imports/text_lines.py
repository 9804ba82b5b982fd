"""Physical lines of a UTF-8 file, numbered, a bounded number of bytes at a time."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from registry.errors import BadInput
from registry.imports.rows import shown

LINE_BYTES = 1 << 20
"""No line of a known format comes near 1 MiB: the longest record has about 30,000 characters."""

_PREFIX_BYTES = 400
_PATH_CHARACTERS = 300
_SAVE_AS_UTF8 = "Save it as UTF-8 (in Excel: 'CSV UTF-8') and import it again."


@dataclass(frozen=True)
class TextLine:
    """One physical line, its line ending included. `too_long`: `text` is only the beginning of it."""

    number: int
    text: str
    too_long: bool = False


def named(path: Path) -> str:
    """The path as error messages show it."""
    return f"'{shown(str(path), _PATH_CHARACTERS)}'"


def require_text_file(path: Path) -> None:
    """Refuse what cannot be a UTF-8 text file.

    Raises:
        BadInput: nothing there, a directory or device, unreadable, empty, or UTF-16.
    """
    _require_file(path)
    beginning = _beginning(path)
    if not beginning.removeprefix(codecs.BOM_UTF8):
        raise BadInput(f"{named(path)} is empty.", "Export it again, or leave it out.")
    if _looks_like_utf16(beginning):
        raise BadInput(f"{named(path)} is UTF-16, not UTF-8.", _SAVE_AS_UTF8)


def text_lines(path: Path) -> Iterator[TextLine]:
    """The file's lines, without a byte order mark. Only a line feed ends a line, as in most editors.

    Raises:
        BadInput: the file cannot be read, or a line is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            for number, (line, too_long) in enumerate(_byte_lines(file), start=1):
                yield TextLine(number, _prefix(line) if too_long else _decoded(line, number, path), too_long)
    except OSError as error:
        raise _unreadable(path, error) from error


def _require_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise BadInput(f"{named(path)} is a directory.", "Name the files in it instead.")
        if not path.exists():
            raise BadInput(f"{named(path)} does not exist.", "Check the path.")
        if not path.is_file():
            raise BadInput(f"{named(path)} is not a regular file.", "Save its contents in a file and import that.")
    except OSError as error:
        raise _unreadable(path, error) from error


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_PREFIX_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> BadInput:
    return BadInput(f"{named(path)} cannot be read: {error.strerror}.", "Check the path and its permissions.")


def _looks_like_utf16(beginning: bytes) -> bool:
    # Every known format begins with an ASCII character, so without a mark one of the first two bytes would be zero.
    return beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or beginning[:2].count(0) == 1


def _byte_lines(file: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    line = file.readline(LINE_BYTES).removeprefix(codecs.BOM_UTF8)
    while line:
        too_long = len(line) >= LINE_BYTES - len(codecs.BOM_UTF8) and not line.endswith(b"\n") and _skip_rest(file)
        yield line, too_long
        line = file.readline(LINE_BYTES)


def _skip_rest(file: BinaryIO) -> bool:
    """Move to the next line; say whether anything was left of this one."""
    rest = file.readline(LINE_BYTES)
    skipped = bool(rest)
    while rest and not rest.endswith(b"\n"):
        rest = file.readline(LINE_BYTES)
    return skipped


def _prefix(line: bytes) -> str:
    # The cut may split a character, and the prefix only serves to recognise the format.
    return line[:_PREFIX_BYTES].decode(errors="ignore")


def _decoded(line: bytes, number: int, path: Path) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise BadInput(f"{named(path)} is not UTF-8: line {number}, byte {error.start + 1}.", _SAVE_AS_UTF8) from error
