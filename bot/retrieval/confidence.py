"""How likely it is that the cards found cover the question: a calibrated score for abstention."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PATH = Path(__file__).parent / "confidence.json"


@dataclass(frozen=True)
class Confidence:
    """Logistic regression over what retrieval and router saw (fitted by evals/calibrate.py).

    Attributes:
        weights: similarity of the best hit, its lead over the third, its BM25 score (log), and the
            router's certainty that the message asks about a covered topic; then the intercept.
    """

    weights: tuple[float, float, float, float, float]

    @classmethod
    def load(cls, path: Path = PATH) -> Confidence:
        """Read the fitted weights."""
        return cls(tuple(json.loads(path.read_text())["weights"]))

    @staticmethod
    def features(
        similarities: Sequence[float], lexical: float, topics: Mapping[str, float], category: str, certainty: float
    ) -> tuple[float, float, float, float]:
        """The four features, each roughly 0 to 1."""
        best = similarities[0] if similarities else 0.0
        third = similarities[2] if len(similarities) > 2 else best
        covered = certainty if category in topics or category == "personal_medical" else 1.0 - certainty
        return best, best - third, math.log1p(lexical) / 4, covered

    def __call__(
        self, similarities: Sequence[float], lexical: float, topics: Mapping[str, float], category: str, certainty: float
    ) -> float:
        """Probability that the best hit answers the question, 0 to 1; 0 without hits."""
        if not similarities:
            return 0.0
        row = self.features(similarities, lexical, topics, category, certainty)
        z = sum(w * x for w, x in zip(self.weights, (*row, 1.0), strict=True))
        return 1.0 / (1.0 + math.exp(-z))
