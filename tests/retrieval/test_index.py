"""What is embedded of each card, and how confidence is read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bot.retrieval.card import UNCOVERED, Query
from bot.retrieval.confidence import Confidence
from bot.retrieval.index import Entry, card_of, entries, query_entries
from bot.retrieval.retriever import Hit

from .test_card import GOOD, parse_card


def test_a_card_gives_title_questions_and_passages() -> None:
    rows = list(entries([parse_card(GOOD)]))
    assert [r.kind for r in rows] == ["title"] + ["question"] * 3 + ["passage"] * 2
    assert rows[4].text.startswith("Can ketamine harm the test? Yes.")
    assert len({r.id for r in rows}) == len(rows)


def test_queries_are_those_of_the_cards_there_are() -> None:
    rows = list(query_entries([parse_card(GOOD)], {"risks-test": [Query("typed by someone")], "other": [Query("not here")]}))
    assert [(r.card, r.text) for r in rows] == [("risks-test", "typed by someone")]


def test_questions_without_a_card_are_embedded_under_their_own_name() -> None:
    rows = list(query_entries([parse_card(GOOD)], {UNCOVERED: [Query("what does a dentist use"), Query("is it sold in tins")]}))
    assert [r.text for r in rows if r.card == UNCOVERED] == ["what does a dentist use", "is it sold in tins"]
    assert card_of(rows[-1].id) == UNCOVERED


def test_close_to_a_question_without_a_card_is_less_sure() -> None:
    near, far = ([replace(h, uncovered=u) for h in found([0.6, 0.55, 0.5], 0.6, 4.0)] for u in (0.75, 0.3))
    assert Confidence.load()(near, 0.1, {"risks": 0.9}) < Confidence.load()(far, 0.1, {"risks": 0.9})


def test_the_hash_is_of_the_text_alone() -> None:
    assert Entry("a", "a", "title", 0, "x").text_hash == Entry("b", "b", "passage", 3, "x").text_hash
    assert Entry("a", "a", "title", 0, "x").text_hash != Entry("a", "a", "title", 0, "y").text_hash


unit = st.floats(0, 1)


def found(similarities: Sequence[float], passage: float, lexical: float) -> list[Hit]:
    return [Hit(parse_card(GOOD), s, s, lexical, (passage,)) for s in similarities]


@given(st.lists(unit, max_size=5), unit, st.floats(0, 100), unit, unit)
def test_confidence_is_a_probability(similarities: list[float], passage: float, lexical: float, uncovered: float, topic: float) -> None:
    value = Confidence.load()(found(sorted(similarities, reverse=True), passage, lexical), uncovered, {"risks": topic})
    assert 0.0 <= value <= 1.0
    assert not math.isnan(value)


def test_nothing_found_is_no_confidence() -> None:
    assert Confidence.load()([], 0.0, {}) == 0.0


def test_closer_is_surer() -> None:
    """R-35: what is far from every card is not answered."""
    near, far = (Confidence.load()(found([s, s - 0.05, s - 0.1], s, 10 * s), 0.1, {"risks": 0.9}) for s in (0.85, 0.15))
    assert near > 0.5 > far


def test_a_card_of_another_topic_is_less_sure() -> None:
    """Help lines in Ireland do not answer what the law in Ireland is."""
    hits = found([0.6, 0.55, 0.5], 0.6, 4.0)
    assert Confidence.load()(hits, 0.1, {"regulation": 0.99, "risks": 0.01}) < Confidence.load()(hits, 0.1, {"risks": 0.99, "regulation": 0.01})


def test_weights_are_committed() -> None:
    assert (Path(__file__).parents[2] / "bot" / "retrieval" / "confidence.json").exists()
