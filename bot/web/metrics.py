"""Counts for /metrics: actions, categories, cards, times. Never text, never an address."""

from __future__ import annotations

import sqlite3
from datetime import date
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from bot.conversation import Action, Reply


class Metrics:
    """Prometheus counters in a registry of their own, so that several apps can live in one process.

    Args:
        crisis_counts: SQLite file for yearly counts of crisis replies (R-26), or None.
    """

    def __init__(self, crisis_counts: Path | None = None) -> None:
        self.registry = CollectorRegistry()
        self.replies = Counter("lantern_replies", "Replies given", ["action", "category", "source"], registry=self.registry)
        self.cards = Counter("lantern_cards", "Replies that used a card", ["card"], registry=self.registry)
        self.seconds = Histogram(
            "lantern_reply_seconds", "Time to make a reply", ["action"], registry=self.registry, buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
        )
        self.limited = Counter("lantern_limited", "Messages answered with a request to wait", registry=self.registry)
        self.failures = Counter("lantern_failures", "Turns that failed and got the safe reply", registry=self.registry)
        self.feedback = Counter("lantern_feedback", "Votes on replies", ["vote", "reason", "action"], registry=self.registry)
        self.reports = Counter("lantern_reports", "Replies reported as harmful", ["reason", "action", "category"], registry=self.registry)
        self._counts = crisis_counts

    def reply(self, reply: Reply, seconds: float, source: str) -> None:
        """Count one reply."""
        self.replies.labels(reply.action.value, reply.category.value, source).inc()
        self.seconds.labels(reply.action.value).observe(seconds)
        for card in reply.cards:
            self.cards.labels(card).inc()
        if reply.why.startswith("failure in"):
            self.failures.inc()
        if reply.action is Action.CRISIS and self._counts:
            count_crisis(self._counts, reply.category.value)

    def text(self) -> bytes:
        """The page Prometheus reads."""
        return generate_latest(self.registry)


def count_crisis(path: Path, category: str, year: int | None = None) -> None:
    """Add one to the year's count. Holds a year, a category and a number, and nothing about anybody."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path, timeout=5) as db:
        db.execute("CREATE TABLE IF NOT EXISTS crisis_replies (year INTEGER, category TEXT, n INTEGER, PRIMARY KEY (year, category))")
        db.execute(
            "INSERT INTO crisis_replies VALUES (?, ?, 1) ON CONFLICT (year, category) DO UPDATE SET n = n + 1", (year or date.today().year, category)
        )
