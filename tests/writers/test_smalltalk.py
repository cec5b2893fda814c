"""Small talk gets the fixed reply that fits."""

from __future__ import annotations

import pytest

from bot.writers.replies import Replies
from bot.writers.smalltalk import kind


@pytest.mark.parametrize(("text", "name"), [
    ("hello", "greeting"), ("hi there", "greeting"), ("thank you so much", "thanks"), ("bye", "bye"), ("are you a doctor?", "identity"), ("are you human", "identity"),
    ("is this private?", "privacy"), ("do you store my data", "privacy"), ("how do I report a bad answer?", "report"), ("what can you help me with", "abilities"),
    ("okay", "ack"), ("", "ack")])
def test_kinds(text: str, name: str, replies: Replies) -> None:
    assert kind(text) == name
    assert name in replies.names
