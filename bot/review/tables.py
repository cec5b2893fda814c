"""The checks of what stands beside the cards: sources, facts, hosts, help lines and visitors' queries."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.guardrails.amounts import find_amounts
from bot.guardrails.wording import VENDOR, host_of
from bot.helplines import Helplines
from bot.retrieval.card import UNCOVERED, Card, Certainty, Source
from bot.review.lint import FIRMNESS, Fault

# Rank 1 weighs most; docs/knowledge.md explains it to editors.
SOURCE_RANK = {
    "law": 1, "regulator": 1, "label": 1, "guideline": 1, "systematic-review": 2, "rct": 3, "observational": 4, "textbook": 4,
    "service": 4, "case-report": 5, "animal": 6, "news": 6,
}
# A help line is read again within 90 days; after twice that it may no longer be shown.
HELPLINE_DUE, HELPLINE_STALE = 90, 180


class Fact(BaseModel):
    """One row of facts.yaml: a finding that was read and graded, by id. Its sentence is not kept here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z]+-\d+$")
    topic: str
    certainty: Certainty
    sources: tuple[str, ...]
    unused: str | None = None


@dataclass(frozen=True)
class Table:
    """A file beside the cards: its name for messages and its text for line numbers."""

    path: str
    text: str = ""

    def line(self, needle: str) -> int:
        """The line where `needle` first stands; 1 when it does not."""
        return next((i for i, line in enumerate(self.text.splitlines(), 1) if needle in line), 1)


def read_facts(table: Table) -> tuple[dict[str, Fact], list[Fault]]:
    """The register of facts by id, and what is wrong with its form."""
    facts: dict[str, Fact] = {}
    faults: list[Fault] = []
    try:
        rows = yaml.load(table.text, yaml.CSafeLoader) or []
    except yaml.YAMLError as err:
        return {}, [Fault(table.path, 1, "facts", f"is not valid YAML ({err})".replace("\n", " "), "Mend the line")]
    for row in rows:
        name = str(row.get("id", "?")) if isinstance(row, dict) else str(row)
        try:
            fact = Fact.model_validate(row)
        except ValidationError as err:
            first = err.errors()[0]
            where = ".".join(str(p) for p in first["loc"])
            faults.append(Fault(table.path, table.line(f"id: {name}"), "facts", f"{name}: {where}: {first['msg'].lower()}", "Give id, topic, certainty and sources only"))
            continue
        if fact.id in facts:
            faults.append(Fault(table.path, table.line(f"id: {name}"), "facts", f"{name} stands twice", "Remove one"))
        facts[fact.id] = fact
    return facts, faults


def facts(register: Mapping[str, Fact], cards: Mapping[str, Card], lines: Mapping[str, Table], table: Table) -> Iterator[Fault]:
    """Every fact is used or says why not; every card's facts exist, carry its certainty and are cited."""
    used: set[str] = set()
    for card in cards.values():
        line = lines[card.id].line("facts:") if card.id in lines else 1
        known = [register[f] for f in card.facts if f in register]
        used.update(f.id for f in known)
        for unknown in (f for f in card.facts if f not in register):
            yield Fault(card.path, line, "facts", f"'{unknown}' is not in facts.yaml", "Correct the id or register the fact")
        if not card.facts:
            yield Fault(card.path, line, "facts", "the card names no fact", "List the ids of the facts that it rests on")
        if known and FIRMNESS[card.certainty] > max(FIRMNESS[f.certainty] for f in known):
            yield Fault(card.path, line, "certainty", f"'{card.certainty}' is firmer than every fact of the card (R-37)", "Lower it to " + _firmest(known))
        for fact in known:
            if not set(fact.sources) & set(card.source_ids):
                yield Fault(card.path, line, "facts", f"{fact.id} is listed but none of its sources is cited", "Cite one of " + ", ".join(fact.sources), "warning")
    for fact in register.values():
        at = table.line(f"id: {fact.id}")
        if fact.id not in used and not fact.unused:
            yield Fault(table.path, at, "facts", f"no card uses {fact.id}", "Use it in a card, or give the reason as `unused:`")
        if fact.id in used and fact.unused:
            yield Fault(table.path, at, "facts", f"{fact.id} has a reason for being unused, but a card uses it", "Remove the reason (or run with --fix)", "warning")


def _firmest(known: list[Fact]) -> str:
    return max(known, key=lambda f: FIRMNESS[f.certainty]).certainty


def sources(rows: Mapping[str, Source], cards: Mapping[str, Card], hosts: frozenset[str], table: Table, today: date) -> Iterator[Fault]:
    """Each source has a known type and a possible year, a listed host, a clean title, and a card that cites it."""
    cited = {s for card in cards.values() for s in card.source_ids}
    for source in rows.values():
        at = table.line(f"id: {source.id}")
        if source.type not in SOURCE_RANK:
            yield Fault(table.path, at, "source", f"{source.id}: type '{source.type}' is not known", "Use one of " + ", ".join(SOURCE_RANK))
        if not 1900 <= source.year <= today.year:
            yield Fault(table.path, at, "source", f"{source.id}: year {source.year}", "Give the year of publication")
        shown = f"{source.title} {source.authors_or_body} {source.publisher}"
        if amounts := find_amounts(shown):
            yield Fault(table.path, at, "source-title", f"{source.id}: “{amounts[0].text}” reads as an amount, and titles are shown to visitors", "Shorten the title")
        if seller := VENDOR.search(shown):
            yield Fault(table.path, at, "source-title", f"{source.id}: “{seller[0]}” points to a seller", "Use another source")
        if not source.url.startswith("https://") and not source.url.startswith("http://"):
            yield Fault(table.path, at, "source", f"{source.id}: the address is not https", "Give the address of record")
        elif host_of(source.url) not in hosts:
            yield Fault(table.path, at, "source-host", f"{source.id}: host '{host_of(source.url)}' is not in hosts.yaml (R-39)",
                        "Look at the site; if it sells nothing and can be trusted, list the host")
        if source.id not in cited:
            yield Fault(table.path, at, "unused-source", f"no card cites {source.id}", "Remove it (or run with --fix)", "warning")


def twice(table: Table, pattern: str) -> Iterator[Fault]:
    """Ids that stand more than once in a YAML list."""
    seen: set[str] = set()
    for number, line in enumerate(table.text.splitlines(), 1):
        if m := re.match(pattern, line):
            if m[1] in seen:
                yield Fault(table.path, number, "source", f"{m[1]} stands twice", "Remove one")
            seen.add(m[1])


def helplines(rows: Helplines, hosts: frozenset[str], table: Table, today: date) -> Iterator[Fault]:
    """Each row has a source that was read lately and a partner that exists (R-22); each country has an emergency number."""

    def aged(name: str, checked: date, source: str, at: int) -> Iterator[Fault]:
        age = (today - checked).days
        if age < 0:
            yield Fault(table.path, at, "helplines", f"{name}: checked on {checked}, which is in the future", "Give the day on which the page was read")
        elif age > HELPLINE_DUE:
            yield Fault(table.path, at, "helplines", f"{name}: last checked {age} days ago", "Open its source, compare, and set `checked`",
                        "error" if age > HELPLINE_STALE else "warning")
        if not re.match(r"https?://[^\s/]+\.[^\s/]+", source):
            yield Fault(table.path, at, "helplines", f"{name}: “{source}” is not an address", "Give the page where the number was read")

    yield from aged("the finder", rows.finder.checked, rows.finder.source, table.line("finder:"))
    ids = {line.id for country in rows.countries.values() for line in country.lines}
    for code, country in rows.countries.items():
        here = table.line(f"  {code}:")
        if not any(c.isdigit() for c in country.emergency):
            yield Fault(table.path, here, "helplines", f"{code}: no emergency number", "Add it with its source")
        if not re.match(r"https?://", country.emergency_source):
            yield Fault(table.path, here, "helplines", f"{code}: the emergency number has no source", "Give the page where it was read")
        emergency = {f"{code.lower()}-{number}" for number in re.findall(r"\d+", country.emergency)}
        for line in country.lines:
            at = table.line(f"id: {line.id}")
            yield from aged(line.id, line.checked, line.source, at)
            if line.pair and line.pair not in ids | emergency:
                yield Fault(table.path, at, "helplines", f"{line.id}: its partner '{line.pair}' does not exist (R-22)",
                            "Name the id of a line, or country code and emergency number, such as us-911")
            if line.purpose == "poison" and not line.pair:
                yield Fault(table.path, at, "helplines", f"{line.id}: a poison line is shown with the emergency number (R-22)",
                            f"Set pair: {sorted(emergency)[0] if emergency else '…'}")
            if line.chat and host_of(line.chat) not in hosts:
                yield Fault(table.path, at, "source-host", f"{line.id}: host '{host_of(line.chat)}' is not in hosts.yaml (R-39)", "Look at the site, then list the host")


def queries(tables: Mapping[str, Table], cards: Mapping[str, Card]) -> Iterator[Fault]:
    """Each line of knowledge/queries names a card that exists and the opening of one of its passages, and no wording belongs to two cards."""
    seen: dict[str, str] = {}
    for table in tables.values():
        for number, line in enumerate(table.text.splitlines(), 1):
            try:
                row = json.loads(line)
                card, query, lead = str(row["card"]), str(row["query"]), row.get("lead")
            except (ValueError, KeyError, TypeError, AttributeError):
                yield Fault(table.path, number, "queries", "the line cannot be read", 'Write {"card": "…", "query": "…", "lead": "…"}')
                continue
            if card not in cards and card != UNCOVERED:
                yield Fault(table.path, number, "queries", f"no card '{card}'", "Correct the id or remove the line")
            elif lead and (card == UNCOVERED or cards[card].opening_with(str(lead)) is None):
                yield Fault(table.path, number, "queries", f"no one passage of '{card}' begins with “{lead}”",
                            "Give the first words of the passage that answers the query, or \"\" when none does")
            key = " ".join(re.findall(r"\w+", query.lower()))
            if seen.setdefault(key, card) != card:
                yield Fault(table.path, number, "queries", f"“{query}” also belongs to {seen[key]}", "Keep it for the card that answers it best", "warning")


def read_hosts(path: Path) -> frozenset[str]:
    """The hosts that a source or a help line may have."""
    return frozenset(yaml.safe_load(path.read_text(encoding="utf-8")) or []) if path.exists() else frozenset()


CERTAINTIES: tuple[str, ...] = get_args(Certainty)
