"""Hybrid retrieval: dense vectors (Chroma) and BM25 (bm25s), fused and grouped by card."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import bm25s
import numpy as np
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict, PrivateAttr

from bot.retrieval.card import Card

# Dense cosine plus a share of BM25 scaled to its best hit. On the development half of evals/data/retrieval.jsonl this
# beat reciprocal rank fusion (Cormack et al. 2009, k = 60), which throws away how sure each ranking is; docs/evals.md has the figures.
LEXICAL = 0.25
TOPIC = 0.14
NEIGHBORS = 160
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
        similarity: best cosine between the query and any text of the card, -1 to 1.
        passage_similarity: cosine of the query with each passage of the card, in order.
    """

    card: Card
    score: float
    similarity: float
    lexical: float
    passage_similarity: tuple[float, ...]


class Retriever(BaseRetriever):
    """A LangChain retriever over the cards.

    `search` gives typed hits; `invoke` (LangChain's entry) gives the same as Documents whose
    metadata hold card, score and similarity.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    cards: Mapping[str, Card]
    encoder: Any
    collection: Any
    queries: Mapping[str, Sequence[str]] = {}
    k: int = 5
    _bm25: Any = PrivateAttr()
    _ids: list[str] = PrivateAttr()
    _passages: dict[str, Any] = PrivateAttr()

    def model_post_init(self, _context: object) -> None:
        self._ids = list(self.cards)
        corpus = [
            terms(" ".join([c.title, c.title, *c.questions, *self.queries.get(c.id, ()), *(p.text for p in c.passages)])) for c in self.cards.values()
        ]
        self._bm25 = bm25s.BM25(method="lucene")
        self._bm25.index(corpus, show_progress=False)
        rows = self.collection.get(where={"kind": "passage"}, include=["embeddings", "metadatas"])
        vectors: dict[str, dict[int, Any]] = {}
        for meta, vector in zip(rows["metadatas"], rows["embeddings"], strict=True):
            vectors.setdefault(meta["card"], {})[meta["position"]] = vector
        self._passages = {
            card: np.asarray([v for _, v in sorted(by.items())], dtype=np.float32) for card, by in vectors.items()
        }

    def _dense(self, vector: Any) -> dict[str, float]:
        """Each card's mean cosine over its two closest texts: one lucky sample question does not carry a card."""
        rows = self.collection.query(
            query_embeddings=[vector], n_results=min(NEIGHBORS, self.collection.count()), include=["metadatas", "distances"]
        )
        best: dict[str, list[float]] = {}
        for meta, distance in zip(rows["metadatas"][0], rows["distances"][0], strict=True):
            if meta["card"] in self.cards:
                best.setdefault(meta["card"], []).append(1.0 - float(distance))
        floor = 1.0 - float(rows["distances"][0][-1])
        return {card: (found[0] + (found[1] if len(found) > 1 else min(floor, found[0]))) / 2 for card, found in best.items()}

    def _lexical(self, query: str) -> dict[str, float]:
        words = [w for w in terms(query) if w in self._bm25.vocab_dict]
        if not words:
            return {}
        scores = self._bm25.get_scores(words)
        order = np.argsort(-scores)[:30]
        return {self._ids[i]: float(scores[i]) for i in order if scores[i] > 0}

    def search(
        self, query: str | Sequence[tuple[str, float]], topics: Mapping[str, float] | None = None, k: int | None = None
    ) -> list[Hit]:
        """The `k` best cards, best first.

        Args:
            query: one text, or several readings of one question with weights that add to 1.
            topics: how likely each topic is (0 to 1), when a router has an opinion; a mild prior.
        """
        readings = [(query, 1.0)] if isinstance(query, str) else list(query)
        vectors = [self.encoder.encode_one(text) for text, _ in readings]
        scores: dict[str, float] = {}
        lexical: dict[str, float] = {}
        similarity: dict[str, float] = {}
        for (text, weight), vector in zip(readings, vectors, strict=True):
            dense, words = self._dense(vector), self._lexical(text)
            top = max(words.values(), default=1.0)
            floor = min(dense.values(), default=0.0)
            for card in dense.keys() | words.keys():
                scores[card] = scores.get(card, 0.0) + weight * (dense.get(card, floor) + LEXICAL * words.get(card, 0.0) / top - floor)
                lexical[card] = lexical.get(card, 0.0) + weight * words.get(card, 0.0)
                similarity[card] = similarity.get(card, 0.0) + weight * dense.get(card, floor)
        for card in scores:
            scores[card] += TOPIC * (topics or {}).get(self.cards[card].topic, 0.0)
        vector = vectors[0]
        hits = [
            Hit(self.cards[card], score, similarity[card], lexical[card], tuple(float(x) for x in self._passages[card] @ vector))
            for card, score in sorted(scores.items(), key=lambda item: -item[1])[: k or self.k]
        ]
        return hits

    def nearest(self, query: str, among: Collection[str]) -> tuple[str, float] | None:
        """The closest card among ids that need not be served (expired ones, say), and its cosine."""
        rows = self.collection.query(
            query_embeddings=[self.encoder.encode_one(query)], n_results=1, where={"card": {"$in": list(among)}}, include=["metadatas", "distances"]
        )
        if not rows["ids"][0]:
            return None
        return str(rows["metadatas"][0][0]["card"]), 1.0 - float(rows["distances"][0][0])

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return [
            Document(
                id=hit.card.id,
                page_content="\n\n".join(p.text for p in hit.card.passages),
                metadata={"card": hit.card.id, "title": hit.card.title, "score": hit.score, "similarity": hit.similarity},
            )
            for hit in self.search(query)
        ]

