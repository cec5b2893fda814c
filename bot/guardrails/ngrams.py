"""A linear classifier over hashed character and word n-grams: the router's second opinion.

It sees spelling and exact phrases, also in languages the encoder never learned to read; the encoder sees
meaning. Their errors differ, so the two together are better than either (docs/model-card.md).
"""

from __future__ import annotations

import re
from pathlib import Path
from zlib import crc32

import numpy as np
import numpy.typing as npt

BUCKETS = 1 << 18
LONGEST = 1_200
_WORD = re.compile(r"\w+")


def features(last: str, context: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """(bucket, weight) of each n-gram: characters 2-5 inside words, words 1-3, and words 1-2 of the context.

    Each of the three groups is scaled to unit length, so that a long message counts no more than a short one.
    """
    groups: list[tuple[dict[int, float], float]] = []
    text = last[:LONGEST].lower()
    words = _WORD.findall(text)
    chars: dict[int, float] = {}
    for token in text.split():
        padded = f" {token} ".encode()
        for size in (2, 3, 4, 5):
            for i in range(max(1, len(padded) - size + 1)):
                bucket = crc32(padded[i : i + size], 1) % BUCKETS
                chars[bucket] = chars.get(bucket, 0.0) + 1.0
    groups.append((chars, 1.0))
    groups.append((_word_grams(words, 3, 2), 1.0))
    if context:
        groups.append((_word_grams(_WORD.findall(context.lower()), 2, 3), 0.7))
    buckets: list[int] = []
    weights: list[float] = []
    for counts, scale in groups:
        norm = sum(v * v for v in counts.values()) ** 0.5 or 1.0
        buckets.extend(counts)
        weights.extend(scale * v / norm for v in counts.values())
    return np.array(buckets, dtype=np.int64), np.array(weights, dtype=np.float32)


def _word_grams(words: list[str], longest: int, seed: int) -> dict[int, float]:
    counts: dict[int, float] = {}
    for size in range(1, longest + 1):
        for i in range(len(words) - size + 1):
            bucket = crc32(" ".join(words[i : i + size]).encode(), seed) % BUCKETS
            counts[bucket] = counts.get(bucket, 0.0) + 1.0
    return counts


class NgramClassifier:
    """Class probabilities from n-grams.

    Args:
        path: an .npz with int8 `weights` (BUCKETS, classes), float32 `scale` (classes,) and `bias` (classes,).
    """

    def __init__(self, path: Path) -> None:
        with np.load(path) as stored:
            self._weights = stored["weights"]
            self._scale, self._bias = stored["scale"], stored["bias"]

    def __call__(self, last: str, context: str) -> npt.NDArray[np.float32]:
        """Probabilities, float32 (classes,): one-against-rest sigmoids scaled to add to 1."""
        buckets, weights = features(last, context)
        logits = (weights @ self._weights[buckets].astype(np.float32)) * self._scale + self._bias
        odds = 1.0 / (1.0 + np.exp(-logits))
        result: npt.NDArray[np.float32] = odds / max(float(odds.sum()), 1e-9)
        return result
