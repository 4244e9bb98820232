"""Plots as inline SVG: lines and points on linear or logarithmic axes. Colours and fonts are the page's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT = 460, 290
LEFT, RIGHT, TOP, BOTTOM = 54, 14, 12, 42

MOST_TICKS = 7
"""No axis has more ticks."""


@dataclass(frozen=True)
class Series:
    """Points of one colour.

    Args:
        name: in the legend.
        points: (x, y).
        colour: 1, 2, ..., of the page's palette.
        is_line: whether they are joined; otherwise each is a dot.
        is_dashed: whether the line is dashed.
        titles: what each point is, for a pointer that rests on it.
    """

    name: str
    points: Sequence[tuple[float, float]]
    colour: int
    is_line: bool = True
    is_dashed: bool = False
    titles: Sequence[str] = ()


@dataclass(frozen=True)
class Axis:
    """An axis: what it counts, its ends, and whether it is logarithmic.

    Args:
        label: with the unit.
        low, high: the ends; positive on a logarithmic axis.
        is_log: whether it is logarithmic, to base 10.
    """

    label: str
    low: float
    high: float
    is_log: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"an axis from {self.low} to {self.high}: its ends must be finite and ascending")
        if self.is_log and self.low <= 0:
            raise ValueError(f"a logarithmic axis from {self.low}: its ends must be positive")

    def place(self, value: float) -> float:
        """Where the value is, 0 at the low end and 1 at the high one; beyond them it is at the end."""
        low, high, at = (
            (math.log10(each) if each > 0 else -math.inf) if self.is_log else each
            for each in (self.low, self.high, value)
        )
        return min(1.0, max(0.0, (at - low) / (high - low)))

    def ticks(self) -> list[float]:
        """Round numbers, or powers of ten."""
        if self.is_log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            step = max(1, math.ceil((last - first) / (MOST_TICKS - 1)))
            return [10.0**power for power in range(first, last + 1) if power % step == 0]
        step = 1
        while (self.high - self.low) / step > MOST_TICKS - 1:
            step = step * 5 // 2 if str(step)[0] == "2" else step * 2
        return [float(tick) for tick in range(math.ceil(self.low), math.floor(self.high) + 1) if tick % step == 0]


def around(values: Sequence[float]) -> tuple[float, float]:
    """The powers of ten around positive numbers."""
    held = [value for value in values if 0 < value < math.inf]
    low = math.floor(math.log10(min(held)))
    return 10.0**low, 10.0 ** max(low + 1, math.ceil(math.log10(max(held))))


def plotted(
    name: str, description: str, x: Axis, y: Axis, series: Sequence[Series], mark: float | None = None
) -> Markup:
    """The plot.

    Args:
        name: unique on the page.
        description: what is to be seen, for who does not see it.
        x, y: the axes.
        series: what is drawn.
        mark: a place on the x axis at which a line stands.
    """
    parts = [
        Markup(
            '<svg class="plot" viewBox="0 0 {} {}" role="img" aria-labelledby="{}-description" '
            'xmlns="http://www.w3.org/2000/svg"><desc id="{}-description">{}</desc>'
        ).format(WIDTH, HEIGHT, name, name, description),
        *_grid(x, y),
    ]
    if mark is not None:
        at = _x(x, mark)
        parts.append(Markup('<path class="mark" d="M{:.1f} {}V{}"/>').format(at, TOP, HEIGHT - BOTTOM))
    for each in series:
        parts += _drawn(each, x, y)
    parts.append(Markup("</svg>"))
    return Markup("").join(parts)


def _x(axis: Axis, value: float) -> float:
    return LEFT + axis.place(value) * (WIDTH - LEFT - RIGHT)


def _y(axis: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - axis.place(value) * (HEIGHT - TOP - BOTTOM)


def _grid(x: Axis, y: Axis) -> list[Markup]:
    parts = []
    for tick in y.ticks():
        at = _y(y, tick)
        parts.append(Markup('<path class="grid" d="M{} {:.1f}H{}"/>').format(LEFT, at, WIDTH - RIGHT))
        parts.append(
            Markup('<text class="tick" x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(
                LEFT - 8, at + 4, _tick(tick, y.is_log)
            )
        )
    for tick in x.ticks():
        at = _x(x, tick)
        parts.append(Markup('<path class="axis" d="M{:.1f} {}v5"/>').format(at, HEIGHT - BOTTOM))
        parts.append(
            Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
                at, HEIGHT - BOTTOM + 19, _tick(tick, x.is_log)
            )
        )
    parts.append(Markup('<path class="axis" d="M{} {}H{}"/>').format(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT))
    parts.append(
        Markup('<text class="label" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
            (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 5, x.label
        )
    )
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(
        Markup(
            '<text class="label" x="12" y="{0:.1f}" text-anchor="middle" transform="rotate(-90 12 {0:.1f})">{1}</text>'
        ).format(middle, y.label)
    )
    return parts


def _tick(value: float, is_log: bool) -> Markup:
    if not is_log:
        return Markup("{:g}").format(value)
    power = round(math.log10(value))
    if power in (0, 1):
        return Markup("{}").format(10**power)
    return Markup('10<tspan class="power" dy="-5">{}</tspan>').format(str(power).replace("-", "−"))


def _drawn(series: Series, x: Axis, y: Axis) -> list[Markup]:
    places = [(_x(x, a), _y(y, b)) for a, b in series.points]
    if series.is_line:
        path = "L".join(f"{a:.1f} {b:.1f}" for a, b in places)
        dashed = " dashed" if series.is_dashed else ""
        return [Markup('<path class="line colour-{}{}" d="M{}"/>').format(series.colour, dashed, path)]
    titles = series.titles or [""] * len(places)
    return [
        Markup('<circle class="dot colour-{}" cx="{:.1f}" cy="{:.1f}" r="3">{}</circle>').format(
            series.colour, a, b, Markup("<title>{}</title>").format(title) if title else Markup("")
        )
        for (a, b), title in zip(places, titles, strict=True)
    ]
