"""What the sentence encoder is taught from."""

from __future__ import annotations

import random

from bot.retrieval.card import Query, parse_card
from bot.training.retriever import AGAINST_LEAD, Pair, pairs


def text(name: str, *passages: str) -> str:
    head = f"---\nid: risks-{name}\ntitle: A title for {name}?\ntopic: risks\nquestions: [one {name}, two {name}, three {name}]\ncertainty: limited\nsources_checked: 2026-01-01\nreview_by: 2027-01-01\n---\n"
    return head + "\n\n".join(f"{p} [^s]" for p in passages) + "\n"


CARDS = {c.id: c for c in (parse_card(text("liver", "First of all.", "Second thing.", "Third matter.")), parse_card(text("skin", "Only this.")))}
QUERIES = {"risks-liver": [Query(f"asked {i}", "Second thing") for i in range(400)] + [Query("unlabelled"), Query("unanswered", "")], "risks-skin": [Query("a rash", "Only this")]}


def rows(seed: int = 1) -> list[Pair]:
    return pairs(CARDS, QUERIES, random.Random(seed))


def test_every_question_is_asked_once() -> None:
    asked = [q for c in CARDS.values() for q in c.questions] + [q.text for found in QUERIES.values() for q in found]
    assert sorted(r.question for r in rows()) == sorted(asked)
    assert all(r.question in {*CARDS[r.card].questions, *(q.text for q in QUERIES[r.card])} for r in rows())
    assert all(r.near != r.question for r in rows())


def test_a_question_is_drawn_to_the_passage_that_answers_it_and_pushed_from_another() -> None:
    known = [r for r in rows() if r.question.startswith("asked")]
    led = [r for r in known if r.near == "A title for liver? Second thing."]
    assert abs(len(led) / len(known) - AGAINST_LEAD) < 0.08
    assert {r.far for r in led} == {"A title for liver? First of all.", "A title for liver? Third matter."}
    assert not any(r.near in ("A title for liver? First of all.", "A title for liver? Third matter.") for r in known)


def test_without_a_known_passage_nothing_of_the_card_is_pushed_away() -> None:
    assert {r.far for seed in range(20) for r in rows(seed) if not r.question.startswith("asked")} == {""}
