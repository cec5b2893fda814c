"""`lantern doctor`: what is installed and built, whether it is sound, and what to do if not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.build import IndexFault, open_build, weights
from bot.helplines import load_helplines
from bot.retrieval.card import KnowledgeError, load_cards, load_sources
from bot.settings import Settings
from bot.training.export import ModelError, minilm_folder

HELPLINE_DAYS = 90


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    good: bool
    what: str
    remedy: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything, never raising."""
    yield Finding(sys.version_info >= (3, 11), f"Python {sys.version.split()[0]}", "Lantern needs Python 3.11 or newer")
    try:
        minilm_folder()
        yield Finding(True, "base model present, its hash is the pinned one")
    except ModelError as err:
        yield Finding(False, "base model (needed to build, not to serve)", str(err))
    try:
        cards = load_cards(settings.knowledge_dir / "cards")
        load_sources(settings.knowledge_dir / "sources.yaml")
        yield Finding(True, f"{len(cards)} cards read")
        expired = [c.id for c in cards.values() if c.expired(settings.day)]
        due = [c.id for c in cards.values() if c.review_by < settings.day]
        yield Finding(not expired, f"{len(expired)} cards expired", "Re-check and re-date: " + ", ".join(expired[:8]))
        yield Finding(not due, f"{len(due)} cards due for review", "lantern knowledge report lists them")
    except (KnowledgeError, OSError) as err:
        yield Finding(False, "cards", str(err))
        cards = {}
    try:
        lines = load_helplines(settings.knowledge_dir / "helplines.yaml")
        oldest = min(line.checked for c in lines.countries.values() for line in c.lines)
        yield Finding((settings.day - oldest).days <= HELPLINE_DAYS, f"help lines for {len(lines.countries)} countries, oldest check {oldest}", "Call or open each line, then move its `checked` date in knowledge/helplines.yaml")
    except (OSError, ValueError) as err:
        yield Finding(False, "help lines", str(err))
    yield Finding(all(weights().values()), "weights in bot/weights", "Clone again, or run:  lantern train and lantern train-retriever")
    for setting, name in (("LANTERN_MODEL", settings.model), ("LANTERN_GUARD_MODEL", settings.guard_model)):
        if name:
            yield _model(settings, setting, name)
    try:
        built = open_build(settings)
        age = datetime.now(UTC) - datetime.fromisoformat(built.manifest["built_at"])
        yield Finding(True, f"index built {age.days} days ago with {len(built.manifest['cards'])} cards, its hashes match")
        stale = [i for i, c in cards.items() if built.manifest["cards"].get(i) != c.content_hash]
        yield Finding(not stale, f"{len(stale)} cards changed since the index was built", "Run:  lantern build")
        yield Finding(built.manifest["weights"] == weights(), "the index was built with the current weights", "Run:  lantern build")
    except IndexFault as err:
        yield Finding(False, "index", str(err))


def _model(settings: Settings, setting: str, name: str) -> Finding:
    from bot.models import try_model
    from bot.writers.chat import ModelFault

    try:
        return Finding(True, f"{setting} {name} answers: {try_model(settings, name)}")
    except ModelFault as err:
        return Finding(False, setting, str(err))
