"""Hybrid retrieval: dense vectors (Chroma and the query bank) and BM25 (bm25s), fused and grouped by card."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import bm25s
import numpy as np

from bot.encoder import WIDTH, Encoder, Floats
from bot.retrieval.card import UNCOVERED, Card, Query
from bot.retrieval.index import card_of
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
BEST = 5
_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")
_STOP = frozenset(
    ["a", "an", "the", "is", "are", "was", "were", "be", "been", "am", "do", "does", "did", "can", "could", "would", "will", "should", "may", "might", "i", "me", "my", "you", "your", "it", "its", "of", "to", "in", "on", "for", "and", "or", "with", "if", "that", "this", "what", "which", "who", "how", "why", "when", "where", "there", "so", "just", "about", "any", "some", "please", "tell", "know", "get", "have", "has", "had", "as", "at", "by", "from"]
)
_SUFFIXES = ("ations", "ation", "ings", "ing", "ers", "ed", "es", "s")


def terms(text: str) -> list[str]:
    """Lower-case content words with plain suffixes removed, for BM25."""
    out = []
    for word in _WORD.findall(text.lower().replace("’", "'")):
        if word in _STOP:
            continue
        for suffix in _SUFFIXES:
            if word.endswith(suffix) and len(word) - len(suffix) >= 4:
                word = word[: -len(suffix)]
                break
        out.append(word)
    return out


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
        queries: the same as texts, for BM25.
    """

    def __init__(self, cards: Mapping[str, Card], encoder: Encoder, collection: Any, bank: QueryBank, queries: Mapping[str, Sequence[Query]]) -> None:
        self.cards, self.encoder, self._bank = cards, encoder, bank
        self._ids = list(self.cards)
        corpus = [
            terms(" ".join([c.title, c.title, *c.questions, *(q.text for q in queries.get(c.id, ())), *(p.text for p in c.passages)])) for c in self.cards.values()
        ]
        self._bm25 = bm25s.BM25(method="lucene")
        self._bm25.index(corpus, show_progress=False)
        self._collection, self._size = collection, collection.count()
        rows = collection.get(where={"kind": "passage"}, include=["embeddings", "metadatas"])
        vectors: dict[str, dict[int, Any]] = {}
        for meta, vector in zip(rows["metadatas"], rows["embeddings"], strict=True):
            vectors.setdefault(meta["card"], {})[meta["position"]] = vector
        self._passages = {card: np.asarray([v for _, v in sorted(vectors[card].items())], dtype=np.float32) for card in self._ids}
        self._all_passages: Floats = np.concatenate([np.zeros((0, WIDTH), np.float32), *self._passages.values()])
        self._starts = np.cumsum([0, *(len(v) for v in self._passages.values())])[:-1]
        self._at = {card: i for i, card in enumerate(self._ids)}

    def _neighbors(self, vectors: Floats) -> list[list[tuple[str, float]]]:
        """For each row of `vectors`, card and cosine of the closest texts of cards and queries of visitors, closest first."""
        rows = self._collection.query(query_embeddings=list(vectors), n_results=min(NEIGHBORS, self._size), include=["distances"])
        found = []
        for ids, distances, asked in zip(rows["ids"], rows["distances"], self._bank.nearest(vectors, NEIGHBORS), strict=True):
            texts = [(card_of(text), 1.0 - float(distance)) for text, distance in zip(ids, distances, strict=True)]
            found.append(sorted([*texts, *asked], key=lambda near: -near[1])[:NEIGHBORS])
        return found

    def _dense(self, neighbors: Sequence[tuple[str, float]]) -> tuple[Floats, float]:
        """Each card's mean cosine over its two closest texts, (cards,), and that of no card: one lucky sample question does not carry a card."""
        best: dict[str, list[float]] = {}
        for card, cosine in neighbors:
            best.setdefault(card, []).append(cosine)
        floor = neighbors[-1][1]
        near = {card: (found[0] + (found[1] if len(found) > 1 else min(floor, found[0]))) / 2 for card, found in best.items()}
        uncovered = near.pop(UNCOVERED, floor)
        cosines = np.full(len(self._ids), min(near.values(), default=0.0), dtype=np.float32)
        for card in near.keys() & self._at.keys():
            cosines[self._at[card]] = near[card]
        return cosines, uncovered

    def _lexical(self, query: str) -> Floats:
        """Each card's BM25 score, (cards,); 0 beyond the thirty best."""
        words = [w for w in terms(query) if w in self._bm25.vocab_dict]
        scores = np.zeros(len(self._ids), dtype=np.float32)
        if words:
            found = self._bm25.get_scores(words)
            kept = np.argsort(-found)[:30]
            scores[kept] = found[kept]
        return scores

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
        scores = TOPIC * np.array([(topics or {}).get(c.topic, 0.0) for c in self.cards.values()], dtype=np.float32)
        lexical, similarity, uncovered = np.zeros_like(scores), np.zeros_like(scores), 0.0
        for (text, weight), vector, near in zip(readings, vectors, self._neighbors(vectors), strict=True):
            (dense, of_none), words = self._dense(near), self._lexical(text)
            closest = np.maximum.reduceat(self._all_passages @ vector, self._starts)
            scores += weight * (dense + LEXICAL * words / (words.max() or 1.0) + PASSAGE * closest)
            lexical += weight * words
            similarity += weight * dense
            uncovered += weight * of_none
        best = np.argsort(-scores, kind="stable")[:k]
        found = []
        for i in best:
            card = self._ids[i]
            lead, unanswered = self._lead(card, vectors[-1])
            cosines = tuple((self._passages[card] @ vectors[0]).tolist())
            found.append(Hit(self.cards[card], float(scores[i]), float(similarity[i]), float(lexical[i]), cosines, uncovered, lead, unanswered))
        return found

    def _lead(self, card: str, vector: Floats) -> tuple[int, float]:
        """Which passage answers the question best, and how sure it is that none does."""
        answering = self._bank.answering(vector, card, len(self._passages[card]))
        fit = answering[:-1] + OWN * (self._passages[card] @ vector)
        fit[0] += MAIN
        return int(fit.argmax()), float(answering[-1])

    def nearest(self, query: str, among: Collection[str]) -> tuple[str, float] | None:
        """The closest card among ids that need not be served (expired ones, say), and the mean cosine of the two texts closest to the query."""
        rows = self._collection.query(
            query_embeddings=[self.encoder.encode_one(query)], n_results=2, where={"card": {"$in": list(among)}}, include=["distances"]
        )
        if not rows["ids"][0]:
            return None
        return card_of(rows["ids"][0][0]), 1.0 - float(np.mean(rows["distances"][0]))
