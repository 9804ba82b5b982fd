"""Songs whose playlists are all taken away: whether a version notices that none of the others fits."""

from typing import TYPE_CHECKING, Any

import numpy as np

from registry.versions import MatchSpec
from serving.matching.belonging import chance_of_belonging, evidence
from serving.matching.scoring import combined, scaled_signals
from training.belonging import Evidence, share_recognised, threshold_that_keeps

if TYPE_CHECKING:
    from lifecycle.evaluation import Regime

_CURVE = (0.8, 0.85, 0.9, 0.95, 0.98)
"""Shares of the right answers that are kept, for each of which the curve has a point."""


def home_and_away(spec: MatchSpec, regime: "Regime") -> tuple[Evidence, Evidence]:
    """What speaks for the best playlist: of songs that are answered rightly, and of all with their playlists away.

    Songs that every playlist holds are passed over.
    """
    scaled = scaled_signals(regime.asked, regime.index, spec)
    score = combined(scaled, regime.songs, regime.index, spec).score
    left = ~regime.relevant.all(axis=1)
    right = regime.relevant[np.arange(len(score)), score.argmax(axis=1)] if score.size else np.zeros(0, np.bool_)
    rest = {name: each[left] for name, each in scaled.items()}
    return (
        evidence(score[right], {name: each[right] for name, each in scaled.items()}, regime.index.sizes),
        evidence(np.where(regime.relevant, -np.inf, score)[left].astype(np.float32), rest, regime.index.sizes),
    )


def homeless_report(spec: MatchSpec, regime: "Regime") -> dict[str, Any] | None:
    """How many songs without a home are recognised, at the version's threshold and along the curve.

    `kept` is the share of right answers that stand. None for versions that cannot tell.
    """
    if spec.belonging is None:
        return None
    home, away = (chance_of_belonging(each, spec.belonging) for each in home_and_away(spec, regime))
    return {
        "n": len(away),
        **_point(home, away, spec.belonging.threshold),
        "curve": [_point(home, away, threshold_that_keeps(home, kept)) for kept in _CURVE],
    }


def _point(home: Any, away: Any, threshold: float) -> dict[str, float]:  # noqa: ANN401 - arrays of chances
    return {
        "threshold": round(threshold, 4),
        "kept": round(1 - share_recognised(home, threshold), 4),
        "recognised": round(share_recognised(away, threshold), 4),
    }
