"""Intervals and bars as SVG one table cell wide: positions are shares of the width, so text and strokes never scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from markupsafe import Markup

from lifecycle.report.figures import number, signed
from lifecycle.report.scales import Scale, tick_label

_HEIGHT = 26
_MIDDLE = _HEIGHT // 2
_MARGIN = 0.05


class Standing(StrEnum):
    """What an interval says; each is drawn in a shape of its own, not in a colour alone."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "no difference"
    INSUFFICIENT = "insufficient"


@dataclass(frozen=True)
class Lift:
    """A difference with its confidence interval, and what it says."""

    difference: float
    low: float
    high: float
    standing: Standing


def interval_plot(label: str, lift: Lift, scale: Scale, *, margin: float | None = None) -> Markup:
    """A dot with whiskers on a line from `scale.low` to `scale.high`, with zero marked.

    Args:
        label: of what it is the lift; read out instead of the picture.
        margin: where a dashed line marks what is still no worse.
    """
    said = f"{label}: {signed(lift.difference)}, from {signed(lift.low)} to {signed(lift.high)}, {lift.standing.value}"
    parts = [
        _vertical(_inset(0.0, scale), "zero"),
        _vertical(_inset(margin, scale), "margin") if margin is not None else Markup(""),
        _whiskers(_inset(lift.low, scale), _inset(lift.high, scale)),
        _dot(_inset(lift.difference, scale), lift.standing),
    ]
    return _cell(said, f"interval {_word(lift.standing)}", parts)


def bar_plot(label: str, value: float, scale: Scale, *, interval: Sequence[float] | None = None) -> Markup:
    """A bar from the left to the value, with whiskers over its end where an interval is known."""
    said = f"{label}: {number(value)}"
    parts = [
        Markup('<rect class="groove" x="0" y="8" width="100%" height="10" rx="2"/>'),
        Markup('<rect class="fill" x="0" y="8" width="{}" height="10" rx="2"/>').format(_percent(scale.share(value))),
    ]
    if interval:
        said = f"{said}, from {number(interval[0])} to {number(interval[1])}"
        parts.append(_whiskers(scale.share(interval[0]), scale.share(interval[1])))
    return _cell(said, "bar", parts)


def axis_plot(scale: Scale) -> Markup:
    """The marked values of a scale, to stand under a column of intervals. For the eye alone: each says its own."""
    marks = Markup("").join(_tick(value, scale) for value in scale.ticks)
    return Markup(
        '<svg class="plot axis" width="100%" height="22" aria-hidden="true" focusable="false">{}</svg>'
    ).format(marks)


def marker(standing: Standing) -> Markup:
    """The mark of a standing by itself, for a legend or beside a word."""
    return Markup(
        '<svg class="plot mark {}" width="14" height="14" viewBox="0 0 14 14" aria-hidden="true" focusable="false">'
        '<svg x="7" y="7" overflow="visible">{}</svg></svg>'
    ).format(_word(standing), _SHAPES[standing])


def _cell(label: str, kind: str, parts: Sequence[Markup]) -> Markup:
    return Markup(
        '<svg class="plot {}" width="100%" height="{}" role="img" aria-label="{}"><title>{}</title>{}</svg>'
    ).format(kind, _HEIGHT, label, label, Markup("").join(parts))


def _tick(value: float, scale: Scale) -> Markup:
    label = tick_label(value, scale.ticks)
    line = Markup('<line class="tick" x1="{0}" x2="{0}" y1="0" y2="4"/>')
    text = Markup('<text x="{0}" y="17" text-anchor="middle">{1}</text>')
    at = _percent(_inset(value, scale))
    return line.format(at) + text.format(at, label if value <= 0 else f"+{label}")


def _inset(value: float, scale: Scale) -> float:
    """Where a value stands, with room at both ends for half a label."""
    return _MARGIN + scale.share(value) * (1 - 2 * _MARGIN)


def _vertical(share: float, kind: str) -> Markup:
    return Markup('<line class="{1}" x1="{0}" x2="{0}" y1="0" y2="{2}"/>').format(_percent(share), kind, _HEIGHT)


def _whiskers(low: float, high: float) -> Markup:
    end = Markup('<line class="whisker end" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>')
    ends = (end.format(_percent(each), _MIDDLE - 4, _MIDDLE + 4) for each in (low, high))
    line = Markup('<line class="whisker" x1="{0}" x2="{1}" y1="{2}" y2="{2}"/>')
    return line.format(_percent(low), _percent(high), _MIDDLE) + Markup("").join(ends)


def _dot(share: float, standing: Standing) -> Markup:
    return Markup('<svg x="{}" y="{}" overflow="visible">{}</svg>').format(_percent(share), _MIDDLE, _SHAPES[standing])


_SHAPES = {
    Standing.BETTER: Markup('<circle class="dot" r="5.5"/>'),
    Standing.WORSE: Markup('<rect class="dot" x="-4.6" y="-4.6" width="9.2" height="9.2" transform="rotate(45)"/>'),
    Standing.SAME: Markup('<circle class="dot hollow" r="4.8"/>'),
    Standing.INSUFFICIENT: Markup('<circle class="dot hollow faint" r="3.6"/>'),
}


def _word(standing: Standing) -> str:
    return standing.value.replace(" ", "-")


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"
