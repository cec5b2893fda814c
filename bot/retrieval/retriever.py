"""Hybrid retrieval: dense vectors (Chroma's and the query bank's) and BM25 (bm25s), fused and grouped by card.

The vectors are read once and compared with a question exactly, in one product: 23,000 texts took 2 to 3 ms, where Chroma's approximate
search of the fifth of them that it holds took 3.6, and missed some.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bot.encoder import Encoder, Floats
from bot.retrieval.card import Card
from bot.retrieval.index import card_of, passage_of
from bot.retrieval.lexical import LexicalIndex
from bot.retrieval.querybank import QueryBank

# Dense cosine of the closest texts, plus a share of BM25 scaled to its best hit, plus a share of the closest passage's cosine.
# Shares chosen on queries written apart from the indexed ones (docs/evals.md). Adding scores beat reciprocal rank fusion
# (Cormack et al. 2009, k = 60), which throws away how sure each ranking is.
LEXICAL = 0.15
PASSAGE = 0.2
TOPIC = 0.14
# What counts beside the queries alike for which passage leads: its own cosine, and being the card's main message. With each of 16,947
# questions left out in turn, and all that are nearly the same, an answering passage came first for 76%; the main message is one for 51%.
OWN = 3.0
MAIN = 0.05
NEIGHBORS = 160
NO_CARD = -1
BEST = 5


@dataclass(frozen=True)
class Hit:
    """One card found.

    Attributes:
        score: fused score, higher is better; comparable within one query only.
        similarity: mean cosine between the query and the two closest texts of the card, -1 to 1.
        uncovered: the same for the questions known to have no card; one value for all hits of a search.
        passage_similarity: cosine of the query with each passage of the card, in order.
        lead: the position of the passage that answers the query best.
        unanswered: how sure it is that no passage of the card does, 0 to 1.
    """

    card: Card
    score: float
    similarity: float
    lexical: float
    passage_similarity: tuple[float, ...]
    uncovered: float = 0.0
    lead: int = 0
    unanswered: float = 0.0


class Retriever:
    """Finds the cards that answer a question (as a LangChain retriever: bot/retrieval/langchain.py).

    Args:
        cards: those that may be found, by id.
        encoder: the one that the collection was built with.
        collection: a Chroma collection written by bot/retrieval/index.py.
        bank: the visitors' queries of those cards, and of none.
        lexical: BM25 over the same cards, in the same order.
    """

    def __init__(self, cards: Mapping[str, Card], encoder: Encoder, collection: Any, bank: QueryBank, lexical: LexicalIndex) -> None:
        self.cards, self.encoder = cards, encoder
        self._ids, self._topics = list(self.cards), [c.topic for c in self.cards.values()]
        self._lexical = lexical
        self._at = {card: i for i, card in enumerate(self._ids)}
        stored = collection.get(include=["embeddings"])
        ids, vectors = stored["ids"], np.asarray(stored["embeddings"], dtype=np.float32)
        # passages first, card by card, so that those of a card are neighbors
        rows = sorted((passage_of(i) is None, self._at[card_of(i)], passage_of(i) or 0, row) for row, i in enumerate(ids) if card_of(i) in self._at)
        texts = np.array([card for _, card, *_ in rows], dtype=np.int64)
        self._owners = np.concatenate([texts, [self._at.get(card, NO_CARD) for card in bank.cards]]).astype(np.int64)
        self._vectors: Floats = np.concatenate([vectors[[row for *_, row in rows]], bank.vectors])
        self._vetted = len(rows)
        self._bank = replace(bank, vectors=self._vectors[self._vetted :])  # a view: the queries' vectors are held once
        self._aside = {i: vectors[row] for row, i in enumerate(ids) if card_of(i) not in self._at}
        self._bounds = np.searchsorted(texts[: sum(not other for other, *_ in rows)], np.arange(len(self._ids) + 1))

    def _dense(self, cosines: Floats) -> tuple[Floats, float]:
        """Each card's mean cosine over its two closest texts, (cards,), and that of no card: one lucky sample question does not carry a card."""
        k = min(NEIGHBORS, len(cosines))
        nearest = np.argpartition(-cosines, k - 1)[:k]
        nearest = nearest[np.argsort(-cosines[nearest], kind="stable")]
        best: dict[int, list[float]] = {}
        for card, cosine in zip(self._owners[nearest].tolist(), cosines[nearest].tolist(), strict=True):
            best.setdefault(card, []).append(cosine)
        floor = float(cosines[nearest[-1]])
        near = {card: (found[0] + (found[1] if len(found) > 1 else min(floor, found[0]))) / 2 for card, found in best.items()}
        uncovered = near.pop(NO_CARD, floor)
        means = np.full(len(self._ids), min(near.values(), default=0.0), dtype=np.float32)
        means[list(near)] = list(near.values())
        return means, uncovered

    def search(
        self, query: str | Sequence[tuple[str, float]], topics: Mapping[str, float] | None = None, k: int = BEST
    ) -> list[Hit]:
        """The `k` best cards, best first.

        Args:
            query: one text, or several readings of one question with weights that add to 1; the last is what is asked in the narrowest sense.
            topics: how likely each topic is (0 to 1), when a router has an opinion; a mild prior.
        """
        readings = [(query, 1.0)] if isinstance(query, str) else list(query)
        if not self._ids:
            return []
        vectors = np.stack([self.encoder.encode_one(text) for text, _ in readings])
        scores = TOPIC * np.array([(topics or {}).get(topic, 0.0) for topic in self._topics], dtype=np.float32)
        lexical, similarity, uncovered = np.zeros_like(scores), np.zeros_like(scores), 0.0
        cosines: Floats = np.ascontiguousarray((self._vectors @ vectors.T).T)
        for (text, weight), near in zip(readings, cosines, strict=True):
            (dense, of_none), words = self._dense(near), self._lexical(text)
            closest = np.maximum.reduceat(near[: self._bounds[-1]], self._bounds[:-1])
            scores += weight * (dense + LEXICAL * words / (words.max() or 1.0) + PASSAGE * closest)
            lexical += weight * words
            similarity += weight * dense
            uncovered += weight * of_none
        best = np.argsort(-scores, kind="stable")[:k]
        found = []
        for i in best:
            passages = slice(self._bounds[i], self._bounds[i + 1])
            lead, unanswered = self._lead(self._ids[i], cosines[-1], passages)
            found.append(Hit(self.cards[self._ids[i]], float(scores[i]), float(similarity[i]), float(lexical[i]), tuple(cosines[0, passages].tolist()), uncovered, lead, unanswered))
        return found

    def _lead(self, card: str, cosines: Floats, passages: slice) -> tuple[int, float]:
        """Which passage answers the question best, and how sure it is that none does."""
        own = cosines[passages]
        answering = self._bank.answering(cosines[self._vetted :], card, len(own))
        fit = answering[:-1] + OWN * own
        fit[0] += MAIN
        return int(fit.argmax()), float(answering[-1])

    def nearest(self, query: str, among: Collection[str]) -> tuple[str, float] | None:
        """The closest of these cards that are not served (expired, say), and the mean cosine of the two of their texts closest to the query."""
        vector = self.encoder.encode_one(query)
        near = sorted(((float(other @ vector), card_of(i)) for i, other in self._aside.items() if card_of(i) in among), reverse=True)[:2]
        return (near[0][1], sum(cosine for cosine, _ in near) / len(near)) if near else None
