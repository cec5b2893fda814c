"""Fit bot/retrieval/confidence.json: how sure Lantern may be that a card covers the question, and how sure is enough.

It uses no eval row: prompts/calibration.jsonl holds questions that a card covers and neighbors that none does. Most were written only for
this; 757 are messages of the router's training, labelled by reading the cards, because there the router is surest where
it should not be. Two thirds fit, the rest measures. Run: python -m evals.calibrate [--write]
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from bot.assistant import CONFIDENT, Assistant
from bot.conversation import Action, Conversation
from bot.load import load_assistant
from bot.retrieval.confidence import PATH, Confidence, expanded, features
from bot.retrieval.followup import resolve
from bot.settings import Settings

SEED = 11
HELD_OUT = 0.33
# A covered question that gets "I don't know" and an uncovered one that gets an answer are both failures; of the first, at most this share.
LOST = 0.01


@dataclass(frozen=True)
class Sample:
    """One question: what retrieval and router saw, and whether a card covers it."""

    features: tuple[float, ...]
    covered: bool


def gather(assistant: Assistant, path: Path) -> list[Sample]:
    """Samples of the questions that the screen lets through to retrieval."""
    assert assistant.retriever is not None
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        verdict = assistant.screen(Conversation.of(*row["turns"]))
        if verdict.action not in (Action.ANSWER, Action.ABSTAIN):
            continue
        hits = assistant.retriever.search(resolve(verdict.text, verdict.usable).readings, verdict.topics)
        found.append(Sample(features(hits, verdict.uncovered, verdict.topics), bool(row["covered"])))
    return found


def fit(samples: Sequence[Sample]) -> tuple[float, ...]:
    """Weights, and the intercept at which LOST of the covered questions fall under one half."""
    x: npt.NDArray[np.float64] = np.array([expanded(s.features) for s in samples])
    covered = np.array([s.covered for s in samples])
    scale = StandardScaler().fit(x).scale_
    weights = LogisticRegression(C=0.1, max_iter=3000, class_weight="balanced").fit(x / scale, covered).coef_[0] / scale
    intercept = -float(np.quantile(x[covered] @ weights, LOST))
    return (*map(float, weights), intercept)


def measure(confidence: Confidence, samples: Sequence[Sample]) -> dict[str, float]:
    """The shares of covered questions answered and of uncovered ones abstained from."""
    p, covered = np.array([confidence.score(s.features) for s in samples]), np.array([s.covered for s in samples])
    return {
        "n": len(samples),
        "covered answered": round(float(np.mean(p[covered] >= CONFIDENT)), 4),
        "uncovered abstained": round(float(np.mean(p[~covered] < CONFIDENT)), 4),
    }


def main(write: bool) -> None:
    """Fit on one part, measure on the rest, and write the weights when asked."""
    settings = Settings()
    samples = gather(load_assistant(settings), settings.prompts_dir / "calibration.jsonl")
    random.Random(SEED).shuffle(samples)
    cut = int(HELD_OUT * len(samples))
    held, fitted = samples[:cut], samples[cut:]
    weights = fit(fitted)
    made = Confidence(weights)
    for name, c in (("as it is", Confidence.load()), ("fitted", made)):
        if len(c.weights) == len(weights):
            print(name, measure(c, held))
    if write:
        PATH.write_text(json.dumps({"weights": [round(v, 4) for v in weights], "held_out": measure(made, held)}) + "\n")
        print(f"Wrote {PATH.name}.")


if __name__ == "__main__":
    main("--write" in sys.argv)
