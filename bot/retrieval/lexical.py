"""The lexical half of retrieval: BM25 (bm25s) over each card's texts and queries, written by the build and read at the start."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import bm25s
import numpy as np

from bot.encoder import Floats
from bot.retrieval.card import Card, Query

FOLDER = "bm25"
CARDS = "cards.json"
FILES = tuple(f"{FOLDER}/{name}" for name in ("data.csc.index.npy", "indices.csc.index.npy", "indptr.csc.index.npy", "vocab.index.json", "params.index.json", CARDS))
BEST = 30
_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")
_STOP = frozenset(
    ["a", "an", "the", "is", "are", "was", "were", "be", "been", "am", "do", "does", "did", "can", "could", "would", "will", "should", "may", "might", "i", "me", "my", "you", "your", "it", "its", "of", "to", "in", "on", "for", "and", "or", "with", "if", "that", "this", "what", "which", "who", "how", "why", "when", "where", "there", "so", "just", "about", "any", "some", "please", "tell", "know", "get", "have", "has", "had", "as", "at", "by", "from"]
)
_SUFFIXES = ("ations", "ation", "ings", "ing", "ers", "ed", "es", "s")


@lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    return next((word[: -len(suffix)] for suffix in _SUFFIXES if word.endswith(suffix) and len(word) - len(suffix) >= 4), word)


def terms(text: str) -> list[str]:
    """Lower-case content words with plain suffixes removed."""
    return [_stem(word) for word in _WORD.findall(text.lower().replace("’", "'")) if word not in _STOP]


class LexicalIndex:
    """BM25 scores of cards.

    Args:
        bm25: an index over cards.
        ids: the card of each of its rows.
        served: the cards to score, in the order of the scores; those that the index lacks score 0.
    """

    def __init__(self, bm25: bm25s.BM25, ids: Sequence[str], served: Sequence[str]) -> None:
        self._bm25 = bm25
        at = {card: row for row, card in enumerate(ids)}
        self._rows = np.array([at[card] for card in served if card in at], dtype=np.int64)
        self._to = np.array([i for i, card in enumerate(served) if card in at], dtype=np.int64)
        self._served = len(served)

    @classmethod
    def load(cls, build: Path, served: Sequence[str]) -> LexicalIndex:
        """Read what `write` wrote into a build.

        Raises:
            OSError: when it is missing.
        """
        folder = build / FOLDER
        return cls(bm25s.BM25.load(folder, show_progress=False), json.loads((folder / CARDS).read_text()), served)

    def __call__(self, query: str) -> Floats:
        """Each served card's score, float32 (cards,); 0 beyond the thirty best."""
        scores = np.zeros(self._served, dtype=np.float32)
        if words := [w for w in terms(query) if w in self._bm25.vocab_dict]:
            found = self._bm25.get_scores(words)[self._rows]
            kept = np.argsort(-found)[:BEST]
            scores[self._to[kept]] = found[kept]
        return scores


def write(build: Path, cards: Iterable[Card], queries: Mapping[str, Sequence[Query]]) -> None:
    """Index titles (twice), sample questions, visitors' queries and passages, one document a card."""
    folder = build / FOLDER
    folder.mkdir()
    ids, corpus = [], []
    for card in cards:
        texts = (card.title, card.title, *card.questions, *(q.text for q in queries.get(card.id, ())), *(p.text for p in card.passages))
        ids.append(card.id)
        corpus.append(terms(" ".join(texts)))
    bm25 = bm25s.BM25(method="lucene")
    bm25.index(corpus, show_progress=False)
    bm25.save(folder, show_progress=False)
    (folder / CARDS).write_text(json.dumps(ids))
