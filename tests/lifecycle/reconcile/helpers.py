"""What tests of reconciling do again and again."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lifecycle.importing import import_file
from lifecycle.progress import Advance, Silent
from lifecycle.workspace import Workspace
from registry import catalogue, versions
from registry.stages import Stage
from registry.vectors.claims import Crew, Kind
from registry.vectors.records import Coverage, Matrix, VectorSetState
from registry.vectors.vector_set import VectorSet
from serving.inference.encoder import Encoder
from serving.inference.waiting import Tokens

Record = dict[str, object]
AddVersion = Callable[[], str]


def song(number: int, **fields: object) -> Record:
    return {"kind": "song", "song_id": f"s{number}", "title": f"Title {number}", "artist": "Somebody", **fields}


def playlist(number: int) -> Record:
    return {"kind": "playlist", "playlist_id": f"p{number}", "name": f"List {number}"}


def member(song_number: int, playlist_number: int) -> Record:
    return {"kind": "membership", "playlist_id": f"p{playlist_number}", "song_id": f"s{song_number}"}


def add(workspace: Workspace, folder: Path, *records: Record) -> None:
    """Import records, as a user does from a file."""
    path = folder / "library.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    import_file(workspace, path)


def vector_set(workspace: Workspace, version: str = "v1") -> VectorSet:
    with workspace.database.transaction() as connection:
        return VectorSet(versions.get(connection, version))


def coverage(workspace: Workspace, version: str = "v1") -> Coverage:
    vectors = vector_set(workspace, version)
    with workspace.database.transaction() as connection:
        return vectors.coverage(connection)


def state(workspace: Workspace, version: str) -> VectorSetState:
    vectors = vector_set(workspace, version)
    with workspace.database.transaction() as connection:
        found = vectors.state(connection)
    assert found is not None
    return found


def stage(workspace: Workspace, version: str) -> Stage:
    with workspace.database.transaction() as connection:
        return versions.get(connection, version).stage


def stored(workspace: Workspace, *song_ids: str, version: str = "v1") -> dict[str, npt.NDArray[np.float32]]:
    """Current vectors, of these songs, that are visible."""
    vectors = vector_set(workspace, version)
    with workspace.database.transaction() as connection:
        return vectors.song_vectors(connection, song_ids)


def count(workspace: Workspace, table: str) -> int:
    with workspace.database.transaction() as connection:
        row = connection.execute(f"SELECT count(*) AS rows FROM {table}").fetchone()
    return int((row or {})["rows"])


def leave_behind(workspace: Workspace, version: str, *, machine: str, process: int) -> list[str]:
    """Let a worker claim songs and the right to finish, and vanish; return what songs it held."""
    vectors = vector_set(workspace, version)
    crew = Crew(vectors, worker="vanished", machine=machine, process=process)
    with workspace.database.transaction() as connection:
        vectors.create(connection)
        catalogue.refresh_texts(connection)
        crew.join(connection)
        crew.begin_round(connection, Kind.SONGS)
        claimed = crew.claim_songs(connection, limit=5)
        crew.claim_finish(connection)
    assert claimed is not None
    return [each.song.song_id for each in claimed[1]]


class Told(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


class Doing(Silent):
    """Does something, once, when the first songs have been written."""

    def __init__(self, do: Callable[[], None]) -> None:
        self.do = do
        self.done = False

    @contextmanager
    def task(self, name: str, total: int, *, unit: str | None = None) -> Iterator[Advance]:  # noqa: ARG002
        def advance(done: int, _total: int | None = None, /, **_facts: int) -> None:
            if done and not self.done and "songs" in name:
                self.done = True
                self.do()

        yield advance


class Failing(Encoder):
    """The real encoder, but one word makes it fail, alone or in a batch."""

    def __init__(self, real: Encoder, word: str) -> None:
        super().__init__(real._model, real.spec)
        self.word = self.tokenize([word])[0][1]

    def forward(self, tokens: Sequence[Tokens]) -> Matrix:
        if any(self.word in each for each in tokens):
            raise RuntimeError("a kernel gave up")
        return super().forward(tokens)


class Overflowing(Failing):
    """The real encoder, but one word makes it give what is no number, as a model does when it overflows."""

    def forward(self, tokens: Sequence[Tokens]) -> Matrix:
        vectors = Encoder.forward(self, tokens)
        vectors[[self.word in each for each in tokens]] = np.nan
        return vectors


class Broken(Encoder):
    """A model that fails whatever it is given."""

    def __init__(self, real: Encoder) -> None:
        super().__init__(real._model, real.spec)

    def forward(self, _: Sequence[Tokens]) -> Matrix:
        raise RuntimeError("out of memory")


class Blown(Broken):
    """A model of whose weights one has become infinite: it gives no numbers, and no error."""

    def forward(self, tokens: Sequence[Tokens]) -> Matrix:
        return np.full((len(tokens), self.spec.dimensions), np.nan, np.float32)
