"""What becomes of what a visitor types: it is answered, and then it is nowhere."""

from __future__ import annotations

import re
import socket
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from bot.retrieval.card import Card
from bot.settings import Settings
from bot.writers.cache import Cache, key_of
from bot.writers.lines import Line
from bot.writers.prompting import Task
from bot.writers.store import Store

from .stub import StubAssistant
from .test_app import Make, component, say

WORDS = "zebra-crossing words about my bladder"


def holding(folder: Path, word: bytes) -> list[str]:
    return [f.name for f in folder.rglob("*") if f.is_file() and word in f.read_bytes()]


def test_nothing_that_is_typed_is_written_anywhere(make_client: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-70 and R-74: with everything switched on that keeps anything, no file holds a word of it."""
    monkeypatch.chdir(tmp_path)
    client = make_client(crisis_counts=tmp_path / "counts.db")
    for text in (WORDS, f"I want to kill myself, {WORDS}", f"how much ketamine should I take, {WORDS}"):
        client.post("/api/chat", json=say(text))
        component(client, "ask", say(text))
    assert (tmp_path / "counts.db").exists()
    assert holding(tmp_path, b"zebra") == []
    rows = sqlite3.connect(tmp_path / "counts.db").execute("PRAGMA table_info(crisis_replies)").fetchall()
    assert [r[1] for r in rows] == ["year", "category", "n"]
    assert "zebra" not in client.get("/metrics").text


def test_no_other_machine_is_asked(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-70 and R-71: a reply is made without a connection to anywhere."""

    def refused(*_: Any, **__: Any) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    assert client.post("/api/chat", json=say("Can ketamine harm the bladder?")).json()["action"] == "answer"
    assert client.post("/api/chat", json=say("I want to kill myself")).json()["action"] == "crisis"


def test_no_setting_keeps_or_sends_words_by_default() -> None:
    """R-71 and R-74: each setting that could is off until the owner turns it on."""
    fields = Settings.model_fields
    for name in ("crisis_counts", "model_file", "model", "model_url", "model_key", "guard_model", "chroma_url"):
        assert not fields[name].default, name
    assert not [n for n in fields if re.search(r"log|transcript|history|analytic|track|telemetry", n)]


def test_what_may_be_kept_holds_no_question_and_expires(assistant: StubAssistant, tmp_path: Path) -> None:
    """R-74: the optional store of a model's sentences: a hash and cards' facts, for a day; a question that leans on a chat is not kept."""
    now = 1_000_000.0
    card: Card = assistant.knowledge.cards["risks-bladder"]
    cache = Cache(10, store=Store(tmp_path / "store.db"), clock=lambda: now)
    key = key_of(Task(WORDS, ()), "1", "test")
    cache.put(key, [Line(card.passages[0].sentences[0].text, ("p1",))])
    assert cache.get(key)
    assert holding(tmp_path, b"zebra") == []
    now += 24 * 3600 + 1
    assert cache.get(key) is None
    assert key_of(Task(WORDS, (), earlier=("something before",)), "1", "test") is None


def test_the_notice_is_a_page_of_its_own_one_click_away(client: TestClient) -> None:
    """R-72: linked from the chat and from each other page."""
    page = client.get("/privacy")
    assert page.status_code == 200
    assert "consumer health data notice" in page.text
    for right in ("see, delete or withdraw consent", "attorney general"):
        assert right in page.text
    assert "/privacy" in client.get("/config").text
    for path in ("/static-help", "/policy", "/docs"):
        assert 'href="/privacy"' in client.get(path).text


def test_there_is_nothing_to_look_up_or_delete(client: TestClient) -> None:
    """R-72 and R-74: no address of the service takes an identity or gives anything back that was said."""
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) == {"/api/chat", "/healthz", "/readyz"}
    assert not client.cookies
    assert not re.search(r"document\.cookie|localStorage|sessionStorage|indexedDB|sendBeacon", client.get("/ui/widget.js").text + client.get("/lantern.js").text)
