"""Small inline SVG plots for the report."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from evals.gates import Judged


def interval(j: Judged) -> str:
    """A gate's interval, its point and its threshold, on a scale that shows the difference."""
    if not j.n:
        return ""
    if j.gate.kind == "median":
        left, right, form = min(j.low, j.limit) - 1, max(j.high, j.limit) + 1, "{:.1f}"
    else:
        left, right, form = max(0.0, min(j.low, j.limit) - 0.04), 1.0, "{:.1%}"
    width, x0, x1 = 260.0, 6.0, 254.0

    def at(value: float) -> float:
        return x0 + (x1 - x0) * (min(max(value, left), right) - left) / max(right - left, 1e-9)

    state = j.state.replace(" ", "-")
    label = f"{form.format(j.value)}, 95% bounds {form.format(j.low)} to {form.format(j.high)}; needed {form.format(j.limit)}"
    return (
        f'<svg viewBox="0 0 {width:.0f} 34" role="img" aria-label="{escape(label)}"><title>{escape(label)}</title>'
        f'<line class="axis" x1="{x0}" y1="13" x2="{x1}" y2="13"/>'
        f'<line class="limit" x1="{at(j.limit):.1f}" y1="3" x2="{at(j.limit):.1f}" y2="23"/>'
        f'<line class="bar {state}" x1="{at(j.low):.1f}" y1="13" x2="{max(at(j.high), at(j.low) + 1):.1f}" y2="13" stroke-width="5" stroke-linecap="round"/>'
        f'<circle class="bar {state}" cx="{at(j.value):.1f}" cy="13" r="5"/>'
        f'<text x="{x0}" y="32">{form.format(left)}</text><text x="{x1}" y="32" text-anchor="end">{form.format(right)}</text></svg>'
    )


def risk_coverage(points: Sequence[tuple[float, float]]) -> str:
    """Share of wrong answers (up) against share of questions answered (right), as the confidence threshold falls."""
    if len(points) < 2:
        return ""
    top = max(0.1, max(r for _, r in points)) * 1.1
    line = " ".join(f"{40 + 500 * c:.1f},{190 - 170 * r / top:.1f}" for c, r in points)
    ticks = "".join(f'<text x="{40 + 500 * t:.0f}" y="206" text-anchor="middle">{t:.0%}</text>' for t in (0, 0.25, 0.5, 0.75, 1))
    ticks += "".join(f'<text x="34" y="{194 - 170 * t:.0f}" text-anchor="end">{t * top:.0%}</text>' for t in (0, 0.5, 1))
    return (
        '<svg viewBox="0 0 560 224" role="img" aria-label="Risk against coverage" style="max-width:560px;width:100%">'
        f'<line class="axis" x1="40" y1="190" x2="540" y2="190"/><line class="axis" x1="40" y1="20" x2="40" y2="190"/>{ticks}'
        f'<polyline points="{line}" fill="none" stroke="var(--accent)" stroke-width="2"/>'
        '<text x="290" y="221" text-anchor="middle">share of questions answered</text><text x="46" y="14">share of these answered wrongly</text></svg>'
    )
