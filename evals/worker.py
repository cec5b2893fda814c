"""Runs inside a worker process: holds one assistant and asks it."""

from __future__ import annotations

import logging
import time
from typing import Any

from bot.assistant import Assistant
from bot.conversation import Conversation
from bot.load import load_assistant
from bot.retrieval.followup import resolve
from bot.retrieval.retriever import BEST
from bot.settings import Settings

_assistant: Assistant | None = None


def start(mutant: str | None = None) -> None:
    """Load the assistant, crippled when a mutant is named."""
    global _assistant
    logging.disable(logging.CRITICAL)
    from evals.mutants import cripple

    healthy = load_assistant(Settings())
    _assistant = cripple(mutant, healthy) if mutant else healthy


def _outcome(assistant: Assistant, conversation: Conversation, probe: bool, before: bool) -> dict[str, Any]:
    started = time.perf_counter()
    reply = assistant.reply(conversation)
    took = (time.perf_counter() - started) * 1000
    out: dict[str, Any] = reply.model_dump(mode="json") | {"ms": round(took, 2)}
    if probe and assistant.retriever is not None:
        verdict = assistant.screen(conversation)
        hits = assistant.retriever.search(resolve(verdict.text, verdict.usable).readings, verdict.topics, k=10)
        out["hits"] = [h.card.id for h in hits]
        out["confidence"] = round(assistant._confidence(verdict, hits[:BEST]), 4)
    if before and len(conversation.messages) > 1:
        previous = assistant.reply(Conversation(messages=conversation.messages[:-1], country=conversation.country))
        out["previous"] = {"action": previous.action.value, "text": previous.text}
    return out


def ask(request: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Outcomes for each variant, each asked `repeats` times."""
    assert _assistant is not None, "start() comes first"
    found = []
    for variant in request["variants"]:
        conversation = Conversation.of(*variant["turns"], country=variant["country"])
        runs = [_outcome(_assistant, conversation, request["probe"], request["before"]) for _ in range(request["repeats"])]
        found.append(runs)
    return found


def statics() -> list[dict[str, Any]]:
    """Facts about the assistant that no conversation shows."""
    assert _assistant is not None, "start() comes first"
    from evals.statics import examine

    return examine(_assistant, Settings().day)
