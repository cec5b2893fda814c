"""How likely it is that the cards found cover the question: a calibrated score for abstention."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PATH = Path(__file__).parent / "confidence.json"


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

    def __call__(self, similarities: Sequence[float], passage: float, lexical: float, uncovered: float) -> float:
        """How surely the cards found answer the question, 0 to 1; 0 without hits."""
        if not similarities:
            return 0.0
        row = (*self.features(similarities, passage, lexical, uncovered), 1.0)
        z = sum(w * x for w, x in zip(self.weights, row, strict=True))
        return 1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, z))))
