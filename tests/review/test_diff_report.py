"""What a reviewer sees before merging, the state page, and a card that expires."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import date
from pathlib import Path

import pytest

from bot.build import current
from bot.conversation import Action, Category, Conversation, Reply
from bot.load import load_assistant
from bot.review.diff import DiffFault, checkout, compare, questions, table
from bot.review.library import read
from bot.review.report import due, due_counts, html
from bot.settings import Settings
from tests.review.conftest import TODAY


def _reply(text: str, *cards: str, action: Action = Action.ANSWER, category: Category = Category.RISKS) -> Reply:
    return Reply(action=action, category=category, text=text, cards=cards)


def test_only_changed_answers_are_listed_the_gravest_first() -> None:
    asked = [Conversation.of(q) for q in ("same", "numbering", "text", "card", "lost")]
    before = [_reply("One. Two.", "a"), _reply("One. [1]", "a"), _reply("One. Two.", "a"), _reply("One.", "a"), _reply("One.", "a")]
    after = [_reply("One. Two.", "a"), _reply("One. [2]", "a"), _reply("One. Three.", "a"), _reply("Two.", "b"),
             _reply("I do not know.", action=Action.ABSTAIN, category=Category.NOT_COVERED)]
    rows = list(compare(asked, before, after))
    assert [(r.question, r.change) for r in rows] == [("lost", "now abstains"), ("card", "another card"), ("text", "another text of a")]
    assert (rows[2].before, rows[2].after) == ("Two.", "Three.")
    text = table(rows, 5, "main")
    assert text.startswith("3 of 5 questions are answered differently than at main: 1 now abstains, 1 another card, 1 another text.")
    assert text.count("\n|") == 5
    assert table([], 5, "main") == "0 of 5 questions are answered differently than at main.\n"


def test_a_revision_is_checked_out_and_an_unknown_one_is_refused(knowledge: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    into = tmp_path_factory.mktemp("base")

    def git(*args: str) -> None:
        subprocess.run(["git", "-C", str(knowledge), "-c", "user.name=t", "-c", "user.email=t@example.org", *args], check=True, capture_output=True)

    with pytest.raises(DiffFault, match="git"):
        checkout(knowledge / "cards", "HEAD", into)
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    (knowledge / "cards/risks/risks-bladder.md").write_text("changed", encoding="utf-8")
    old = checkout(knowledge / "cards", "HEAD", into)
    assert "Can ketamine harm the bladder?" in (old / "risks/risks-bladder.md").read_text(encoding="utf-8")
    with pytest.raises(DiffFault):
        checkout(knowledge / "cards", "--output=/tmp/x", into)


def test_questions_come_from_a_file_or_the_cards(knowledge: Path, tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"question": "one?"}\n\n{"turns": ["what?", "and then?"]}\n{"messages": [{"role": "user", "content": "two?"}]}\n', encoding="utf-8")
    assert [c.last for c in questions(Settings(), path)] == ["one?", "and then?", "two?"]
    path.write_text('{"nothing": 1}\n', encoding="utf-8")
    with pytest.raises(DiffFault, match=r"q\.jsonl:1"):
        questions(Settings(), path)


def test_the_report_holds_what_it_promises(knowledge: Path) -> None:
    page = html(read(knowledge, TODAY))
    assert "The check is clean." in page
    assert "0 of 2 cards carry" in page
    assert page.count("<svg") >= 3
    assert "reg-002" in page
    assert "Poison Help" in page
    assert not re.search(r'(?:src|href)="', page)
    assert "<script" not in page


def test_what_falls_due_is_counted_once(knowledge: Path) -> None:
    cards = read(knowledge, TODAY).cards
    assert due_counts(cards, TODAY) == [("overdue", 0), ("in 0–30 days", 0), ("in 31–60 days", 1), ("in 61–90 days", 0)]
    assert [(row[1].id, row[2]) for row in due(cards, date(2027, 1, 2))] == [("regulation-online", "expires")]


@pytest.mark.slow
def test_on_new_years_day_the_telehealth_card_is_withheld_and_the_bot_says_so() -> None:
    question = Conversation.of("Can ketamine be prescribed online or by video visit?", country="US")
    settings = Settings(today=date(2026, 12, 31))
    if not current(settings).exists():
        pytest.skip("needs `lantern build`")
    before = load_assistant(settings).reply(question)
    assert "regulation-telehealth" in before.cards
    after = load_assistant(Settings(today=date(2027, 1, 1))).reply(question)
    assert "regulation-telehealth" not in after.cards
    assert after.action is Action.ABSTAIN
    assert re.search(r"time has passed|out of date|no longer current|expired", after.text, re.I)
    assert re.search(r"https?://|dea|fda|clinician|pharmacist", after.text, re.I), after.text
    json.dumps(after.model_dump(mode="json"))
