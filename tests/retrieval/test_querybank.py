"""The bank of visitors' queries is searched exactly, and reused from build to build."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bot.encoder import WIDTH, Floats
from bot.retrieval import querybank
from bot.retrieval.index import NO_PASSAGE, NOT_LOOKED_AT, Entry, embed
from bot.retrieval.querybank import QueryBank

from ..conftest import Small


def unit(seed: int, n: int) -> Floats:
    rows = np.random.default_rng(seed).standard_normal((n, WIDTH)).astype(np.float32)
    normed: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return normed


def encode(texts: list[str]) -> Floats:
    return np.concatenate([np.zeros((0, WIDTH), np.float32), *(unit(sum(map(ord, t)), 1) for t in texts)])


def rows(*pairs: tuple[str, str]) -> list[Entry]:
    return [Entry(f"{card}#query{i}", card, "query", NOT_LOOKED_AT, text) for i, (card, text) in enumerate(pairs)]


def bank_of(vectors: Floats, cards: list[str], leads: list[int] | None = None) -> QueryBank:
    return QueryBank(vectors, np.array(cards), np.array(leads if leads is not None else [NOT_LOOKED_AT] * len(cards)))


def test_only_new_texts_are_embedded(tmp_path: Path) -> None:
    asked = rows(("risks-bladder", "does it hurt the bladder"), ("risks-liver", "and the liver"))
    vectors, embedded = embed(asked, encode, {}, lambda *_: None)
    assert embedded == 2
    querybank.write(tmp_path, asked, vectors)
    more = [*asked, *rows(("risks-liver", "livers?"))]
    vectors, embedded = embed(more, encode, querybank.stored_vectors(tmp_path), lambda *_: None)
    assert embedded == 1
    querybank.write(tmp_path, more, vectors)
    bank = QueryBank.load(tmp_path)
    assert bank.cards.tolist() == ["risks-bladder", "risks-liver", "risks-liver"]
    assert np.allclose(bank.vectors, encode([r.text for r in more]))


def test_a_card_that_is_not_served_has_no_queries() -> None:
    bank = bank_of(unit(1, 3), ["a", "b", "a"], [0, 1, 2]).of({"b"})
    assert bank.cards.tolist() == ["b"]
    assert bank.leads.tolist() == [1]
    assert bank.vectors.shape == (1, WIDTH)


def test_the_nearest_queries_tell_which_passage_answers() -> None:
    vectors = unit(1, 5)
    bank = bank_of(vectors, ["a", "a", "a", "b", "a"], [2, 0, NO_PASSAGE, 1, NOT_LOOKED_AT])
    for row, passage in ((0, 2), (1, 0), (2, 3)):
        shares = bank.answering(vectors @ vectors[row], "a", 3)
        assert shares.argmax() == passage
        assert shares.sum() == pytest.approx(1)
    assert bank.answering(vectors @ vectors[4], "a", 3).max() < 0.99  # what nobody looked at tells nothing
    assert not bank.answering(vectors @ vectors[0], "c", 3).any()


def test_a_query_written_for_a_passage_brings_it_to_the_front(small: Small) -> None:
    from bot.build import build
    from bot.load import load_assistant

    path = small.knowledge / "cards" / "risks" / "risks-memory.md"
    asked, marker, rest = path.read_text(encoding="utf-8").partition("a session.")
    cite = rest.split("\n", 1)[0]
    path.write_text(f"{asked}{marker}{cite}\n\nNames and dates go first.{cite}\n\nNobody has looked at it for long.{rest}", encoding="utf-8")
    query = "zorblatt quux wibble"
    folder = small.knowledge / "queries"
    folder.mkdir(exist_ok=True)
    for position, opening in enumerate(("Memory is often", "Names and dates", "Nobody has looked")):
        line = {"card": "risks-memory", "query": query, "lead": opening}
        (folder / "test.jsonl").write_text(json.dumps(line) + "\n")
        build(small.settings, lambda *_: None)
        after = load_assistant(small.settings).retriever
        assert after is not None
        assert next((h.card.id, h.lead) for h in after.search(query)) == ("risks-memory", position)


def test_a_visitors_query_finds_its_card(small: Small) -> None:
    """What only the bank can know: words that no text of the card shares."""
    from bot.build import build
    from bot.load import load_assistant

    query = "zorblatt quux wibble"
    before = load_assistant(small.settings).retriever
    folder = small.knowledge / "queries"
    folder.mkdir(exist_ok=True)
    (folder / "test.jsonl").write_text(f'{{"card": "risks-memory", "query": "{query}"}}\n')
    build(small.settings, lambda *_: None)
    after = load_assistant(small.settings).retriever
    assert before is not None
    assert after is not None
    rise = next(h.similarity for h in after.search(query) if h.card.id == "risks-memory") - next(
        (h.similarity for h in before.search(query) if h.card.id == "risks-memory"), 0.0)
    assert after.search(query)[0].card.id == "risks-memory"
    assert rise > 0.2
