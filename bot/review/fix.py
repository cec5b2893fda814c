"""`lantern knowledge check --fix`: the faults that need no judgement, mended in the files.

Whatever changes what a clinician signed voids the signature, so every change is reported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from bot.retrieval.card import KnowledgeError, parse_card
from bot.review.library import Desk, read, shown
from bot.review.lint import EMERGENCY, MUST_EXPIRE, card_text

# Said without blame; each stands in the same place of the sentence as the words it replaces.
_KINDER = (
    (re.compile(r"\bcommitted suicide\b", re.I), "died by suicide"),
    (re.compile(r"\bcommits suicide\b", re.I), "dies by suicide"),
    (re.compile(r"\bcommit suicide\b", re.I), "die by suicide"),
    (re.compile(r"\bcompleted suicide\b", re.I), "died by suicide"),
    (re.compile(r"\bsuicide victims\b", re.I), "people who died by suicide"),
    (re.compile(r"\bsuicide victim\b", re.I), "person who died by suicide"),
    (re.compile(r"(?<!Institute on )\bdrug abuse\b", re.I), "drug misuse"),
    (re.compile(r"\b(?:drug )?addicts\b", re.I), "people with an addiction"),
    (re.compile(r"\b(?:drug )?abusers\b", re.I), "people who misuse drugs"),
    (re.compile(r"\bthe mentally ill\b", re.I), "people with mental illness"),
)
_MARKERS_FIRST = re.compile(r"\s*((?:\[\^[^\]\s]+\])+)\s*([.!?])(?=\s|$)")


@dataclass(frozen=True)
class Change:
    """One thing that was mended."""

    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


def tidy(text: str) -> str:
    """Unix line ends, no trailing blanks, one line end at the end."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n") + "\n"


def markers_last(text: str) -> str:
    """Put citation markers after the full stop: “Text [^a].” becomes “Text. [^a]”."""
    return _MARKERS_FIRST.sub(r"\2 \1", text)


def kinder(text: str) -> str:
    """Replace wording that safe-messaging guidance advises against."""
    for pattern, words in _KINDER:
        text = pattern.sub(words, text)
    return text


def _front(text: str) -> tuple[str, str]:
    """The front matter with its fences, and the body."""
    match = re.match(r"---\n.*?\n---\n", text, re.S)
    return (match[0], text[match.end():]) if match else ("", text)


def _questions_once(front: str) -> str:
    seen: set[str] = set()
    lines = []
    inside = False
    for line in front.splitlines(keepends=True):
        inside = line.startswith("questions:") or (inside and line.startswith((" ", "-")) and line.strip() != "---")
        if inside and line.strip().startswith("- "):
            key = " ".join(re.findall(r"\w+", line.lower()))
            if key in seen:
                continue
            seen.add(key)
        lines.append(line)
    return "".join(lines)


def _expiry(text: str, path: Path) -> str:
    try:
        card = parse_card(text, path)
    except KnowledgeError:
        return text
    if card.certainty in MUST_EXPIRE and card.expires_on is None:
        return re.sub(r"(?m)^(review_by: .*)$", rf"\1\nexpires_on: {card.review_by}", text, count=1)
    if card.certainty not in MUST_EXPIRE and card.expires_on and EMERGENCY.search(card_text(card)):
        return re.sub(r"(?m)^expires_on:.*\n", "", text, count=1)
    return text


def _related(text: str, ids: frozenset[str], path: Path) -> str:
    try:
        card = parse_card(text, path)
    except KnowledgeError:
        return text
    kept = [r for r in dict.fromkeys(card.related) if r in ids and r != card.id]
    return text if kept == list(card.related) else re.sub(r"(?m)^related:.*\n(?:[ ]+-.*\n|- .*\n)*", f"related: [{', '.join(kept)}]\n", text, count=1)


def _mend_card(path: Path, ids: frozenset[str]) -> Iterator[str]:
    """Mend one card file; yields what was done."""
    before = path.read_text(encoding="utf-8")
    text = before

    def step(new: str, what: str) -> Iterator[str]:
        nonlocal text
        if new != text:
            text = new
            yield what

    yield from step(tidy(text), "tidied blanks and line ends")
    front, body = _front(text)
    yield from step(front + markers_last(body), "put citations after the full stop")
    front, body = _front(text)
    yield from step(kinder(front) + kinder(body), "replaced wording that safe messaging advises against")
    front, body = _front(text)
    yield from step(_questions_once(front) + body, "dropped questions that stood twice")
    yield from step(_related(text, ids, path), "dropped related cards that do not exist")
    yield from step(_expiry(text, path), "set or removed expires_on by the card's certainty")
    if text != before:
        path.write_text(text, encoding="utf-8")


def _drop_sources(path: Path, unused: set[str]) -> None:
    head, *blocks = re.split(r"(?m)^(?=- id: )", path.read_text(encoding="utf-8"))
    path.write_text(head + "".join(b for b in blocks if b.split(None, 3)[2] not in unused), encoding="utf-8")


def _facts_without(path: Path, keep: Callable[[str], bool], used: set[str]) -> None:
    """Drop the reasons of facts that are used, and sources that no longer exist."""
    head, *blocks = re.split(r"(?m)^(?=- id: )", path.read_text(encoding="utf-8"))
    out = [head]
    for block in blocks:
        row = yaml.safe_load(block)[0]
        if row["id"] in used:
            block = re.sub(r"(?m)^  unused:.*\n(?:    .*\n)*", "", block)
        kept = [s for s in row.get("sources", []) if keep(s)]
        if kept != row.get("sources", []):
            block = re.sub(r"(?m)^  sources:.*\n(?:  - .*\n|    .*\n)*", f"  sources: [{', '.join(kept)}]\n", block)
        out.append(block)
    path.write_text("".join(out), encoding="utf-8")


def fix(desk: Desk) -> list[Change]:
    """Mend what can be mended mechanically; read the desk again afterwards."""
    changes = []
    folder = desk.folder
    paths = sorted((folder / "cards").rglob("*.md"))
    ids = frozenset(p.stem for p in paths)  # a card that cannot be read yet is still there
    for path in paths:
        changes += [Change(shown(path), what) for what in _mend_card(path, ids)]
    fresh = read(folder, desk.library.today)
    if fresh.broken:  # with a card unread, what looks unused may be used
        return changes
    cited = {s for c in fresh.cards.values() for s in c.source_ids}
    if unused := set(fresh.library.sources) - cited:
        _drop_sources(folder / "sources.yaml", unused)
        changes.append(Change(shown(folder / "sources.yaml"), "removed sources that no card cites: " + ", ".join(sorted(unused))))
    used = {f for c in fresh.cards.values() for f in c.facts}
    reasons = sorted(f.id for f in fresh.facts.values() if f.id in used and f.unused)
    lost = sorted(f.id for f in fresh.facts.values() if set(f.sources) & unused)
    if reasons or lost:
        _facts_without(folder / "facts.yaml", lambda s: s not in unused, used)
        changes.append(Change(shown(folder / "facts.yaml"), "brought up to date: " + ", ".join(sorted({*reasons, *lost}))))
    return changes
