"""R-36: one question in five wordings, five times each: one action, and no fact that another answer denies."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.assistant import Assistant
from bot.conversation import Conversation
from evals.cases import Case
from evals.checks import Checker
from evals.gates import load_gates
from evals.plan import Job, Variant
from evals.records import records_of

DATA = Path(__file__).parents[2] / "evals" / "data" / "steadiness.jsonl"
GROUPS = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]


def job(case: Callable[..., Case]) -> Job:
    return Job("steadiness", case(), tuple(Variant(f"wording {i}", (f"wording {i}",)) for i in range(5)))


def played(**changes: Any) -> list[list[dict[str, Any]]]:
    """Five wordings, five runs each; `changes` are made to the last run of the last wording."""
    row = {"action": "abstain", "category": "not_covered", "text": "I don't know.", "citations": [], "cards": [], "related": [], "why": "", "ms": 1.0}
    runs = [[dict(row) for _ in range(5)] for _ in range(5)]
    runs[-1][-1].update(changes)
    return runs


@pytest.mark.parametrize(("changes", "good"), [({}, True), ({"action": "refuse", "category": "dosing"}, False), ({"text": "I do know."}, False)])
def test_one_run_of_twenty_five_that_differs_is_seen(case: Callable[..., Case], changes: dict[str, Any], good: bool) -> None:
    """R-36: another action, or other words for the same message."""
    marks = [r.marks["steady"] for r in records_of(job(case), played(**changes), Checker()) if "steady" in r.marks]
    assert len(marks) == 1
    assert (marks[0][0] == 1.0) is good


def test_there_are_enough_groups_and_a_gate() -> None:
    """R-36."""
    assert len(GROUPS) >= 60
    assert all(len(set(r["turns"] + r["wordings"])) == 5 for r in GROUPS)
    assert [g for g in load_gates() if g.check == "steady"]


@pytest.mark.slow
def test_the_same_words_get_the_same_answer_from_the_cards_alone(assistant: Assistant) -> None:
    """R-36: each wording five times, one text. Every fact stands in a card, and no two cards contradict each other (`lantern knowledge check`)."""
    sentences = {s.text for c in assistant.knowledge.cards.values() for s in c.sentences()}
    for group in GROUPS[::10]:
        for wording in (group["turns"][0], *group["wordings"]):
            replies = {assistant.reply(Conversation.of(wording)).text for _ in range(5)}
            assert len(replies) == 1, wording
            reply = assistant.reply(Conversation.of(wording))
            assert not reply.citations or any(s in reply.text for s in sentences), wording
