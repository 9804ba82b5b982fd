"""The head of the report: what the gate says and the few figures that matter most."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lifecycle.report.figures import words
from lifecycle.report.labels import METRICS, regime_title, rule_title

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Rule:
    """A rule of the gate with what it found; `remedy` is what to do where it failed."""

    name: str
    title: str
    passed: bool
    figure: str
    remedy: str


@dataclass(frozen=True)
class Verdict:
    """The headline.

    Attributes:
        mark: "passed", "refused" or "open".
        next_step: a command to type, if there is one.
        rules: those that failed first.
    """

    mark: str
    headline: str
    sentence: str
    next_step: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Tile:
    """A figure with what it was before."""

    title: str
    value: float
    other: str | None = None
    before: float | None = None
    found: Mapping[str, float] | None = None
    sufficient: bool = True


def verdict_of(document: Document) -> Verdict:
    """What the gate said of the version when it went live, or says now."""
    name, gate = document["version"], document["gate"]
    decision = gate["decision"]
    if decision is None:
        return Verdict("open", f"{name} has not been judged yet", gate["unknown"] or "", "", ())
    rules = tuple(sorted((_rule(each) for each in decision["verdicts"]), key=lambda rule: rule.passed))
    failed = [rule for rule in rules if not rule.passed]
    if gate["at"] is not None:
        return Verdict(*_promoted(document, failed), "", rules)
    if failed:
        return Verdict("refused", f"{name} may not go live", _refusal(failed, len(rules)), "", rules)
    sentence = f"All {len(rules)} rules of the gate are met."
    step = "" if document["live"] == name else f"autosort promote {name}"
    return Verdict("passed", f"{name} may go live", sentence, step, rules)


def tiles_of(document: Document) -> list[Tile]:
    """The figures of the head: over all queries, and Top-5 in the two regimes that pull against each other."""
    evaluation = document["evaluation"]
    if not evaluation:
        return []
    tiles = [_tile(document, f"{METRICS[metric]}, all queries", None, metric, "against") for metric in ("mrr", "top5")]
    pulling = (("unseen_song", "against"), ("unseen_playlist", "base"))
    tiles += [
        _tile(document, f"Top-5, {regime_title(regime).lower()}", regime, "top5", opponent)
        for regime, opponent in pulling
        if regime in evaluation["regimes"]
    ]
    return tiles


def _promoted(document: Document, failed: list[Rule]) -> tuple[str, str, str]:
    name, gate = document["version"], document["gate"]
    on = gate["at"][:10]
    headline = f"{name} is live" if document["live"] == name else f"{name} was live and is {document['stage']}"
    because = f" Reason given: {gate['reason']}" if gate["reason"] else ""
    if failed:
        against = ", ".join(words(rule.name) for rule in failed)
        return "refused", headline, f"Promoted on {on} against the gate ({against}).{because}"
    return "passed", headline, f"Promoted on {on}; the gate let it through.{because}"


def _refusal(failed: list[Rule], total: int) -> str:
    names = ", ".join(words(rule.name) for rule in failed)
    refuses = "refuses" if len(failed) == 1 else "refuse"
    return f"{len(failed)} of {total} rules {refuses} it: {names}."


def _rule(verdict: Mapping[str, Any]) -> Rule:
    return Rule(
        name=verdict["rule"],
        title=rule_title(verdict["rule"]),
        passed=verdict["passed"],
        figure=verdict["figure"],
        remedy=verdict.get("remedy", ""),
    )


def _tile(document: Document, title: str, regime: str | None, metric: str, opponent: str) -> Tile:
    figures = document["evaluation"]
    figures = figures if regime is None else figures["regimes"][regime]
    other = document[opponent] or document["against"] or {}
    compared = other.get("comparison")
    if not compared:
        return Tile(title, figures[metric])
    within = compared["overall"] if regime is None else compared["regimes"].get(regime)
    if within is None:
        return Tile(title, figures[metric])
    found = within[metric]
    return Tile(title, found["new"], other["version"], found["old"], found, within.get("sufficient", True))
