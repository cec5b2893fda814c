"""What the page and the API both do with a conversation: limit, answer, count."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

from bot.assistant import Assistant
from bot.conversation import Action, Category, Conversation, Reply
from bot.web.limits import RateLimit
from bot.web.metrics import Metrics

log = logging.getLogger("lantern.web")

# More turns than this are not read: the newest decide, and a long history costs time.
MOST_TURNS = 40


@dataclass(frozen=True)
class Answered:
    """A reply, how long it took, and whether the visitor was asked to wait."""

    reply: Reply
    milliseconds: float
    limited: bool = False


class Chat:
    """Answers for the web.

    Args:
        at_once: replies made side by side; more wait their turn, which keeps each one quick on a small machine.
    """

    def __init__(self, assistant: Assistant, limit: RateLimit, metrics: Metrics, at_once: int = 4) -> None:
        self.assistant, self._limit, self._metrics = assistant, limit, metrics
        self._gate = threading.BoundedSemaphore(at_once)

    def answer(self, conversation: Conversation, client: str, source: str) -> Answered:
        """The reply. A visitor over the limit is asked to wait, unless the message is a crisis (R-27)."""
        started = time.perf_counter()
        conversation = _recent(conversation)
        with self._gate:
            limited = not self._limit.allow(client) and not self._crisis(conversation)
            reply = self._busy(conversation) if limited else self.assistant.reply(conversation)
        took = time.perf_counter() - started
        if limited:
            self._metrics.limited.inc()
        else:
            self._metrics.reply(reply, took, source)
        log.info("reply", extra={"fields": {
            "action": reply.action.value, "category": reply.category.value, "cards": list(reply.cards), "ms": round(took * 1000, 1),
            "source": source, "limited": limited}})
        return Answered(reply, round(took * 1000, 1), limited)

    def _crisis(self, conversation: Conversation) -> bool:
        try:
            return self.assistant.screen(conversation).action is Action.CRISIS
        except Exception:
            return True  # a screen that fails must not hide help: let the assistant give its safe reply

    def _busy(self, conversation: Conversation) -> Reply:
        text = self.assistant.replies.text("busy", country=conversation.country)
        return Reply(action=Action.ABSTAIN, category=Category.NOT_COVERED, text=text, why="rate limit")


def _recent(conversation: Conversation) -> Conversation:
    if len(conversation.messages) <= MOST_TURNS:
        return conversation
    return Conversation(messages=conversation.messages[-MOST_TURNS:], country=conversation.country)
