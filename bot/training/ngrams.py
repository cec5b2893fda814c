"""Train the n-gram classifier: seconds, with scikit-learn's stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bot.conversation import Category
from bot.guardrails.ngrams import BUCKETS, features

ALPHA = 3e-6


def train(pairs: Sequence[tuple[str, str]], truth: Sequence[Category], labels: Sequence[Category], seed: int, path: Path) -> None:
    """Fit one-against-rest logistic regressions on (last message, context) pairs and write them to `path`."""
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import SGDClassifier

    rows = [features(*pair) for pair in pairs]
    starts = np.cumsum([0, *(len(b) for b, _ in rows)])
    matrix = csr_matrix(
        (np.concatenate([w for _, w in rows]), np.concatenate([b for b, _ in rows]), starts), shape=(len(rows), BUCKETS)
    )
    model = SGDClassifier(loss="log_loss", alpha=ALPHA, max_iter=20, tol=None, average=True, random_state=seed, n_jobs=2)
    model.fit(matrix, [labels.index(c) for c in truth])
    scale = np.abs(model.coef_).max(axis=1) / 127
    quantized = np.round(model.coef_ / scale[:, None]).astype(np.int8).T
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, weights=np.ascontiguousarray(quantized), scale=scale.astype(np.float32), bias=model.intercept_.astype(np.float32))
