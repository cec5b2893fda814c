"""Crippled assistants."""

from __future__ import annotations

from bot.assistant import Assistant


def cripple(name: str | None, healthy: Assistant) -> Assistant:
    return healthy
