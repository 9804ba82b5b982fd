"""One rule's verdict."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """One rule's verdict with its figure, and what to do if it failed. Only a `waivable` rule yields to --force."""

    rule: str
    passed: bool
    figure: str
    remedy: str
    waivable: bool = False


def waivable(rule: str, *, passed: bool, figure: str, remedy: str) -> Verdict:
    """The verdict of a rule that yields to --force."""
    return Verdict(rule, passed, figure, f"{remedy}; --force --reason goes live all the same.", waivable=True)
