"""How likely it is that the cards found cover the question: a calibrated score for abstention."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.retrieval.retriever import Hit

PATH = Path(__file__).parent / "confidence.json"


def features(hits: Sequence[Hit], uncovered: float, topics: Mapping[str, float]) -> tuple[float, ...]:
    """What the score is made of, each roughly -1 to 1.

    Similarity of the best hit, its lead over the third and over the questions known to have no card, its closest passage, its BM25
    score, and of the router: the log odds that something is covered, and of the best hit's topic (a list of help lines does not
    answer what the law is).

    Args:
        hits: best first, at least one.
        uncovered: the router's probability that no card covers the message.
        topics: how likely each topic is; empty when the router has no opinion.
    """
    best, third = hits[0], hits[min(2, len(hits) - 1)]
    return (
        best.similarity, best.similarity - third.similarity, best.similarity - best.uncovered, max(best.passage_similarity), math.log1p(best.lexical) / 4,
        -_odds(uncovered), _odds(topics.get(best.card.topic, 0.0) if topics else 0.5),
    )


def expanded(row: Sequence[float]) -> tuple[float, ...]:
    """The features, their squares and their products: how much one counts hangs on the others (a close passage of a card of another topic says little)."""
    return (*row, *(a * b for i, a in enumerate(row) for b in row[i:]))


def _odds(p: float) -> float:
    return math.log((p + 0.01) / (1.01 - p)) / 4


@dataclass(frozen=True)
class Confidence:
    """Logistic regression over `expanded` features (fitted by evals/calibrate.py).

    Attributes:
        weights: one for each of them, then the intercept, which is set so that from one half a question is answered.
    """

    weights: tuple[float, ...]

    @classmethod
    def load(cls, path: Path = PATH) -> Confidence:
        """Read the fitted weights."""
        return cls(tuple(json.loads(path.read_text())["weights"]))

    def score(self, row: Sequence[float]) -> float:
        """What the weights make of a row of features, 0 to 1."""
        z = sum(w * x for w, x in zip(self.weights, (*expanded(row), 1.0), strict=True))
        return 1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, z))))

    def __call__(self, hits: Sequence[Hit], uncovered: float, topics: Mapping[str, float]) -> float:
        """How surely the best hit answers the question, 0 to 1; 0 without hits."""
        return self.score(features(hits, uncovered, topics)) if hits else 0.0
