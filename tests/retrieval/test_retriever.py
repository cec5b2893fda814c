"""Retrieval finds the right card, and other LangChain code can use it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from bot.assistant import Assistant
from bot.build import open_build, open_collection
from bot.conversation import Action, Conversation
from bot.encoder import Encoder
from bot.load import load_assistant
from bot.retrieval.card import load_cards
from bot.retrieval.followup import resolve
from bot.retrieval.langchain import CardRetriever
from bot.retrieval.lexical import LexicalIndex
from bot.retrieval.querybank import QueryBank
from bot.retrieval.retriever import Retriever

from ..conftest import SMALL, Ask, Small

STARRED = [json.loads(line) for line in (Path(__file__).parents[1] / "data" / "starred.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def small_retriever(small_built: Small) -> Retriever:
    retriever = load_assistant(small_built.settings).retriever
    assert retriever is not None
    return retriever


def test_it_is_a_langchain_retriever(small_retriever: Retriever) -> None:
    adapter = CardRetriever(retriever=small_retriever)
    assert isinstance(adapter, BaseRetriever)
    documents = adapter.invoke("does ketamine hurt the bladder")
    assert all(isinstance(d, Document) for d in documents)
    assert documents[0].id == "risks-bladder"
    assert documents[0].metadata["card"] == "risks-bladder"
    assert {"title", "score", "similarity"} <= set(documents[0].metadata)
    assert "inflame the bladder" in documents[0].page_content


def test_it_chains(small_retriever: Retriever) -> None:
    titles = (CardRetriever(retriever=small_retriever) | (lambda found: [d.metadata["title"] for d in found])).invoke("What is 988?")
    assert titles[0] == "What is 988?"


@pytest.mark.parametrize("row", SMALL, ids=[r[0] for r in SMALL])
def test_each_card_is_found_by_its_title(small_retriever: Retriever, row: tuple[str, ...]) -> None:
    assert small_retriever.search(row[2])[0].card.id == row[0]


def test_one_hit_a_card_best_first(small_retriever: Retriever) -> None:
    hits = small_retriever.search("ketamine")
    assert len({h.card.id for h in hits}) == len(hits)
    assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)
    assert all(-1.001 <= h.similarity <= 1.001 for h in hits)
    assert all(len(h.passage_similarity) == len(h.card.passages) for h in hits)


def test_each_passage_is_compared_with_the_question_itself(small_retriever: Retriever) -> None:
    question = "what happens to the bladder over the years"
    encode = small_retriever.encoder.encode_one
    for hit in small_retriever.search(question, k=8):
        wanted = [float(encode(f"{hit.card.title} {p.text}") @ encode(question)) for p in hit.card.passages]
        assert hit.passage_similarity == pytest.approx(wanted, abs=1e-4)
        everything = [encode(text) @ encode(question) for text in (hit.card.title, *hit.card.questions)]
        assert hit.similarity == pytest.approx(sum(sorted([*wanted, *everything])[-2:]) / 2, abs=1e-4)


def test_k_is_kept(small_retriever: Retriever) -> None:
    assert len(small_retriever.search("ketamine", k=2)) == 2


@pytest.mark.parametrize("query", ["", " ", "zzzz qqqq", "😀", "the of and", "¿?", "x" * 5000])
def test_odd_queries_do_not_fail(small_retriever: Retriever, query: str) -> None:
    small_retriever.search(query)


def test_several_readings_are_mixed(small_retriever: Retriever) -> None:
    hits = small_retriever.search([("does ketamine help PTSD?", 0.9), ("what does it cost?", 0.1)])
    assert hits[0].card.id == "evidence-ptsd"


def test_a_topic_is_only_a_mild_prior(small_retriever: Retriever) -> None:
    assert small_retriever.search("Can ketamine harm the bladder?", {"consultation": 1.0})[0].card.id == "risks-bladder"


def test_nearest_looks_only_among_the_ids_given_that_are_not_served(small_built: Small) -> None:
    built, settings = open_build(small_built.settings), small_built.settings
    cards = load_cards(settings.knowledge_dir / "cards")
    served = {i: c for i, c in cards.items() if i not in ("evidence-ocd", "consultation-cost", "risks-bladder")}
    retriever = Retriever(served, Encoder(built.folder), open_collection(settings, built), QueryBank.load(built.folder).of(served), LexicalIndex.load(built.folder, list(served)))
    assert all(h.card.id in served for h in retriever.search("Can ketamine harm the bladder?"))
    for among, card in ((["evidence-ocd", "consultation-cost"], "evidence-ocd"), (["consultation-cost", "risks-bladder"], "consultation-cost"), (list(cards), "evidence-ocd")):
        found = retriever.nearest("Does it help people with OCD?" if card == "evidence-ocd" else "what does it cost", among)
        assert found is not None
        assert found[0] == card
    assert retriever.nearest("Does it help people with OCD?", ["risks-memory", "no-such-card"]) is None


def test_there_are_62_starred_questions() -> None:
    assert len(STARRED) == 62
    assert len({r["question"] for r in STARRED}) == 62


def test_starred_questions_name_cards_that_exist(cards: dict[str, Any]) -> None:
    for row in STARRED:
        assert set(row["cards"]) <= set(cards), row


def test_starred_questions_find_the_right_card(assistant: Assistant) -> None:
    """R-33: hit@1 of at least 95% over the questions that visitors ask most."""
    assert assistant.retriever is not None
    missed = []
    wanted = [r for r in STARRED if r["cards"]]
    for row in wanted:
        verdict = assistant.screen(Conversation.of(row["question"]))
        found = assistant.retriever.search(resolve(verdict.text, ()).readings, verdict.topics)[0].card.id
        if found not in row["cards"]:
            missed.append(f"{row['question']} -> {found}")
    assert 1 - len(missed) / len(wanted) >= 0.95, "\n".join(missed)


def test_starred_questions_are_answered_from_the_right_card(ask: Ask) -> None:
    """The whole turn: the right action, and the right card first."""
    wrong = []
    for row in STARRED:
        reply = ask(row["question"])
        if reply.action.value not in row["actions"] or (row["cards"] and reply.cards[:1] and reply.cards[0] not in row["cards"]) or (
                row["cards"] and not reply.cards and reply.action is not Action.SUPPORT):
            wrong.append(f"{row['question']} -> {reply.action.value} {reply.cards} ({reply.why})")
    assert 1 - len(wrong) / len(STARRED) >= 0.95, "\n".join(wrong)


def test_no_starred_question_is_refused(ask: Ask) -> None:
    """R-33: an honest question is never turned away as a request for doses or sellers."""
    refused = [r["question"] for r in STARRED if ask(r["question"]).action is Action.REFUSE]
    assert refused == []


def test_a_follow_up_finds_its_card(ask: Ask) -> None:
    reply = ask("Does ketamine help PTSD?", "and for OCD?")
    assert reply.action is Action.ANSWER
    assert reply.cards[0].endswith("ocd")
