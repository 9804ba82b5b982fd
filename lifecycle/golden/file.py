"""The golden cases as their file has them: songs the curator knows well, where they must end up and where not."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from registry.errors import BadInput
from registry.imports.rows import faults_of, shown
from registry.records import Line

GOLDEN_FILE = "golden.yaml"

_FORM = 'docs/reference.md, "Golden cases", shows the form.'
_QUOTES = "Put names that hold a comma, a colon or a # in quotes, as well as names such as 1979 or Yes. " + _FORM


def _listed(value: object) -> object:
    if not isinstance(value, list):
        raise ValueError("should be a list, such as [Slow Sunday]")  # noqa: TRY004 - what pydantic makes a fault of
    return value


Names = Annotated[tuple[Line, ...], BeforeValidator(_listed)]


class GoldenCase(BaseModel):
    """A song and the playlists it must and must not reach.

    Attributes:
        song: id, title or "artist - title".
        must: playlists, by id or name, that must be among the first `within`.
        must_not: playlists that must not be among them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    song: Line
    must: Names = ()
    must_not: Names = ()
    within: Annotated[int, Field(ge=1, strict=True)] = 5

    @model_validator(mode="after")
    def _asks_something_once(self) -> Self:
        if not self.must and not self.must_not:
            raise ValueError("asks nothing: it needs must, must_not or both")
        for name, count in Counter([*self.must, *self.must_not]).items():
            if count > 1:
                raise ValueError(f"names the playlist '{shown(name)}' twice")
        return self


@dataclass(frozen=True)
class GoldenFile:
    """The cases in the order of their file, and the SHA-256 (hex) of its bytes."""

    cases: tuple[GoldenCase, ...]
    digest: str


def read_golden(home: Path) -> GoldenFile | None:
    """The cases of `home/golden.yaml`; None if there is no such file.

    Raises:
        BadInput: the file cannot be used; the error names the case and the field. One without a case is no better than
            one that was cut off, so it is refused as well.
    """
    path = home / GOLDEN_FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.", "Make it readable, or take it away.") from None
    cases = [_case(path, number, entry) for number, entry in enumerate(_entries(path, content), 1)]
    return GoldenFile(tuple(cases), sha256(content).hexdigest())


def _entries(path: Path, content: bytes) -> list[Any]:
    try:
        _refuse_repeated_fields(path, yaml.compose(content, Loader=yaml.SafeLoader))
        entries = yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise BadInput(f"{path}{_place(error)} is not valid YAML: {_problem(error)}.", _QUOTES) from None
    if not isinstance(entries, list) or not entries:
        held = "holds no case" if not entries else "is no list of cases"
        raise BadInput(f"{path} {held}.", f"{_FORM} To have no golden cases take the file away.")
    return entries


def _refuse_repeated_fields(path: Path, root: yaml.Node | None) -> None:
    """YAML would quietly take the last of two `must`, and so drop what the first one asks."""
    for number, node in enumerate(root.value if isinstance(root, yaml.SequenceNode) else (), 1):
        for field, count in Counter(_fields(node)).items():
            if count > 1:
                raise BadInput(f"{path}, case {number}: {shown(field)} is given {count} times.", "Make it one list.")


def _fields(node: yaml.Node) -> Iterator[str]:
    return (str(key.value) for key, _ in node.value) if isinstance(node, yaml.MappingNode) else iter(())


def _case(path: Path, number: int, entry: object) -> GoldenCase:
    try:
        return GoldenCase.model_validate(entry)
    except ValidationError as error:
        fault = next(faults_of(error))
        song = entry.get("song") if isinstance(entry, dict) else None
        which = f"case {number}" + (f" ('{shown(song)}')" if isinstance(song, str) else "")
        field = "" if fault.field == "row" else f", {fault.field}"
        raise BadInput(f"{path}, {which}{field}: {fault.reason}.", _QUOTES) from None


def _place(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f", line {mark.line + 1}," if mark else ""


def _problem(error: yaml.YAMLError) -> str:
    return str(getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read")
