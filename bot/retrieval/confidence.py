"""How likely it is that the cards found cover the question: a calibrated score for abstention."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.retrieval.retriever import Hit

PATH = Path(__file__).parent / "confidence.json"


def seen(hits: Sequence[Hit]) -> tuple[list[float], float, float]:
    """What `Confidence` asks of retrieval: similarities of the hits, closest passage and BM25 score of the best one; nothing found is zeros."""
    best = hits[0] if hits else None
    return [h.similarity for h in hits], max(best.passage_similarity) if best else 0.0, best.lexical if best else 0.0


@dataclass(frozen=True)
class Confidence:
    """Logistic regression over what retrieval and router saw (fitted by evals/calibrate.py).

    Attributes:
        weights: one for each of `features`, then the intercept, which is set so that from one half a question is answered.
    """

    weights: tuple[float, ...]

    @classmethod
    def load(cls, path: Path = PATH) -> Confidence:
        """Read the fitted weights."""
        return cls(tuple(json.loads(path.read_text())["weights"]))

    @staticmethod
    def features(similarities: Sequence[float], passage: float, lexical: float, uncovered: float) -> tuple[float, ...]:
        """Five features, each roughly -1 to 1.

        Args:
            similarities: of the hits, best first, each -1 to 1.
            passage: cosine with the closest passage of the best hit.
            lexical: the best hit's BM25 score.
            uncovered: the router's probability that no card covers the message.
        """
        best = similarities[0]
        third = similarities[2] if len(similarities) > 2 else best
        odds = math.log((uncovered + 0.01) / (1.01 - uncovered)) / 4
        return best, best - third, passage, math.log1p(lexical) / 4, odds

    def score(self, features: Sequence[float]) -> float:
        """What the weights make of `features`, 0 to 1."""
        z = sum(w * x for w, x in zip(self.weights, (*features, 1.0), strict=True))
        return 1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, z))))

    def __call__(self, similarities: Sequence[float], passage: float, lexical: float, uncovered: float) -> float:
        """How surely the cards found answer the question, 0 to 1; 0 without hits."""
        if not similarities:
            return 0.0
        return self.score(self.features(similarities, passage, lexical, uncovered))
