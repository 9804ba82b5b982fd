"""Embedding songs: read, render, cut into tokens, encode, write, each while the others go on.

The next songs are read and prepared while the lanes encode; what they give is written by the caller's thread while they
go on. Songs are sorted by length within a chunk, and what is embedded is written every two seconds: what a killed
process loses. Memory holds two chunks, however large the catalogue is.
"""

import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from lifecycle.progress import Advance
from lifecycle.reconcile.poison import Reasons, embed_halves, tokenize_apart, unusable_rows
from lifecycle.reconcile.work import Work
from registry.database import Connection
from registry.texts import render_song
from registry.vectors.claims import Claim, Kind, list_workers
from registry.vectors.records import Matrix, PendingSong

if TYPE_CHECKING:
    from serving.inference.encoder import Encoder
    from serving.inference.lanes import EncodingLanes

_MOST_SONGS, _FEWEST_SONGS = 2_048, 64
_SHARES = 16
"""Chunks that the work is cut into at least, so that several workers end at about the same time."""

_WRITE_ROWS = 4_096
_WRITE_SECONDS = 2.0
_DEPTH = 4
"""Batches that wait for each lane: it never waits for the writer, and memory stays small."""

_IDLE_SECONDS = 0.3


@dataclass
class _Chunk:
    """The songs of one claim, ready to be encoded; `left` counts the batches that are not yet."""

    claim: Claim
    pending: list[PendingSong]
    tokens: list[list[int]]
    batches: list[list[int]]
    reasons: Reasons
    left: int


@dataclass
class Unwritten:
    """What is embedded and not yet written, and the claims that end with it."""

    pending: list[PendingSong] = field(default_factory=list)
    vectors: list[Matrix] = field(default_factory=list)
    reasons: list[tuple[PendingSong, str]] = field(default_factory=list)
    finished: list[Claim] = field(default_factory=list)


def embed_songs(work: Work, waiting: int) -> None:
    """Embed what is missing or stale, until nobody claims any more; returns when the other workers are done too.

    Raises:
        EncoderBroken: the model embeds nothing at all.
    """
    if not waiting:
        return
    from serving.inference.lanes import EncodingLanes

    encoder = work.encoders.of(work.version, waiting=waiting)
    limit = max(_FEWEST_SONGS, min(_MOST_SONGS, waiting // _SHARES))
    name = f"Embedding songs for {work.version.version}"
    with (
        work.progress.task(name, waiting, unit="songs") as advance,
        ThreadPoolExecutor(1, "reading") as reader,
        EncodingLanes(encoder) as lanes,
    ):
        flow = _Flow(work, encoder, lanes, advance, waiting)
        ahead = reader.submit(_prepare, work, encoder, limit)
        while True:
            if chunk := ahead.result():
                ahead = reader.submit(_prepare, work, encoder, limit)
                flow.embed(chunk)
                continue
            flow.drain()
            if not work.is_left(Kind.SONGS):
                return
            time.sleep(_IDLE_SECONDS)
            ahead = reader.submit(_prepare, work, encoder, limit)


def _prepare(work: Work, encoder: "Encoder", limit: int) -> _Chunk | None:
    """Claim the next songs and make them ready for the lanes."""
    from serving.inference.batching import batches_by_tokens

    claimed = work.database.persist(lambda connection: work.crew.claim_songs(connection, limit=limit))
    if claimed is None:
        return None
    claim, pending = claimed
    texts = [render_song(each.song, work.version.spec.text_template) for each in pending]
    try:
        tokens, reasons = encoder.tokenize(texts, encoder.spec.song_prompt), Reasons()
    except Exception:  # noqa: BLE001 - one text at fault must not stop the others
        tokens, reasons = tokenize_apart(encoder, texts)
    rows = [row for row in range(len(pending)) if row not in reasons]
    batches = batches_by_tokens([len(tokens[row]) for row in rows], encoder.batch_tokens)
    return _Chunk(claim, pending, tokens, [[rows[each] for each in batch] for batch in batches], reasons, len(batches))


class _Flow:
    """Batches on their way through the lanes and into the database."""

    def __init__(self, work: Work, encoder: "Encoder", lanes: "EncodingLanes", advance: Advance, waiting: int) -> None:
        self._work = work
        self._encoder = encoder
        self._lanes = lanes
        self._advance = advance
        self._waiting = waiting
        self._under_way: deque[tuple[_Chunk, list[int], Future[Matrix]]] = deque()
        self._unwritten = Unwritten()
        self._written_at = time.monotonic()

    def embed(self, chunk: _Chunk) -> None:
        """Send a chunk through the lanes, collecting what comes out of them meanwhile."""
        self._unwritten.reasons += [(chunk.pending[row], why) for row, why in chunk.reasons.items()]
        if not chunk.batches:
            self._unwritten.finished.append(chunk.claim)
        for rows in chunk.batches:
            self._under_way.append((chunk, rows, self._lanes.submit([chunk.tokens[row] for row in rows])))
            while len(self._under_way) > _DEPTH * self._lanes.count:
                self._collect()

    def drain(self) -> None:
        """Wait for all that is under way, and write it."""
        while self._under_way:
            self._collect()
        self._write()

    def _collect(self) -> None:
        chunk, rows, future = self._under_way.popleft()
        vectors, reasons = self._outcome(future, [chunk.tokens[row] for row in rows])
        good = [row for row in range(len(rows)) if row not in reasons]
        unwritten = self._unwritten
        unwritten.pending += [chunk.pending[rows[row]] for row in good]
        unwritten.vectors.append(vectors[good])
        unwritten.reasons += [(chunk.pending[rows[row]], why) for row, why in reasons.items()]
        chunk.left -= 1
        if not chunk.left:
            unwritten.finished.append(chunk.claim)
        late = time.monotonic() - self._written_at > _WRITE_SECONDS
        if late or len(unwritten.pending) >= _WRITE_ROWS:
            self._write()

    def _outcome(self, future: Future[Matrix], tokens: Sequence[Sequence[int]]) -> tuple[Matrix, Reasons]:
        try:
            vectors = future.result()
        except Exception as error:  # noqa: BLE001 - whatever a model throws at one text must not stop the others
            return embed_halves(self._encoder, tokens, error)
        return vectors, unusable_rows(self._encoder, vectors)

    def _write(self) -> None:
        batch, self._unwritten = self._unwritten, Unwritten()
        write_songs(self._work, batch)
        self._written_at = time.monotonic()
        report_standing(self._work, self._advance, self._waiting)


def write_songs(work: Work, batch: Unwritten) -> None:
    """Write what is embedded and what is set aside, and give back the claims that end with it, in one transaction."""

    def write(connection: Connection) -> None:
        if batch.pending:
            work.vectors.write_songs(connection, batch.pending, np.concatenate(batch.vectors))
        for pending, reason in batch.reasons:
            work.vectors.quarantine(connection, pending, reason)
        work.crew.release(connection, batch.finished)

    if batch.pending or batch.reasons or batch.finished:
        work.database.persist(write)
    work.done.embedded += len(batch.pending)
    work.done.quarantined += len(batch.reasons)


def report_standing(work: Work, advance: Advance, waiting: int) -> None:
    """Tell how much all workers have done."""
    standing = work.database.persist(list_workers)
    crew = [each for each in standing if each.version == work.version.version]
    others = [each for each in crew if each.worker != work.crew.worker]
    done = work.done.embedded + work.done.quarantined + sum(each.embedded + each.quarantined for each in others)
    quarantined = work.done.quarantined + sum(each.quarantined for each in others)
    advance(min(done, waiting), workers=len(others) + 1, quarantined=quarantined)
