"""R-02: a visitor who comes back after a week, or who has been talking for hours, is told again that this is a program."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from bot.web.reminder import THREE_HOURS, WEEK, due, reminder
from bot.web.widget import STATIC
from evals.statics import discloses

from .stub import StubAssistant
from .test_app import Make, component, say

DAY = 24 * 3600.0


class Visitor:
    """A visitor's page with a clock that the test turns. It measures what the page measures."""

    def __init__(self, client: TestClient) -> None:
        self._client, self._now, self._last, self._told = client, 0.0, 0.0, 0.0
        self._turns: list[dict[str, str]] = []

    def wait(self, seconds: float) -> None:
        self._now += seconds

    def ask(self, text: str) -> str:
        """Send a message and give the reminder that stands above the answer, if any."""
        waited = {"message": self._now - self._last, "told": self._now - self._told}
        self._turns.append({"role": "user", "content": text})
        self._last = self._now
        turn = component(self._client, "ask", {"messages": self._turns, "country": "US", "waited": waited})
        self._turns.append({"role": "assistant", "content": str(turn["text"])})
        if turn["reminder"]:
            self._told = self._now
        return str(turn["reminder"])


def test_a_week_away(client: TestClient) -> None:
    """R-02: after seven days' absence, once, and not again with the next message."""
    visitor = Visitor(client)
    assert visitor.ask("Can ketamine harm the bladder?") == ""
    visitor.wait(7 * DAY)
    assert discloses(visitor.ask("and is it safe?"))
    assert visitor.ask("thanks") == ""


def test_three_hours_of_talk(client: TestClient) -> None:
    """R-02: a message every ten minutes for seven hours: told at three hours and at six."""
    visitor, told = Visitor(client), []
    for minute in range(0, 7 * 60, 10):
        if visitor.ask("hello"):
            told.append(minute)
        visitor.wait(600)
    assert told == [180, 360]


@pytest.mark.parametrize("action", ["I want to kill myself", "How much ketamine should I take?", "Can ketamine harm the bladder?"])
def test_it_stands_beside_any_reply_and_changes_none(client: TestClient, action: str) -> None:
    plain = component(client, "ask", say(action))
    again = component(client, "ask", {**say(action), "waited": {"message": 8 * DAY, "told": 8 * DAY}})
    assert again.pop("reminder")
    assert not plain.pop("reminder")
    assert again == plain


def test_it_is_said_in_the_language_of_the_reply(client: TestClient, assistant: StubAssistant) -> None:
    turn = component(client, "ask", {**say("quiero matarme"), "waited": {"message": 0, "told": THREE_HOURS}})
    assert turn["lang"] == "es"
    assert turn["reminder"] == assistant.replies.translated("es", "disclosure")
    assert discloses(reminder(assistant.replies, "en"))
    assert discloses(reminder(assistant.replies, "xx"))


def test_the_limits() -> None:
    assert (WEEK, THREE_HOURS) == (7 * DAY, DAY / 8)
    assert not due({"message": WEEK - 1, "told": THREE_HOURS - 1})
    assert due({"message": WEEK, "told": 0})
    assert due({"message": 0, "told": THREE_HOURS})
    assert not due({"message": 0, "told": float("nan")})


@pytest.mark.parametrize("waited", [None, [], "x", {}, {"message": "a week"}, {"told": None}, {"told": -5.0}, {"message": True}, {"told": [9e9]}])
def test_a_strange_clock_costs_nobody_their_answer(client: TestClient, waited: object) -> None:
    assert not due(waited)
    assert component(client, "ask", {**say("I want to kill myself"), "waited": waited})["action"] == "crisis"


def test_the_page_measures_and_shows_it() -> None:
    """The page's half: it sends both spans with the message and puts the reminder above the answer."""
    script = (STATIC / "widget.js").read_text(encoding="utf-8")
    assert re.search(r"waited = \{ message: \(now - last\) / 1000, told: \(now - told\) / 1000 \}", script)
    assert re.search(r"server\.ask\(\{[^}]*waited", script)
    assert script.index("turn.reminder)") < script.index("log.append(shown(turn))")


def test_no_words_are_kept_for_it(make_client: Make, tmp_path: Path) -> None:
    client = make_client()
    component(client, "ask", {**say("my zebra words"), "waited": {"message": 8 * DAY, "told": 8 * DAY}})
    assert not [f for f in tmp_path.rglob("*") if f.is_file() and b"zebra" in f.read_bytes()]
    assert "zebra" not in client.get("/metrics").text
