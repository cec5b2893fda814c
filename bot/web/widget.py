"""The visitor's page: one Gradio component whose Python functions answer, count votes and make the sheet.

The component keeps the conversation in the browser and sends it with each message, so the server remembers nothing
and any replica can answer. The markup, looks and behavior are in static/widget.html, .css and .js.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Callable
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any, Literal

import gradio as gr
import yaml
from pydantic import BaseModel, Field, ValidationError

from bot.conversation import Action, Category, Conversation
from bot.retrieval.card import Card
from bot.settings import Settings
from bot.web.metrics import Metrics
from bot.web.reminder import due, reminder
from bot.web.service import Chat
from bot.web.sheet import make_sheet
from bot.web.view import View, help_lines

log = logging.getLogger("lantern.web")
STATIC = Path(__file__).parent / "static"

VOTES = {
    "not-my-question": "Not what I asked", "hard": "Hard to understand", "wrong": "Wrong or out of date", "should-answer": "Should have answered",
    "tone": "Felt cold or unkind",
}
HARMS = {
    "dangerous": "It could hurt someone", "missed-crisis": "It missed a crisis", "false": "It is false",
    "dose-or-seller": "It gives an amount or a seller", "other": "Something else",
}


class Vote(BaseModel):
    """A vote or a report: choices from fixed lists, and no text."""

    kind: Literal["up", "down", "report"]
    reason: str = ""
    action: Action
    category: Category
    cards: list[str] = Field(default_factory=list, max_length=4)


def starters(settings: Settings, cards: dict[str, Card]) -> list[dict[str, Any]]:
    """The first questions by stage, from prompts/starters.yaml; cards that may not be used today are left out."""
    path = settings.prompts_dir / "starters.yaml"
    rows = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else []
    stages = [{"stage": r["stage"], "hint": r["hint"], "questions": [cards[i].title for i in r["cards"] if i in cards]} for r in rows]
    return [s for s in stages if s["questions"]]


def functions(chat: Chat, view: View, metrics: Metrics, settings: Settings) -> list[Callable[..., dict[str, Any]]]:
    """What the page may call. Input is checked as strictly as the API's; a bad call gets {"error": ...}."""

    def ask(payload: dict[str, Any], request: gr.Request) -> dict[str, Any]:
        try:
            conversation = Conversation(messages=payload["messages"], country=payload.get("country") or None)
        except (ValidationError, KeyError, TypeError, AttributeError):
            return {"error": "The message could not be read."}
        client = request.client.host if request.client else ""
        turn = view.turn(chat.answer(conversation, client, "page").reply)
        return {**turn, "reminder": reminder(chat.assistant.replies, turn["lang"]) if due(payload.get("waited")) else ""}

    def vote(payload: dict[str, Any]) -> dict[str, Any]:
        try:
            given = Vote.model_validate(payload)
        except ValidationError:
            return {"error": "The vote could not be read."}
        known = HARMS if given.kind == "report" else VOTES
        reason = given.reason if given.reason in known else "none"
        if given.kind != "report":
            metrics.feedback.labels(given.kind, reason, given.action.value).inc()
            return {"ok": True}
        metrics.reports.labels(reason, given.action.value, given.category.value).inc()
        reference = secrets.token_hex(3)
        cards = [c for c in given.cards if c in view.cards]
        log.warning("report", extra={"fields": {
            "reference": reference, "reason": reason, "action": given.action.value, "category": given.category.value, "cards": cards}})
        return {"ok": True, "reference": reference}

    def sheet(payload: dict[str, Any]) -> dict[str, Any]:
        ids = payload.get("cards") if isinstance(payload, dict) else None
        made = make_sheet([i for i in ids if isinstance(i, str)][-200:] if isinstance(ids, list) else [], view.cards, settings.day)
        return {"html": made.html(), "text": made.text()}

    return [ask, vote, sheet]


def page_data(chat: Chat, settings: Settings, version: str) -> dict[str, Any]:
    """Everything the page's script needs once: help lines, starters, choices, links."""
    helplines = chat.assistant.replies.helplines
    order = sorted(helplines.countries, key=lambda c: (c not in ("US", "CA", "GB", "IE", "AU", "NZ"), helplines.countries[c].name))
    return {
        "countries": {c: help_lines(helplines, c) for c in [*order, ""]},
        "country": (settings.country or "").upper(),
        "starters": starters(settings, dict(chat.assistant.knowledge.cards)),
        "votes": VOTES, "harms": HARMS, "exit": settings.exit_url, "contact": settings.contact if safe_contact(settings.contact) else "",
        "root": settings.root_path.rstrip("/"), "site": settings.site_name, "version": version, "most": settings.max_body,
    }


def safe_contact(contact: str) -> bool:
    """Whether the owner's contact is an address that may be linked."""
    return contact.startswith(("https://", "http://", "mailto:", "tel:"))


@lru_cache
def _static(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def markup(settings: Settings, version: str) -> str:
    """static/widget.html with the owner's name, links and version."""
    root = settings.root_path.rstrip("/")
    site = f"on {escape(settings.site_name)}" if settings.site_name else ""
    return _static("widget.html").replace("%ROOT%", escape(root)).replace("%SITE%", site).replace("%VERSION%", escape(version))


def build_widget(chat: Chat, view: View, metrics: Metrics, settings: Settings, version: str) -> gr.Blocks:
    """The Blocks that app.py mounts."""
    with gr.Blocks(title="Lantern", analytics_enabled=False, fill_width=True) as blocks:
        gr.HTML(
            value="",
            elem_id="lantern-root",
            html_template=markup(settings, version),
            apply_default_css=False,
            # JSON inside a <script> would be markup; inside js_on_load it is a literal. "<" is written \u003c all the same.
            js_on_load="window.Lantern.mount(element, server, " + json.dumps(page_data(chat, settings, version)).replace("<", "\\u003c") + ");",
            server_functions=functions(chat, view, metrics, settings),
        )
    return blocks


def theme() -> gr.themes.Base:
    """Gradio's own theme with local fonts only: the default one would ask Google for its fonts."""
    sans = ["Atkinson Hyperlegible Next", "system-ui", "sans-serif"]
    return gr.themes.Base(font=sans, font_mono=["ui-monospace", "monospace"])
