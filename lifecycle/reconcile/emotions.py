"""Telling songs' emotions, for versions that match by them: read, scored and written page by page."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lifecycle.reconcile.work import Work
from registry.database import Connection
from registry.emotion_scores import EmotionScores
from registry.errors import EncoderBroken
from registry.texts import render_feeling
from registry.vectors.claims import Kind
from registry.vectors.records import Matrix

if TYPE_CHECKING:
    from serving.inference.emotions import EmotionModel

_PAGE = 256
_IDLE_SECONDS = 0.3


def tell_emotions(work: Work) -> None:
    """Score songs that are new or changed, until nobody claims any more; nothing to do for most versions.

    Songs that the model cannot read have no emotions; that is kept, so that they are not tried again.

    Raises:
        ArtifactError: the emotion model is missing, unsafe or changed.
        EncoderBroken: it reads nothing at all.
    """
    scores = EmotionScores.of(work.version.spec)
    waiting = work.database.persist(scores.count_pending) if scores else 0
    if scores is None or not waiting:
        return
    with work.progress.task(f"Telling emotions for {work.version.version}", waiting) as advance:
        seen = 0
        while told := _tell_next(work, scores):
            seen += told
            advance(seen)


def _tell_next(work: Work, scores: EmotionScores) -> int:
    """Score the next page, waiting for what other workers hold if there is none; how many, 0 once all are done."""
    while True:
        claimed = work.database.persist(lambda connection: work.crew.claim_emotions(connection, scores, limit=_PAGE))
        if claimed is not None:
            break
        if not work.is_left(Kind.EMOTIONS):
            return 0
        time.sleep(_IDLE_SECONDS)
    claim, pending = claimed
    template = scores.model.text_template
    told = read_apart(
        work.encoders.emotions_of(scores.model), [render_feeling(each.song, template) for each in pending]
    )

    def write(connection: Connection) -> None:
        scores.write(connection, pending, told)
        work.crew.release(connection, [claim])

    work.database.persist(write)
    work.done.felt += len(pending)
    return len(pending)


def read_apart(model: "EmotionModel", texts: Sequence[str]) -> Matrix:
    """Scores of texts, shape (n, labels); NaN for those that the model cannot read, which stop no others.

    Raises:
        EncoderBroken: it is not the text, since the model reads nothing at all.
    """
    try:
        scores = model.read(texts).scores
    except Exception as error:  # noqa: BLE001 - whatever a model throws at one text must not stop the others
        if len(texts) == 1:
            _require_working(model, error)
            return np.full((1, len(model.spec.labels)), np.nan, np.float32)
        middle = len(texts) // 2
        return np.concatenate([read_apart(model, texts[:middle]), read_apart(model, texts[middle:])])
    bad = ~np.isfinite(scores).all(axis=1)
    if bad.any():
        _require_working(model)
        scores[bad] = np.nan
    return scores


def _require_working(model: "EmotionModel", error: Exception | None = None) -> None:
    try:
        working = bool(np.isfinite(model.read(["warm-up"]).scores).all())
    except Exception as failure:  # noqa: BLE001 - told below
        working, error = False, failure
    if not working:
        why = f": {type(error).__name__}: {error}"[:500] if error else ""
        raise EncoderBroken(
            f"The emotion model reads nothing at all{why}.",
            "No song was passed over for it. See that the device is well and has memory, then run the same again; "
            "or retire this version.",
        ) from error
