"""Citations are numbered in order of first use, one number a source."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from bot.conversation import Block, Draft, Statement
from bot.retrieval.card import Card, Source
from bot.writers.render import render

from .test_extractive import FULL, TWO

SOURCES = {i: Source(id=i, title=f"Title {i}", authors_or_body=f"Body {i}", year=2020, type="review", url=f"https://example.org/{i}") for i in ("s1", "s2", "s3", "s4")}
CARDS: dict[str, Card] = {"one": FULL, "two": TWO}


def one(text: str, *sources: str, card: str = "one") -> Statement:
    return Statement(text=text, card=card, sources=sources, support=text, certainty="limited")


def test_numbers_follow_first_use() -> None:
    text, citations = render(Draft(blocks=(Block(statements=(one("A.", "s2"), one("B.", "s1"))), Block(lead="**Lead**", statements=(one("C.", "s2"),)))), CARDS, SOURCES)
    assert text == "A. [1] B. [2]\n\n**Lead** C. [1]"
    assert [(c.n, c.url) for c in citations] == [(1, "https://example.org/s2"), (2, "https://example.org/s1")]
    assert citations[0].title == FULL.title
    assert citations[0].source == "Body s2: Title s2 (2020)"


def test_one_source_keeps_its_number_across_cards() -> None:
    text, citations = render(Draft(blocks=(Block(statements=(one("A.", "s1"), one("B.", "s1", card="two"))),)), CARDS, SOURCES)
    assert text == "A. [1] B. [1]"
    assert len(citations) == 1


def test_every_source_of_a_sentence_has_its_number() -> None:
    text, citations = render(Draft(blocks=(Block(statements=(one("A.", "s1", "s2", "s3"),)),)), CARDS, SOURCES)
    assert text == "A. [1][2][3]"
    assert len(citations) == 3


def test_an_unknown_source_gets_no_number() -> None:
    text, citations = render(Draft(blocks=(Block(statements=(one("A.", "gone", "s1"),)),)), CARDS, SOURCES)
    assert text == "A. [1]"
    assert [c.n for c in citations] == [1]


def test_a_block_with_a_lead_only_stays() -> None:
    text, citations = render(Draft(blocks=(Block(lead="Only this."), Block())), CARDS, SOURCES)
    assert (text, citations) == ("Only this.", ())


@given(st.lists(st.lists(st.lists(st.sampled_from([*SOURCES, "gone"]), max_size=3), max_size=4), max_size=4))
def test_numbers_are_whole_and_each_is_explained(shape: list[list[list[str]]]) -> None:
    draft = Draft(blocks=tuple(Block(statements=tuple(one("A.", *dict.fromkeys(s)) for s in block)) for block in shape))
    text, citations = render(draft, CARDS, SOURCES)
    used = [int(n) for n in re.findall(r"\[(\d+)\]", text)]
    assert set(used) == {c.n for c in citations}
    assert [c.n for c in citations] == list(range(1, len(citations) + 1))
    assert list(dict.fromkeys(used)) == sorted(set(used))
    assert len({c.url for c in citations}) == len(citations)
