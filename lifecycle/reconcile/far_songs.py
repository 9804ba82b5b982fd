"""Embedding songs on machines far away: claimed and written here, embedded there, so that they need no database."""

import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lifecycle.progress import Advance
from lifecycle.reconcile.songs import Unwritten, report_standing, write_songs
from lifecycle.reconcile.work import Work
from registry.texts import render_song
from registry.vectors.claims import Claim, Kind
from registry.vectors.records import PendingSong

if TYPE_CHECKING:
    from lifecycle.compute.far_embedding import FarEmbedded, FarEmbedding

SHARD_SONGS = 256
"""Songs that are sent at once: at 1,024 dimensions their vectors are a MiB."""

_IDLE_SECONDS = 0.3


@dataclass
class _Shards:
    """Shards on their way there and back."""

    work: Work
    far: "FarEmbedding"
    waiting: int
    under_way: deque[tuple[Claim, list[PendingSong], Future["FarEmbedded"]]] = field(default_factory=deque)

    def send_next(self) -> bool:
        """Claim the next songs and send them off; whether there were any."""
        work = self.work
        claimed = work.database.persist(lambda connection: work.crew.claim_songs(connection, limit=SHARD_SONGS))
        if claimed is None:
            return False
        claim, pending = claimed
        texts = [render_song(each.song, work.version.spec.text_template) for each in pending]
        self.under_way.append((claim, pending, self.far.submit(texts)))
        return True

    def collect(self, advance: Advance) -> None:
        """Wait for the shard that was sent first, and write it."""
        claim, pending, future = self.under_way.popleft()
        embedded = future.result()
        good = [row for row in range(len(pending)) if row not in embedded.reasons]
        reasons = [(pending[row], why) for row, why in embedded.reasons.items()]
        batch = Unwritten([pending[row] for row in good], [embedded.vectors[good]], reasons, [claim])
        write_songs(self.work, batch)
        report_standing(self.work, advance, self.waiting)


def embed_songs_far(work: Work, far: "FarEmbedding", waiting: int) -> None:
    """Embed what is missing or stale there; returns when the other workers are done too.

    Raises:
        EncoderBroken: the model embeds nothing at all.
        ComputeUnavailable, ComputeError: the other machine is away, or did not do it; what was written stays.
    """
    shards = _Shards(work, far, waiting)
    name = f"Embedding songs for {work.version.version} on Modal"
    with work.progress.task(name, waiting, unit="songs") as advance:
        while True:
            while len(shards.under_way) <= far.count and shards.send_next():
                pass
            if shards.under_way:
                shards.collect(advance)
            elif work.is_left(Kind.SONGS):
                time.sleep(_IDLE_SECONDS)
            else:
                return
