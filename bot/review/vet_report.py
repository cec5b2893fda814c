"""What `lantern knowledge vet` writes: Markdown, a self-contained HTML page, and draft cards."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from html import escape
from pathlib import Path

from bot.retrieval.card import Card
from bot.review.page import page, tiles
from bot.review.vet import VERDICT_WORDS, Finding, Report

FIT = {"cite": "Fit to cite", "link": "Fit to link, not to cite", "no": "Not to be used"}
_TONE = {"cite": "good", "link": "warn", "no": "bad"}
_VERDICT_TONE = {"in line": "good-t", "stronger": "warn-t", "against": "bad-t", "not covered": "soft-t"}
_MARKS = {
    "sourcing": "how to get the drug", "selling": "selling", "hype": "hype", "self-promotion": "author's self-praise", "amount": "amount or schedule",
    "absolute": "absolute", "no citation": "research without a source",
}
NOTE = "The comparison is of wording, by rules and a sentence encoder. It can be wrong both ways: read what it shows before you decide."


def _order(finding: Finding) -> int:
    if any(n in ("sourcing", "selling", "amount") for n, _ in finding.marks):
        return 0
    return {"against": 1, "stronger": 2}.get(finding.verdict or "", 3 if finding.promotional or finding.flagged else 4)


def _figures(report: Report) -> list[tuple[str, object]]:
    return [
        ("claims judged", sum(f.verdict is not None for f in report.findings)),
        ("in line", report.count("in line")), ("stronger", report.count("stronger")), ("against", report.count("against")), ("not covered", report.count("not covered")),
        ("selling or sourcing", report.marked("selling") + report.marked("sourcing")), ("hype or self-praise", report.marked("hype") + report.marked("self-promotion")),
        ("amounts", report.marked("amount")), ("research, no source", report.marked("no citation")),
    ]


def markdown(report: Report, cards: Mapping[str, Card]) -> str:
    """The report as Markdown, the summary first."""
    out = [f"# {report.name}", "", f"**{FIT[report.fit]}**: " + "; ".join(report.reasons) + ".", "", NOTE, "", "| | |", "|---|---|"]
    out += [f"| {what} | {n} |" for what, n in _figures(report)]
    flagged = sorted((f for f in report.findings if f.flagged), key=_order)
    out += ["", "## What to look at", ""] if flagged else ["", "Nothing was flagged.", ""]
    for f in flagged:
        out += [*_lines(f, cards), ""]
    rest = [f for f in report.findings if not f.flagged and f.verdict]
    out += ["## The other claims", ""]
    for f in rest:
        out += [*_lines(f, cards), ""]
    return "\n".join(out).rstrip() + "\n"


def _lines(finding: Finding, cards: Mapping[str, Card]) -> Iterator[str]:
    tags = [VERDICT_WORDS[finding.verdict]] if finding.verdict else []
    tags += [f"{_MARKS[n]} (“{words}”)" for n, words in finding.marks]
    yield f"- Line {finding.part.line}: **{'; '.join(tags)}**"
    yield f"  > {finding.part.text}"
    for why in finding.why:
        yield f"  - {why}"
    for near in finding.near[: 2 if finding.verdict != "not covered" else 1]:
        yield f"  - We hold ({near.certainty}, {near.card}, {near.similarity:.2f}): {near.text}"


def html(report: Report, cards: Mapping[str, Card]) -> str:
    """The report as one HTML page, the summary first."""
    flagged = sorted((f for f in report.findings if f.flagged), key=_order)
    rest = [f for f in report.findings if not f.flagged and f.verdict]
    body = [
        f'<p class="soft">Article</p><h1>{escape(report.name)}</h1><div class="sum {_TONE[report.fit]}"><p><strong>{FIT[report.fit]}</strong></p>',
        "<ul>" + "".join(f"<li>{escape(r)}</li>" for r in report.reasons) + f'</ul><p class="soft">{NOTE}</p></div>',
        tiles(_figures(report)),
        f"<h2>What to look at ({len(flagged)})</h2>",
        *(_article(f, cards) for f in flagged),
        f"<details><summary>The other claims ({len(rest)})</summary>", *(_article(f, cards) for f in rest), "</details>",
    ]
    return page(f"{FIT[report.fit]}: {report.name}", "".join(body))


def _article(finding: Finding, cards: Mapping[str, Card]) -> str:
    tags = [f'<span class="tag {_VERDICT_TONE[finding.verdict]}">{escape(VERDICT_WORDS[finding.verdict])}</span>'] if finding.verdict else []
    tags += [f'<span class="tag {"soft-t" if n == "no citation" else "bad-t"}">{escape(_MARKS[n])}: {escape(words)}</span>' for n, words in finding.marks]
    held = "".join(
        f"<li>{escape(n.text)} <span class='soft'>({escape(n.certainty)}; {escape(cards[n.card].title if n.card in cards else n.card)})</span></li>"
        for n in finding.near[: 2 if finding.verdict != "not covered" else 1]
    )
    label = "Nearest, but not the same:" if finding.verdict == "not covered" else "We hold:"
    return (
        f'<article><p>{"".join(tags)} <span class="soft">line {finding.part.line}</span></p><blockquote>{escape(finding.part.text)}</blockquote>'
        + "".join(f"<p>{escape(w)}</p>" for w in finding.why) + (f"<p class='soft'>{label}</p><ul>{held}</ul>" if held else "") + "</article>"
    )


def _slug(text: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", text.lower())[:6]) or "untitled"


def scaffold(report: Report, cards: Mapping[str, Card], folder: Path, today: date) -> list[Path]:
    """Write a draft card for each section of the article with claims that no card covers.

    A draft holds no claim as fact: it names what to find out and fails `check` until an editor has sources.

    Returns:
        The files written; an existing file is left alone.
    """
    groups: dict[str, list[Finding]] = {}
    for finding in report.findings:
        if finding.verdict == "not covered" and not finding.flagged:
            groups.setdefault(finding.part.section or finding.part.text, []).append(finding)
    written = []
    folder.mkdir(parents=True, exist_ok=True)
    for section, findings in groups.items():
        topics = [cards[n.card].topic for f in findings for n in f.near[:1] if n.card in cards]
        topic = max(set(topics), key=topics.count) if topics else "anxiety"
        title = section if section.endswith("?") else f"TODO a question about: {section}"
        path = folder / f"{topic}-{_slug(section)}.md"
        if path.exists():
            continue
        claims = "\n".join(f"- (line {f.part.line}) {f.part.text}" for f in findings)
        path.write_text(
            f"---\nid: {path.stem}\ntitle: {_quoted(title)}\ntopic: {topic}\nquestions:\n  - TODO give 6 to 9 wordings of visitors\ncertainty: limited\nfacts: []\nrelated: []\n"
            f"sources_checked: {today}\nreview_by: {today.replace(day=1)}\nclinical_signoff:\n---\n"
            f"TODO {report.name} says the following, and no card covers it. Find independent sources, register the facts, "
            f"write your own sentences, each with its source, and delete this paragraph.\n\n{claims}\n",
            encoding="utf-8",
        )
        written.append(path)
    return written


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "").replace('"', "'") + '"'
