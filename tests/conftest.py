"""What most tests share: the real assistant when an index is built, its parts without one, and a small knowledge base."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.assistant import Assistant, Knowledge
from bot.build import FORMAT, MODEL_FILES, IndexFault, build, current, open_build, weights
from bot.conversation import Conversation, Reply
from bot.guardrails.gate import Gate
from bot.guardrails.rules import RuleSet, load_rules
from bot.guardrails.screen import Classify, Screen
from bot.helplines import Helplines, load_helplines
from bot.load import link_hosts, load_assistant
from bot.retrieval import shelf
from bot.retrieval.card import Card, Source, load_cards, load_sources
from bot.settings import ROOT, Settings
from bot.training.export import MINILM_SHA256, sha256
from bot.writers.replies import Replies

Ask = Callable[..., Reply]


@pytest.fixture(scope="session")
def real_settings() -> Settings:
    return Settings()


@pytest.fixture(scope="session")
def assistant(real_settings: Settings) -> Assistant:
    """The assistant as it serves. Needs `lantern build`."""
    try:
        return load_assistant(real_settings)
    except IndexFault as err:
        pytest.skip(f"these tests need a built index: {err}")


@pytest.fixture
def ask(assistant: Assistant) -> Ask:
    """`ask(*turns, country=None)`: the reply to the visitor's last turn."""

    def reply(*turns: str, country: str | None = None) -> Reply:
        return assistant.reply(Conversation.of(*turns, country=country))

    return reply


@pytest.fixture(scope="session")
def rules() -> RuleSet:
    return RuleSet(load_rules())


@pytest.fixture(scope="session")
def helplines(real_settings: Settings) -> Helplines:
    return load_helplines(real_settings.knowledge_dir / "helplines.yaml")


@pytest.fixture(scope="session")
def replies(real_settings: Settings, helplines: Helplines) -> Replies:
    return Replies(real_settings.prompts_dir / "replies", helplines)


@pytest.fixture(scope="session")
def sources(real_settings: Settings) -> dict[str, Source]:
    return load_sources(real_settings.knowledge_dir / "sources.yaml")


@pytest.fixture(scope="session")
def cards(real_settings: Settings) -> dict[str, Card]:
    return load_cards(real_settings.knowledge_dir / "cards")


@pytest.fixture(scope="session")
def gate(sources: dict[str, Source], helplines: Helplines) -> Gate:
    return Gate(link_hosts(sources, helplines), helplines.numbers())


@pytest.fixture(scope="session")
def bare(rules: RuleSet, replies: Replies, gate: Gate, sources: dict[str, Source]) -> Callable[..., Assistant]:
    """An assistant with the real rules, replies and gate, and whatever router and retriever the test gives it."""

    def make(router: Classify | None = None, retriever: Any = None) -> Assistant:
        return Assistant(Screen(rules, router), retriever, replies, gate, Knowledge({}, {}, sources), lambda _verdict, _hits: 0.0)

    return make


@pytest.fixture(scope="session")
def ask_bare(bare: Callable[..., Assistant]) -> Ask:
    """Like `ask`, with rules, replies and gate only: no router, no index."""
    made = bare()

    def reply(*turns: str, country: str | None = None) -> Reply:
        return made.reply(Conversation.of(*turns, country=country))

    return reply


CARD = """---
id: {id}
title: {title}
topic: {topic}
questions:
  - {title}
  - tell me about {about}
  - please explain {about}
certainty: limited
sources_checked: 2026-11-21
review_by: 2027-05-21
clinical_signoff:
---
{body} [^test-source]
## Worth asking your clinician
- What does this mean for me?
"""
SMALL = (
    ("risks-bladder", "risks", "Can ketamine harm the bladder?", "the bladder", "Ketamine can inflame the bladder when it is used a lot."),
    ("risks-memory", "risks", "Does ketamine affect memory?", "memory", "Memory is often weaker for a while after a session."),
    ("evidence-ptsd", "evidence", "Does ketamine help PTSD?", "ketamine for PTSD", "Small trials of ketamine in PTSD disagree with each other."),
    ("evidence-ocd", "evidence", "Does ketamine help OCD?", "ketamine for OCD", "The trials in OCD are few and small."),
    ("consultation-cost", "consultation", "What does treatment cost?", "the cost", "Costs differ a lot between clinics, so ask for a written total."),
    ("help-what-is-988", "help", "What is 988?", "the 988 lifeline", "You can call or text 988 at any hour in the United States."),
)


def write_card(folder: Path, id: str, topic: str, title: str, about: str, body: str) -> Path:
    path = folder / "cards" / topic / f"{id}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(CARD.format(id=id, topic=topic, title=title, about=about, body=body), encoding="utf-8")
    return path


@dataclass
class Small:
    """A small knowledge base and the settings that point to it."""

    settings: Settings
    knowledge: Path

    @property
    def env(self) -> dict[str, str]:
        return {"LANTERN_KNOWLEDGE_DIR": str(self.knowledge), "LANTERN_INDEX_DIR": str(self.settings.index_dir)}

    @property
    def link(self) -> Path:
        return current(self.settings)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy(source, target)


def _knowledge(folder: Path) -> Path:
    for row in SMALL:
        write_card(folder, *row)
    (folder / "queries").mkdir()
    shutil.copy(ROOT / "knowledge" / "helplines.yaml", folder / "helplines.yaml")
    rows = [{
        "id": "test-source", "title": "A source for tests", "authors_or_body": "Test body", "year": 2025, "type": "review", "url": "https://www.who.int/test"}]
    (folder / "sources.yaml").write_text(json.dumps(rows), encoding="utf-8")  # JSON is YAML
    return folder


def _seed(real: Settings, index_dir: Path) -> None:
    """Lend the exported models of the real index to a new one, so that a test build need not wait for torch."""
    try:
        built = open_build(real)
    except IndexFault:
        return
    if built.manifest["weights"] != weights():
        return
    folder = index_dir / "build-seed"
    folder.mkdir(parents=True)
    for name in MODEL_FILES:
        if (built.folder / name).exists():
            _link(built.folder / name, folder / name)
    (folder / "chroma").mkdir()
    shelf.write(folder, [])
    manifest = {"format": FORMAT, "base_model": MINILM_SHA256, "weights": weights(), "built_at": "2026-01-01T00:00:00+00:00", "collection": "none", "embedded": 0, "cards": {},
                "files": {n: sha256(folder / n) for n in MODEL_FILES if (folder / n).exists()}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    current(Settings(index_dir=index_dir)).symlink_to(folder.name)


@pytest.fixture(scope="session")
def small_built(tmp_path_factory: pytest.TempPathFactory, real_settings: Settings) -> Small:
    """The small knowledge base, built once. Tests that change anything take `small` instead."""
    folder = tmp_path_factory.mktemp("small")
    knowledge = _knowledge(folder / "knowledge")
    settings = Settings(knowledge_dir=knowledge, index_dir=folder / "index")
    _seed(real_settings, settings.index_dir)
    build(settings, lambda *_: None)
    return Small(settings, knowledge)


@pytest.fixture
def small(small_built: Small, tmp_path: Path) -> Iterator[Small]:
    """A copy of the small knowledge base and its index, free to be changed. Model files are shared: replace, never write into."""
    knowledge = tmp_path / "knowledge"
    shutil.copytree(small_built.knowledge, knowledge)
    settings = Settings(knowledge_dir=knowledge, index_dir=tmp_path / "index")
    source = small_built.link.resolve()
    target = settings.index_dir / source.name
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(*MODEL_FILES))
    for name in MODEL_FILES:
        if (source / name).exists():
            _link(source / name, target / name)
    current(settings).symlink_to(target.name)
    yield Small(settings, knowledge)
    shutil.rmtree(settings.index_dir, ignore_errors=True)


@pytest.fixture
def in_small(small: Small, monkeypatch: pytest.MonkeyPatch) -> Small:
    """`small`, and the environment set to use it."""
    for name, value in small.env.items():
        monkeypatch.setenv(name, value)
    return small


Lantern = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def lantern() -> Lantern:
    """Run the `lantern` command in a process of its own."""

    def run(*arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "bot.cli", *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, encoding="utf-8", env={**os.environ, "NO_COLOR": "1", **(env or {})}, cwd=ROOT, timeout=300)

    return run
