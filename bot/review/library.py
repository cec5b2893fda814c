"""Read the whole knowledge base for review: every fault is collected, none stops the reading."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import yaml
from pydantic import ValidationError

from bot.helplines import Helplines, load_helplines
from bot.retrieval.card import Card, KnowledgeError, Source, load_sources, parse_card
from bot.review import lint, tables
from bot.review.lint import Fault, Library
from bot.review.tables import Fact, Table


@dataclass(frozen=True)
class Desk:
    """Everything that lies on the reviewer's desk.

    Attributes:
        library: cards, sources, hosts and the day.
        broken: faults found while reading.
    """

    folder: Path
    library: Library
    helplines: Helplines | None
    facts: dict[str, Fact]
    hosts: frozenset[str]
    broken: tuple[Fault, ...]
    tables: dict[str, Table] = field(default_factory=dict)

    @property
    def cards(self) -> dict[str, Card]:
        """The cards that could be read, by id."""
        return self.library.cards


def shown(path: Path) -> str:
    """A path as messages show it: relative to where the command was typed, if it lies there."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _table(path: Path) -> Table:
    return Table(shown(path), path.read_text(encoding="utf-8") if path.exists() else "")


def _as_fault(err: KnowledgeError) -> Fault:
    return Fault(err.path, err.line, "schema", f"{err.field}: {err.problem}", err.remedy)


def read_cards(paths: Iterable[Path]) -> tuple[dict[str, Card], dict[str, str], list[Fault]]:
    """Cards and their texts by id, and a fault for each file that is not a card."""
    cards: dict[str, Card] = {}
    texts: dict[str, str] = {}
    faults: list[Fault] = []
    for path in sorted(paths):
        name = shown(path)
        try:
            text = path.read_text(encoding="utf-8")
            card = parse_card(text, name)
        except KnowledgeError as err:
            faults.append(_as_fault(err))
            continue
        except UnicodeDecodeError:
            faults.append(Fault(name, 1, "schema", "is not UTF-8 text", "Save the file as UTF-8"))
            continue
        if card.id in cards:
            faults.append(Fault(name, 1, "schema", f"'{card.id}' is also the id of {cards[card.id].path}", "Rename one"))
            continue
        if path.stem != card.id or path.parent.name != card.topic:
            faults.append(Fault(name, 1, "schema", f"the file should be {card.topic}/{card.id}.md", "Rename the file or the id"))
        cards[card.id], texts[card.id] = card, text
    return cards, texts, faults


def read(folder: Path, today: date) -> Desk:
    """Read the knowledge base in `folder` as it stands for `today`."""
    cards, texts, broken = read_cards((folder / "cards").rglob("*.md"))
    if not cards:
        broken.append(Fault(shown(folder / "cards"), 1, "schema", "no card found", "Check LANTERN_KNOWLEDGE_DIR"))
    found = {name: _table(folder / name) for name in ("sources.yaml", "helplines.yaml", "facts.yaml", "hosts.yaml")}
    for path in sorted((folder / "queries").glob("*.jsonl")):
        found[f"queries/{path.name}"] = _table(path)
    rows: dict[str, Source] = {}
    try:
        rows = load_sources(folder / "sources.yaml")
    except KnowledgeError as err:
        broken.append(Fault(found["sources.yaml"].path, found["sources.yaml"].line(f"id: {err.field}"), "schema", f"{err.field}: {err.problem}", err.remedy))
    except (OSError, ValueError, yaml.YAMLError) as err:
        broken.append(Fault(found["sources.yaml"].path, 1, "schema", str(err).replace("\n", " "), "Mend the file"))
    lines: Helplines | None = None
    try:
        load_helplines.cache_clear()
        lines = load_helplines(folder / "helplines.yaml")
    except ValidationError as err:
        first = err.errors()[0]
        broken.append(Fault(found["helplines.yaml"].path, 1, "schema", f"{'.'.join(str(p) for p in first['loc'])}: {first['msg']}", "Mend the row"))
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as err:
        broken.append(Fault(found["helplines.yaml"].path, 1, "schema", " ".join(repr(err).split())[:200], "Mend the file"))
    register, faults = tables.read_facts(found["facts.yaml"])
    hosts = tables.read_hosts(folder / "hosts.yaml")
    return Desk(folder, Library(cards, rows, hosts, today, texts), lines, register, hosts, (*broken, *faults), found)


def check(desk: Desk) -> list[Fault]:
    """Every fault of the knowledge base, errors first, by file and line."""
    library = desk.library
    lines = {i: Table(library.cards[i].path, text) for i, text in library.texts.items()}
    faults = [*desk.broken, *lint.check(library)]
    faults += tables.sources(library.sources, library.cards, desk.hosts, desk.tables["sources.yaml"], library.today)
    faults += tables.twice(desk.tables["sources.yaml"], r"- id: (\S+)")
    faults += tables.facts(desk.facts, library.cards, lines, desk.tables["facts.yaml"])
    faults += tables.queries({n: t for n, t in desk.tables.items() if n.startswith("queries/")}, library.cards)
    if desk.helplines:
        faults += tables.helplines(desk.helplines, desk.hosts, desk.tables["helplines.yaml"], library.today)
    return sorted(faults, key=lambda f: (f.severity, f.path, f.line, f.rule))
