"""One-sided 95% bounds: what a sample shows, rather than what it happened to score."""

from __future__ import annotations

from collections.abc import Sequence

from scipy.stats import beta, binom, binomtest

LEVEL = 0.95


def lower(successes: int, n: int) -> float:
    """Clopper-Pearson lower bound of a rate: with 95% confidence the true rate is at least this."""
    return float(beta.ppf(1 - LEVEL, successes, n - successes + 1)) if successes else 0.0


def upper(successes: int, n: int) -> float:
    """Clopper-Pearson upper bound of a rate: with 95% confidence the true rate is at most this."""
    return float(beta.ppf(LEVEL, successes + 1, n - successes)) if successes < n else 1.0


def median_bounds(values: Sequence[float]) -> tuple[float, float, float]:
    """(one-sided lower bound, median, one-sided upper bound) by order statistics, each at 95%."""
    ordered = sorted(values)
    n = len(ordered)
    middle = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    rank = int(binom.ppf(LEVEL, n, 0.5))
    return ordered[max(0, n - 1 - rank)], middle, ordered[min(n - 1, rank)]


def sign_test(worse: int, better: int) -> float:
    """Probability of at least `worse` losses among the cases that changed, were losing and winning equally likely (exact McNemar, one-sided)."""
    return float(binomtest(worse, worse + better, 0.5, alternative="greater").pvalue) if worse + better else 1.0
