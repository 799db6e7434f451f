"""A plot as SVG, drawn by hand: no plotting library is worth a dependency for two curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

WIDTH, HEIGHT = 720, 200
LEFT, RIGHT, TOP, BOTTOM = 56, 24, 34, 30
NAME = 40
"""The room for the name of a curve."""
COLOURS = ("#b3261e", "#1f6feb", "#1d6b3a")


@dataclass(frozen=True)
class Panel:
    """Curves over the same x values, from zero up."""

    title: str
    x: Sequence[float]
    curves: Mapping[str, Sequence[float]]


def plot(path: Path, title: str, panels: Sequence[Panel]) -> None:
    """Write the panels, one below the other."""
    height = 40 + HEIGHT * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="{LEFT}" y="24" font-size="15" font-weight="600">{escape(title)}</text>',
    ]
    for number, panel in enumerate(panels):
        parts.append(f'<g transform="translate(0 {40 + HEIGHT * number})">')
        parts += _panel(panel)
        parts.append("</g>")
    path.write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")


def _panel(panel: Panel) -> list[str]:
    most_x = max(panel.x)
    most_y = _round_up(max(max(curve) for curve in panel.curves.values()))
    inner_w, inner_h = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        return LEFT + x / most_x * inner_w, TOP + (1 - y / most_y) * inner_h

    parts = [f'<text x="{LEFT}" y="{TOP - 12}" fill="#444">{escape(panel.title)}</text>']
    for step in range(5):
        value = most_y * step / 4
        _, y = place(0, value)
        parts.append(
            f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#666">{value:g}</text>'
        )
        x, _ = place(most_x * step / 4, 0)
        parts.append(
            f'<text x="{x:.1f}" y="{HEIGHT - 10}" text-anchor="middle" fill="#666">'
            f"{most_x * step / 4:.3g} min</text>"
        )
    for number, (name, curve) in enumerate(panel.curves.items()):
        colour = COLOURS[number]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, panel.x, curve))
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
            f'<text x="{WIDTH - RIGHT - NAME * number}" y="{TOP - 12}" text-anchor="end" '
            f'fill="{colour}">{escape(name)}</text>'
        )
    return parts


def _round_up(value: float) -> float:
    """The next of 1, 2, 4, 8 times a power of ten, so that quarters are round."""
    power = 10.0 ** (len(str(int(max(value, 1)))) - 1)
    return next(step * power for step in (1, 2, 4, 8, 10, 20) if step * power >= value)
