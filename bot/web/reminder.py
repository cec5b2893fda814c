"""When a visitor is told once more that they talk with a program: after a long absence, and while a chat goes on for hours (R-02).

The page measures two spans with the visitor's own clock and sends them with the message. Nothing is kept here.
"""

from __future__ import annotations

from bot.writers.replies import Replies

WEEK = 7 * 24 * 3600.0
THREE_HOURS = 3 * 3600.0
TEXT = "A reminder: I am an AI program, not a person and not a clinician."


def due(waited: object) -> bool:
    """Whether it is time to say it again.

    Args:
        waited: seconds since the visitor's last message ("message"), and since the page last said what it is ("told").
    """
    if not isinstance(waited, dict):
        return False
    return _seconds(waited.get("message")) >= WEEK or _seconds(waited.get("told")) >= THREE_HOURS


def reminder(replies: Replies, language: str) -> str:
    """What is said, in the language of the answer below it."""
    return replies.translated(language, "disclosure") or TEXT


def _seconds(value: object) -> float:
    # A strange value must not cost anybody their answer. NaN is below every limit.
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
