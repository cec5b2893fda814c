"""The frame of the desk's HTML reports: one file, no script, nothing loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

CSS = """
:root{--ink:#1c2b2a;--soft:#566664;--line:#d5dedc;--paper:#fff;--ground:#f4f7f6;--brand:#1d5f5b;--good:#1d6b3c;--warn:#8a5300;--bad:#a3211f}
@media(prefers-color-scheme:dark){:root{--ink:#e6efed;--soft:#a9bab7;--line:#35423f;--paper:#182220;--ground:#0f1615;--brand:#7fcac3;--good:#7fd29c;--warn:#f0b964;--bad:#ff9a94}}
*{box-sizing:border-box}body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
main{max-width:68rem;margin:0 auto;padding:1.5rem 1rem 4rem}h1{font-size:1.6rem;line-height:1.25;margin:.2rem 0 .6rem;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2.2rem 0 .6rem}
p{margin:.4rem 0}.soft{color:var(--soft)}article,.sum{background:var(--paper);border:1px solid var(--line);border-radius:.6rem;padding:.9rem 1rem;margin:.8rem 0}
.sum{border-left:.4rem solid var(--brand)}.sum.good{border-left-color:var(--good)}.sum.warn{border-left-color:var(--warn)}.sum.bad{border-left-color:var(--bad)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:.6rem;margin:.8rem 0}
.tile{background:var(--paper);border:1px solid var(--line);border-radius:.6rem;padding:.6rem .8rem}.tile b{display:block;font-size:1.5rem;line-height:1.2}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;background:var(--paper)}th,td{
border:1px solid var(--line);padding:.4rem .55rem;text-align:left;vertical-align:top}
th{background:var(--ground);font-weight:600}td.n{text-align:right;font-variant-numeric:tabular-nums}
blockquote{margin:.2rem 0 .5rem;padding-left:.8rem;border-left:.2rem solid var(--line);overflow-wrap:anywhere}
.tag{display:inline-block;border:1px solid currentColor;border-radius:1rem;padding:0 .55rem;font-size:.85rem;margin:0 .3rem .2rem 0}
.good-t{color:var(--good)}.warn-t{color:var(--warn)}.bad-t{color:var(--bad)}.soft-t{color:var(--soft)}
svg{max-width:100%;height:auto;display:block}svg text{fill:var(--ink);font:13px system-ui,sans-serif}
.plot{overflow-x:auto;background:var(--paper);border:1px solid var(--line);border-radius:.6rem;padding:.6rem;margin:.6rem 0}
.plot svg{min-width:34rem}details summary{cursor:pointer;font-weight:600;padding:.3rem 0}a{color:var(--brand)}
"""


def page(title: str, body: str) -> str:
    """A whole HTML document; `body` is trusted HTML, `title` is escaped."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src \'unsafe-inline\'">'
        f"<title>{escape(title)}</title><style>{CSS}</style></head><body><main>{body}</main></body></html>\n"
    )


def tiles(rows: Sequence[tuple[str, object]]) -> str:
    """Figures side by side, each with what it counts."""
    return '<div class="tiles">' + "".join(f'<div class="tile"><b>{escape(str(v))}</b>{escape(k)}</div>' for k, v in rows) + "</div>"


def table(head: Sequence[str], rows: Sequence[Sequence[object]], numeric: Sequence[int] = ()) -> str:
    """A table; cells are escaped, the columns in `numeric` stand right."""
    top = "".join(f'<th scope="col">{escape(h)}</th>' for h in head)
    body = "".join(
        "<tr>" + "".join(f'<td{" class=n" if i in numeric else ""}>{escape(str(cell))}</td>' for i, cell in enumerate(row)) + "</tr>" for row in rows
    )
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(head[0])}"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def bars(label: str, rows: Sequence[tuple[str, int]], width: int = 640) -> str:
    """A horizontal bar chart as inline SVG; the figures stand in it, so that nothing is told by colour alone."""
    top = max((n for _, n in rows), default=1) or 1
    left, row = 190, 26
    parts = [f'<svg viewBox="0 0 {width} {row * len(rows) + 8}" role="img" aria-label="{escape(label)}" width="{width}">']
    for i, (name, n) in enumerate(rows):
        y = 4 + i * row
        length = round((width - left - 60) * n / top)
        parts.append(f'<text x="{left - 8}" y="{y + 16}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<rect x="{left}" y="{y + 2}" width="{max(length, 1)}" height="{row - 7}" rx="3" fill="var(--brand)"/>')
        parts.append(f'<text x="{left + length + 6}" y="{y + 16}">{n}</text>')
    return f'<div class="plot">{"".join(parts)}</svg></div>'


def columns(label: str, rows: Sequence[tuple[str, int]], marks: Sequence[tuple[int, str]] = (), width: int = 640, height: int = 220) -> str:
    """A column chart as inline SVG. `marks` are (column, words): a dashed line before that column."""
    top = max((n for _, n in rows), default=1) or 1
    step = (width - 20) / max(1, len(rows))
    parts = [f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}" width="{width}">']
    for i, (name, n) in enumerate(rows):
        x, tall = 10 + i * step, round((height - 70) * n / top)
        parts.append(f'<rect x="{x + 2:.1f}" y="{height - 26 - tall}" width="{step - 4:.1f}" height="{tall}" rx="2" fill="var(--brand)"/>')
        parts.append(f'<text x="{x + step / 2:.1f}" y="{height - 8}" text-anchor="middle">{escape(name)}</text>')
        if n:
            parts.append(f'<text x="{x + step / 2:.1f}" y="{height - 31 - tall}" text-anchor="middle">{n}</text>')
    for i, words in marks:
        x = 10 + i * step
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="6" y2="{height - 24}" stroke="var(--bad)" stroke-dasharray="4 3"/>')
        parts.append(f'<text x="{x - 5:.1f}" y="16" text-anchor="end">{escape(words)}</text>')
    return f'<div class="plot">{"".join(parts)}</svg></div>'
