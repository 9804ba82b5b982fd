"""The gate's rules on a candidate's evaluation beside the live version and its base model."""

from collections.abc import Callable

from lifecycle.gate.evidence import Trial
from lifecycle.gate.policy import GatePolicy
from lifecycle.gate.verdict import Verdict, waivable


def leak(candidate: str, trial: Trial, _policy: GatePolicy) -> Verdict:
    """Nothing that is tested on was trained on."""
    if trial.leaks is None:
        return Verdict("leak", True, f"{candidate} was not trained", "")
    found = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in trial.leaks.items() if count)
    remedy = "Its evaluation proves nothing. Retrain: a dataset that leaks is not built again."
    return Verdict("leak", not found, found or "nothing that is tested on was trained on", remedy)


def overall(candidate: str, trial: Trial, policy: GatePolicy) -> Verdict:
    """Better than the live version over all queries, or no worse if the policy asks for no more."""
    found = trial.overall
    if found is None:
        return _judged("overall", candidate, False, f"not evaluated against {trial.live}")
    figure = f"{policy.metric} of {found.n} queries: {trial.live} {found.old:.3f}, {candidate} {found.new:.3f}"
    if found.n < policy.minimum_queries:
        return _judged("overall", candidate, True, f"{figure}, insufficient")
    if policy.better_overall:
        better = found.new > found.old and found.p < policy.alpha
        return _judged("overall", candidate, better, f"{figure}, p = {found.p:.4f} (better at {policy.alpha})")
    held = found.low >= -policy.overall_margin
    asked = f"surely no lower than {found.low:+.3f} (margin {policy.overall_margin})"
    return _judged("overall", candidate, held, f"{figure}, {asked}")


def genres(candidate: str, trial: Trial, policy: GatePolicy) -> Verdict:
    """No genre significantly worse than with the live version."""
    judged = {genre: each for genre, each in trial.genres.items() if each.p_holm is not None}
    worse = [
        f"{genre} {each.old:.3f} → {each.new:.3f} (n = {each.n}, p = {each.p_holm:.4f})"
        for genre, each in judged.items()
        if each.new < each.old and each.p_holm is not None and each.p_holm < policy.alpha
    ]
    few = len(trial.genres) - len(judged)
    figure = ", ".join(worse) or f"none of {len(judged)} significantly worse ({few} with too few queries)"
    return _judged("genres", candidate, not worse, figure)


def unseen_playlists(candidate: str, trial: Trial, policy: GatePolicy) -> Verdict:
    """No worse than the base model on playlists that it knows by their text alone.

    With few held-out playlists the interval is wide: a version that came out no lower passes, one that came out lower
    must show that it is no lower than the margin allows.
    """
    found = trial.unseen
    if found is None:
        return _judged("unseen_playlists", candidate, True, "no base model was asked the same")
    figure = f"Top-5 of {found.n} queries: {trial.base} {found.old:.3f}, {candidate} {found.new:.3f}"
    if found.n < policy.minimum_queries:
        return _judged("unseen_playlists", candidate, True, f"{figure}, insufficient")
    held = found.new >= found.old or found.low >= -policy.unseen_playlist_margin
    asked = f"surely no lower than {found.low:+.3f} (margin {policy.unseen_playlist_margin})"
    return _judged("unseen_playlists", candidate, held, f"{figure}, {asked}")


def general_similarity(candidate: str, trial: Trial, policy: GatePolicy) -> Verdict:
    """What the base model knows of language at large is not forgotten."""
    if trial.general_similarity is None:
        return _judged("general_similarity", candidate, True, "not measured")
    new, old = trial.general_similarity
    kept = old - new <= policy.general_similarity_margin + 1e-9
    figure = f"Spearman {trial.base} {old:.3f}, {candidate} {new:.3f} (margin {policy.general_similarity_margin})"
    return _judged("general_similarity", candidate, kept, figure)


def golden(candidate: str, trial: Trial, policy: GatePolicy) -> Verdict:
    """No golden case lost that the live version passes."""
    if trial.golden_asked is None:
        return _judged("golden", candidate, True, "there are none (golden.yaml)")
    lost = ", ".join(trial.golden_lost)
    kept = not trial.golden_lost or not policy.golden_kept
    figure = f"of {trial.golden_asked} cases lost: {lost}" if lost else f"all that {trial.live} passes are passed"
    return _judged("golden", candidate, kept, figure)


RULES: tuple[Callable[[str, Trial, GatePolicy], Verdict], ...] = (
    leak,
    overall,
    genres,
    unseen_playlists,
    general_similarity,
    golden,
)


def _judged(rule: str, candidate: str, passed: bool, figure: str) -> Verdict:
    return waivable(rule, passed=passed, figure=figure, remedy=f"See `autosort evaluate {candidate}`")
