"""The finer shades of a message: which answers open with a kind word."""

from __future__ import annotations

import pytest

from bot.assistant import Assistant
from bot.conversation import Action, Conversation
from bot.guardrails.tones import has
from bot.load import load_assistant

from ..conftest import Small

HARD = ["i'm so scared of the drip, what happens in a session", "I've tried everything. nothing has worked. is it worth asking about", "my son is terrified of school, is that anxiety", "it's been a rough year. can ketamine help", "I cried in the car park again, what helps with panic"]
LOSS = ["since my wife died I can't go into shops, is that panic", "we lost our little boy. is it anxiety or grief", "my brother passed away in May and now I don't sleep, why"]
PLAIN = ["is it safe", "midwife here, how common is anxiety after a stillbirth", "a speaker on bereavement for our parish, whom do we ask", "my phone died during the call, is that normal", "Matthew Perry died, what happened there", "does it scare people", "what are the side effects", "My brother passed his firefighter exam. How do employers treat a prescribed medicine?"]


@pytest.mark.parametrize("text", HARD)
def test_a_hard_time_is_heard(text: str) -> None:
    assert has("hard", text)


@pytest.mark.parametrize("text", LOSS)
def test_a_loss_is_heard(text: str) -> None:
    assert has("loss", text)


@pytest.mark.parametrize("text", PLAIN)
def test_a_plain_question_is_no_hard_time(text: str) -> None:
    assert not has("hard", text)
    assert not has("loss", text)


@pytest.fixture(scope="module")
def assistant(small_built: Small) -> Assistant:
    return load_assistant(small_built.settings)


@pytest.mark.parametrize(("before", "name"), [("It's been a rough year and I'm scared.", "hard"), ("My wife died in May.", "loss"), ("", None)])
def test_the_answer_opens_with_a_kind_word(assistant: Assistant, before: str, name: str | None) -> None:
    """The visitor is heard before the answer, in one sentence or two."""
    reply = assistant.reply(Conversation.of(f"{before} Can ketamine harm the bladder?".strip()))
    assert reply.action is Action.ANSWER
    opened = [n for n in ("hard", "loss") if any(reply.text.startswith(w) for w in assistant.replies.wordings(n))]
    assert opened == ([name] if name else [])
    assert "inflame the bladder" in reply.text


@pytest.mark.parametrize(("text", "minor"), [("i'm 15 and curious", True), ("im fifteen", True), ("explain BDNF like im ten", False), ("put it to me as if I'm 12", False)])
def test_a_way_of_speaking_is_no_age(text: str, minor: bool) -> None:
    assert has("minor", text) is minor
