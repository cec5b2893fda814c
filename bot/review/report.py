"""`lantern knowledge report`: the state of the knowledge base on one page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from html import escape
from statistics import median
from typing import get_args

from bot.retrieval.card import Card, Topic
from bot.review.library import Desk, check
from bot.review.lint import PENDING, card_text, reading_grade
from bot.review.page import bars, columns, page, table, tiles
from bot.review.tables import CERTAINTIES, HELPLINE_DUE, HELPLINE_STALE, SOURCE_RANK

HORIZONS = (30, 60, 90)


def due(cards: Mapping[str, Card], today: date) -> list[tuple[int, Card, str, date]]:
    """Cards to review or that expire within the longest horizon or before today: (days left, card, what, when), soonest first."""
    rows = []
    for card in cards.values():
        dates = [("review", card.review_by)] + ([("expires", card.expires_on)] if card.expires_on else [])
        what, when = min(dates, key=lambda d: d[1])
        if (left := (when - today).days) <= HORIZONS[-1]:
            rows.append((left, card, what, when))
    return sorted(rows, key=lambda r: (r[0], r[1].id))


def due_counts(cards: Mapping[str, Card], today: date) -> list[tuple[str, int]]:
    """How many cards are overdue, and how many fall due within each horizon (each counted once, in the nearest)."""
    left = [row[0] for row in due(cards, today)]
    counts = [("overdue", sum(n < 0 for n in left))]
    low = 0
    for high in HORIZONS:
        counts.append((f"in {low}–{high} days", sum(low <= n <= high for n in left)))
        low = high + 1
    return counts


def _months(cards: Mapping[str, Card], today: date) -> list[tuple[str, int]]:
    """How many cards fall due in each of the next 12 months; what is overdue counts in the first."""
    first = today.replace(day=1)
    months = [first]
    while len(months) < 12:
        months.append((months[-1] + timedelta(days=32)).replace(day=1))
    when = [max(first, min(c.review_by, c.expires_on or c.review_by)) for c in cards.values()]
    return [(m.strftime("%b %y"), sum((w.year, w.month) == (m.year, m.month) for w in when)) for m in months]


def _signed(cards: Mapping[str, Card]) -> tuple[int, int, int]:
    """How many cards are signed, wait for a second signature, and carry only void ones."""
    signed = sum(c.signed for c in cards.values())
    waiting = sum(not c.signed and any(s.content_hash == PENDING + c.content_hash for s in c.clinical_signoff) for c in cards.values())
    void = sum(not c.signed and bool(c.clinical_signoff) for c in cards.values()) - waiting
    return signed, waiting, void


def _age_tone(days: int) -> str:
    return "too old to show" if days > HELPLINE_STALE else "read again" if days > HELPLINE_DUE else "fresh"


def html(desk: Desk) -> str:
    """The report as one HTML page."""
    cards, today = desk.cards, desk.library.today
    faults = check(desk)
    errors, warnings = (sum(f.severity == s for f in faults) for s in ("error", "warning"))
    grades = {i: reading_grade(card_text(c)) for i, c in cards.items()}
    used = {f for c in cards.values() for f in c.facts}
    cited = Counter(s for c in cards.values() for s in c.source_ids)
    signed, waiting, void = _signed(cards)
    expired = [c for c in cards.values() if c.expired(today)]
    tone = "bad" if errors else "warn" if warnings or expired else "good"
    counts = due_counts(cards, today)
    lead = [
        f"{errors} errors and {warnings} warnings in `lantern knowledge check`." if errors or warnings else "The check is clean.",
        f"{len(expired)} cards have expired and are withheld." if expired else "No card has expired.",
        f"{signed} of {len(cards)} cards carry a clinician's valid signature" + (f", {waiting} wait for a second, {void} were edited since." if waiting or void else "."),
        "Due: " + ", ".join(f"{n} {label}" for label, n in counts) + ".",
    ]
    body = [
        f'<p class="soft">State of the knowledge base, {today}</p><h1>Knowledge report</h1>',
        f'<div class="sum {tone}"><ul>' + "".join(f"<li>{escape(x)}</li>" for x in lead) + "</ul></div>",
        tiles([("cards", len(cards)), ("questions", sum(len(c.questions) for c in cards.values())), ("cited sentences", sum(1 for c in cards.values() for _ in c.sentences())),
               ("facts used", f"{len(used & set(desk.facts))} of {len(desk.facts)}"), ("sources cited", f"{len(cited)} of {len(desk.library.sources)}"),
               ("median reading grade", f"{median(grades.values()):.1f}" if grades else "–")]),
        "<h2>Coverage by topic</h2>", _coverage(desk, grades),
        "<h2>What falls due</h2>", columns("Cards that fall due in each of the next 12 months", _months(cards, today)), _due_table(desk),
        "<h2>Reading grades</h2>", _grades(grades),
        "<h2>Facts and sources</h2>", _facts(desk, used), _sources(desk, cited),
        "<h2>Help lines</h2>", _helplines(desk),
    ]
    if faults:
        body += ["<h2>Faults</h2>", table(["where", "rule", "what", "remedy"], [(f"{f.path}:{f.line}", f"{f.rule} ({f.severity})", f.problem, f.remedy) for f in faults[:200]])]
    return page(f"Knowledge report, {today}", "".join(body))


def _coverage(desk: Desk, grades: Mapping[str, float]) -> str:
    rows = []
    for topic in get_args(Topic):
        cards = [c for c in desk.cards.values() if c.topic == topic]
        facts = {f for c in cards for f in c.facts}
        rows.append((topic, len(cards), sum(len(c.questions) for c in cards), len(facts), len({s for c in cards for s in c.source_ids}),
                     f"{median(grades[c.id] for c in cards):.1f}" if cards else "–", sum(c.signed for c in cards)))
    chart = bars("Cards by topic", [(str(r[0]), int(r[1])) for r in rows])
    by_word = Counter(c.certainty for c in desk.cards.values())
    words = bars("Cards by evidence word", [(w, by_word[w]) for w in CERTAINTIES])  # type: ignore[index]
    return chart + table(["topic", "cards", "questions", "facts", "sources", "grade", "signed"], rows, range(1, 7)) + "<h2>Evidence words</h2>" + words


def _due_table(desk: Desk) -> str:
    rows = due(desk.cards, desk.library.today)
    if not rows:
        return f"<p>Nothing within {HORIZONS[-1]} days.</p>"
    return table(["days left", "card", "what", "when"], [(left, card.id, what, when) for left, card, what, when in rows], (0,))


def _grades(grades: Mapping[str, float]) -> str:
    bins = list(range(1, 12))
    counts = [(str(b), sum(b <= g < b + 1 for g in grades.values()) + (sum(g < 1 for g in grades.values()) if b == 1 else 0)) for b in bins]
    hardest = sorted(grades.items(), key=lambda r: -r[1])[:10]
    return (
        columns("Cards by US reading grade", counts, ((7, "goal: up to 8"), (9, "limit: 10")))
        + "<p>The hardest cards:</p>" + table(["card", "grade"], [(i, f"{g:.1f}") for i, g in hardest], (1,))
    )


def _facts(desk: Desk, used: set[str]) -> str:
    unused = [(f.id, f.topic, f.unused or "no reason given") for f in desk.facts.values() if f.id not in used]
    return table(["fact", "topic", "why no card uses it"], unused) if unused else f"<p>Every one of the {len(desk.facts)} registered facts is used by a card.</p>"


def _sources(desk: Desk, cited: Counter[str]) -> str:
    kinds = Counter(s.type for s in desk.library.sources.values())
    uses: Counter[str] = Counter()
    for source, n in cited.items():
        if source in desk.library.sources:
            uses[desk.library.sources[source].type] += n
    rows = [(kind, SOURCE_RANK[kind], kinds[kind], uses[kind]) for kind in SOURCE_RANK if kinds[kind]]
    return "<p>Sources by type, rank 1 weighing most, and in how many cards each is cited:</p>" + table(["type", "rank", "sources", "citations by cards"], rows, (1, 2, 3))


def _helplines(desk: Desk) -> str:
    if desk.helplines is None:
        return "<p>The table cannot be read.</p>"
    today = desk.library.today
    ages = [((today - line.checked).days, code, line) for code, country in desk.helplines.countries.items() for line in country.lines]
    summary = Counter(_age_tone(a) for a, _, _ in ages)
    rows = [(code, line.name, line.purpose, line.checked, age, _age_tone(age)) for age, code, line in sorted(ages, key=lambda r: (-r[0], r[1]))]
    return (
        f"<p>{len(desk.helplines.countries)} countries, {len(ages)} lines: " + ", ".join(f"{n} {word}" for word, n in summary.items())
        + f". A row is read again within {HELPLINE_DUE} days.</p><details><summary>All lines</summary>"
        + table(["country", "line", "for", "checked", "days ago", "state"], rows, (4,)) + "</details>"
    )
