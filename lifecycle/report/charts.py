"""Line charts as SVG of a fixed shape, small enough that their text stays readable on a phone."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from lifecycle.report.figures import number
from lifecycle.report.scales import Scale, scale_over, tick_label

Point = tuple[float, float]

_WIDTH, _HEIGHT = 380, 236
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 14, 40
_FEW = 12
"""Lines of up to so many points have each of them marked."""


@dataclass(frozen=True)
class Series:
    """A line: its name and its points by ascending x. `style` is its place among the line styles, from 0."""

    name: str
    points: tuple[Point, ...]
    style: int = 0


@dataclass(frozen=True)
class Chart:
    """A line chart.

    Attributes:
        title: what is shown; `x_label` is what runs from left to right.
        chosen: an x that was chosen, and `chosen_label` what is written beside it.
        steps: marks on the x axis, where they are not to be found from the points.
    """

    title: str
    x_label: str
    series: tuple[Series, ...]
    chosen: float | None = None
    chosen_label: str = ""
    steps: tuple[float, ...] = ()

    @property
    def described(self) -> str:
        """What the chart shows, in words, for whoever cannot see it."""
        lines = (
            f"{each.name} from {number(each.points[0][1])} to {number(each.points[-1][1])}" for each in self.series
        )
        chosen = "" if self.chosen is None else f" {self.chosen_label} at {self.chosen:g}."
        return f"{self.title} by {self.x_label}: {'; '.join(lines)}.{chosen}"


def line_chart(chart: Chart) -> Markup:
    """The chart as one SVG image, without its legend."""
    points = [point for each in chart.series for point in each.points]
    across = _across([x for x, _ in points], chart.steps)
    up = scale_over([y for _, y in points], marks=4)
    parts = [
        *(_grid_line(value, up) for value in up.ticks),
        *(_foot(value, across) for value in across.ticks),
        Markup('<text class="label" x="{}" y="{}" text-anchor="middle">{}</text>').format(
            (_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 4, chart.x_label
        ),
        _chosen(chart, across),
        *(_line(each, across, up, chart.chosen) for each in chart.series),
    ]
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>{}</svg>').format(
        _WIDTH, _HEIGHT, chart.described, chart.title, Markup("").join(parts)
    )


def legend_key(style: int) -> Markup:
    """A piece of a line as the legend shows it."""
    return Markup(
        '<svg class="key" width="30" height="12" aria-hidden="true" focusable="false">'
        '<g class="series s{}"><line x1="1" x2="29" y1="6" y2="6"/>{}</g></svg>'
    ).format(style, _marked(15, 6, style))


def _across(values: Sequence[float], steps: Sequence[float]) -> Scale:
    if steps:
        return Scale(min(*values, *steps), max(*values, *steps), tuple(steps))
    return scale_over(values, marks=4)


def _x(value: float, across: Scale) -> float:
    return round(_LEFT + across.share(value) * (_WIDTH - _LEFT - _RIGHT), 1)


def _y(value: float, up: Scale) -> float:
    return round(_HEIGHT - _BOTTOM - up.share(value) * (_HEIGHT - _TOP - _BOTTOM), 1)


def _grid_line(value: float, up: Scale) -> Markup:
    y = _y(value, up)
    return Markup(
        '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/><text x="{}" y="{}" text-anchor="end">{}</text>'
    ).format(_LEFT, _WIDTH - _RIGHT, y, y, _LEFT - 7, y + 4, tick_label(value, up.ticks))


def _foot(value: float, across: Scale) -> Markup:
    label = f"{value:g}" if abs(value) < 10_000 else f"{value / 1000:g}k"
    x = _x(value, across)
    return Markup(
        '<line class="tick" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/><text x="{0}" y="{3}" text-anchor="middle">{4}</text>'
    ).format(x, _HEIGHT - _BOTTOM, _HEIGHT - _BOTTOM + 4, _HEIGHT - _BOTTOM + 17, label)


def _chosen(chart: Chart, across: Scale) -> Markup:
    if chart.chosen is None:
        return Markup("")
    x = _x(chart.chosen, across)
    left = across.share(chart.chosen) > 0.5
    return Markup(
        '<line class="chosen" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>'
        '<text class="chosen-label" x="{3}" y="{4}" text-anchor="{5}">{6}</text>'
    ).format(
        x, _TOP - 8, _HEIGHT - _BOTTOM, x - 5 if left else x + 5, _TOP, "end" if left else "start", chart.chosen_label
    )


def _line(series: Series, across: Scale, up: Scale, chosen: float | None) -> Markup:
    places = [(_x(x, across), _y(y, up)) for x, y in series.points]
    path = " ".join(f"{x},{y}" for x, y in places)
    shown = len(places) <= _FEW
    marks = Markup("").join(
        Markup("<g{}><title>{} {}</title>{}</g>").format(
            Markup(' class="at-chosen"') if at == chosen else "",
            series.name,
            number(value),
            _marked(x, y, series.style),
        )
        for (x, y), (at, value) in zip(places, series.points, strict=True)
        if shown
    )
    return Markup('<g class="series s{}"><polyline points="{}"/>{}</g>').format(series.style, path, marks)


def _marked(x: float, y: float, style: int) -> Markup:
    """A mark at a point, of another shape for every style."""
    if style == 1:
        return Markup('<rect x="{}" y="{}" width="7" height="7"/>').format(round(x - 3.5, 1), round(y - 3.5, 1))
    if style == 2:
        points = f"{x},{y - 4.8:.1f} {x + 4.6:.1f},{y + 3.6:.1f} {x - 4.6:.1f},{y + 3.6:.1f}"
        return Markup('<polygon points="{}"/>').format(points)
    return Markup('<circle cx="{}" cy="{}" r="3.8"/>').format(x, y)
