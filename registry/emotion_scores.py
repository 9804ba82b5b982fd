"""What an emotion model says of the catalogue's songs, kept for the versions that match by emotions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from registry.catalogue import song_from_row
from registry.database import Connection
from registry.queries import load_queries
from registry.texts import CURRENT_TEMPLATE
from registry.vectors.records import Matrix, PendingSong, Vector

if TYPE_CHECKING:
    from registry.versions import EmotionsSpec, ModelSpec

_SQL = load_queries("emotion_scores")


class EmotionScores:
    """The scores of one emotion model: those of all versions that have it."""

    def __init__(self, model: "EmotionsSpec") -> None:
        self.model = model
        self._known_by = {
            "artifact": model.artifact,
            "text_template": model.text_template,
            "template": CURRENT_TEMPLATE,
        }

    @classmethod
    def of(cls, spec: "ModelSpec") -> "EmotionScores | None":
        """Those that a version matches by; None if it matches by no emotions."""
        model = spec.matched_emotions
        return cls(model) if model else None

    def count_pending(self, connection: Connection) -> int:
        """How many songs have no current scores."""
        row = connection.execute(_SQL["count_pending"], self._known_by).fetchone()
        return int(row["songs"]) if row else 0

    def pending(
        self, connection: Connection, *, after: str = "", until: str | None = None, limit: int | None = None
    ) -> list[PendingSong]:
        """Songs beyond an id, up to another or as many as `limit`, whose scores are missing or stale; by id."""
        about = {"after": after, "until": until, "limit": limit}
        rows = connection.execute(_SQL["pending"], {**self._known_by, **about})
        return [PendingSong(song_from_row(row), bytes(row["content_hash"]), row["replaces"]) for row in rows]

    def write(self, connection: Connection, pending: Sequence[PendingSong], scores: Matrix) -> None:
        """Write songs' scores, shape (len(pending), labels); a row of NaN is of a song that the model cannot read."""
        rows = {
            "song_ids": [each.song.song_id for each in pending],
            "hashes": [each.content_hash for each in pending],
            "scores": [None if np.isnan(each).any() else _literal(each) for each in scores],
        }
        connection.execute(_SQL["write"], {**self._known_by, **rows})

    def read(self, connection: Connection, song_ids: Sequence[str]) -> dict[str, Vector]:
        """The current scores of those of these songs that have any; NaN for those that the model cannot read."""
        rows = connection.execute(_SQL["read"], {**self._known_by, "song_ids": list(song_ids)})
        unreadable = np.full(len(self.model.labels), np.nan, np.float32)
        return {
            row["song_id"]: unreadable if row["scores"] is None else np.array(row["scores"], np.float32) for row in rows
        }

    def delete_all(self, connection: Connection) -> None:
        """Forget all of them, for a model that no version matches by any more."""
        connection.execute(_SQL["delete_all"], self._known_by)


def _literal(scores: Vector) -> str:
    """As Postgres writes an array, since it cannot unnest an array of arrays row by row."""
    return "{" + ",".join(map(repr, scores.tolist())) + "}"
