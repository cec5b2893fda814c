from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.assistant import Assistant
from bot.load import load_assistant
from bot.models import reworded_gate, writer_of
from bot.settings import Settings
from bot.writers.chat import open_chat
from tests.support.model_server import ModelServer

DATA = Path(__file__).parents[2] / "evals" / "data"


def turns(name: str, count: int, start: int = 0) -> list[tuple[str, ...]]:
    """Visitors' turns from an eval suite."""
    rows = [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    return [tuple(r["turns"]) for r in rows[start : start + count]]


@pytest.fixture(scope="session")
def plain() -> Assistant:
    """The assistant without a model."""
    return load_assistant(Settings())


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(stall=4.0) as running:
        yield running


@pytest.fixture(scope="session")
def with_model(plain: Assistant) -> Callable[..., Assistant]:
    """The same assistant with a scripted model."""
    assert plain.retriever is not None
    gate = reworded_gate(plain.gate, plain.retriever.encoder)

    def make(server: ModelServer, script: str, **changes: object) -> Assistant:
        settings = Settings(**{"model": f"openai:{script}", "model_url": server.url, "model_first": 5.0, "model_whole": 10.0, "model_cache": 0, **changes})  # type: ignore[arg-type]
        writer = writer_of(settings, open_chat(settings, settings.model, settings.model_tokens, settings.model_whole))
        return Assistant(plain.screen, plain.retriever, plain.replies, gate, plain.knowledge, plain._confidence, writer)

    return make
