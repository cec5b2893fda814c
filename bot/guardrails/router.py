"""The router: a fine-tuned MiniLM that gives each category a calibrated probability. Serving side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.conversation import Category
from bot.encoder import Batcher, feeds, open_session, open_tokenizer

WEIGHTS = Path(__file__).parent.parent / "weights"
MAX_TOKENS = 192
CONTEXT_CHARS = 400

Probabilities = dict[Category, float]


def context_of(earlier: Sequence[str]) -> str:
    """The earlier visitor turns as the router reads them: the newest at the end, oldest cut off first."""
    return " / ".join(t[-200:] for t in earlier[-4:])[-CONTEXT_CHARS:]


class Router:
    """Classifies a message in its context.

    Args:
        folder: holds router.onnx and tokenizer.json.
    """

    def __init__(self, folder: Path) -> None:
        self._session = open_session(folder / "router.onnx")
        self._tokenizer = open_tokenizer(folder / "tokenizer.json", MAX_TOKENS)
        manifest = json.loads((WEIGHTS / "router.json").read_text())
        self.labels = tuple(Category(label) for label in manifest["labels"])
        self._temperature = float(manifest["temperature"])
        self.thresholds: dict[str, float] = manifest.get("thresholds", {})
        self._batched: Batcher[list[tuple[str, str]], npt.NDArray[np.float32]] = Batcher(self._flatten, limit=16)

    def _run(self, pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.float32]:
        singles = [last if not context else (last, context) for last, context in pairs]
        (logits,) = self._session.run(None, feeds(self._tokenizer, singles))  # type: ignore[arg-type]
        scaled = logits / self._temperature
        scaled -= scaled.max(axis=1, keepdims=True)
        odds = np.exp(scaled)
        result: npt.NDArray[np.float32] = odds / odds.sum(axis=1, keepdims=True)
        return result

    def _flatten(self, groups: list[list[tuple[str, str]]]) -> list[npt.NDArray[np.float32]]:
        flat = self._run([pair for group in groups for pair in group])
        ends = np.cumsum([len(g) for g in groups])
        return list(np.split(flat, ends[:-1]))

    def __call__(self, pairs: list[tuple[str, str]]) -> list[Probabilities]:
        """Probabilities for each (last message, context) pair, sharing a batch with concurrent callers."""
        rows: Any = self._batched(pairs)
        return [dict(zip(self.labels, map(float, row), strict=True)) for row in rows]
