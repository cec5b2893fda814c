"""The router: a fine-tuned MiniLM and an n-gram classifier that together give each category a calibrated probability."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bot.conversation import Category
from bot.encoder import Floats, open_session, open_tokenizer, run
from bot.guardrails.ngrams import NgramClassifier

WEIGHTS = Path(__file__).parent.parent / "weights"
MAX_TOKENS = 192
CONTEXT_CHARS = 400

# Share of the n-gram classifier in the geometric mean; chosen on held-out examples (docs/model-card.md).
NGRAM_SHARE = 0.4

Probabilities = dict[Category, float]


def context_of(earlier: Sequence[str]) -> str:
    """The earlier visitor turns as the router reads them: the newest at the end, oldest cut off first."""
    return " / ".join(t[-200:] for t in earlier[-4:])[-CONTEXT_CHARS:]


def mix(encoder: Floats, ngrams: Floats, temperature: float) -> Floats:
    """Calibrated probabilities from two opinions, each float32 (n, categories) of probabilities."""
    logs = ((1 - NGRAM_SHARE) * np.log(encoder + 1e-4) + NGRAM_SHARE * np.log(ngrams + 1e-4)) / temperature
    odds = np.exp(logs - logs.max(axis=1, keepdims=True))
    result: Floats = (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
    return result


class Router:
    """Classifies a message in its context.

    Args:
        folder: holds router.onnx and tokenizer.json.
    """

    def __init__(self, folder: Path) -> None:
        self._session = open_session(folder / "router.onnx")
        self._tokenizer = open_tokenizer(folder / "tokenizer.json", MAX_TOKENS)
        self._ngrams = NgramClassifier(WEIGHTS / "ngrams.npz")
        manifest = json.loads((WEIGHTS / "router.json").read_text())
        self.labels = tuple(Category(label) for label in manifest["labels"])
        self._temperature = float(manifest["temperature"])
        self.thresholds: dict[str, float] = manifest.get("thresholds", {})

    def __call__(self, pairs: list[tuple[str, str]]) -> list[Probabilities]:
        """Probabilities for each (last message, context) pair."""
        logits = run(self._session, self._tokenizer, [last if not context else (last, context) for last, context in pairs])
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        second = np.stack([self._ngrams(last, context) for last, context in pairs])
        rows = mix(odds / odds.sum(axis=1, keepdims=True), second, self._temperature)
        return [dict(zip(self.labels, map(float, row), strict=True)) for row in rows]
