"""Fit bot/retrieval/confidence.json: how sure Lantern may be that the best card answers the question.

It uses no eval row. Questions a card answers come from knowledge/queries (a sample, taken out of the index while fitting), those
none answers from prompts/intents/not_covered.jsonl. One part fits, another measures. Run:
python -m evals.calibrate [--write]
"""

from __future__ import annotations

import json
import math
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from bot.assistant import CONFIDENT, Assistant
from bot.build import open_build, open_collection
from bot.conversation import Conversation
from bot.load import load_assistant
from bot.retrieval.card import load_queries
from bot.retrieval.confidence import PATH, Confidence
from bot.retrieval.followup import resolve
from bot.retrieval.retriever import Retriever
from bot.settings import Settings
from bot.training.examples import load_examples

SEED = 11
QUERIES = 900
HELD_OUT = 0.3


@dataclass(frozen=True)
class Sample:
    """One question: what retrieval and router saw, and whether the best card was right."""

    features: tuple[float, ...]
    right: bool
    covered: bool


class _Without:
    """A collection that does not show some of its texts."""

    def __init__(self, collection: Any, hidden: frozenset[str]) -> None:
        self._collection, self._hidden = collection, hidden

    def query(self, n_results: int, include: list[str], **rest: Any) -> Any:
        rows = self._collection.query(n_results=n_results, include=[*include, "documents"], **rest)
        keep = [i for i, d in enumerate(rows["documents"][0]) if d not in self._hidden]
        return {name: [[rows[name][0][i] for i in keep]] for name in ("ids", *include)}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._collection, name)


def _sample(assistant: Assistant, turns: Sequence[str], card: str | None) -> Sample | None:
    assert assistant.retriever is not None
    verdict = assistant.screen(Conversation.of(*turns))
    if verdict.action.value in ("crisis", "refuse"):
        return None
    hits = assistant.retriever.search(resolve(verdict.text, verdict.usable).readings, verdict.topics)
    if not hits:
        return None
    row = Confidence.features([h.similarity for h in hits], hits[0].lexical, verdict.topics, verdict.category.value, verdict.confidence)
    return Sample(row, card is not None and hits[0].card.id == card, card is not None)


def gather(settings: Settings) -> list[Sample]:
    """Samples from the training side only; the sampled queries are taken out of the index first, so that they are met as unseen ones are."""
    assistant = load_assistant(settings)
    assert assistant.retriever is not None
    queries = load_queries(settings.knowledge_dir / "queries")
    asked = sorted((card, q) for card, texts in queries.items() for q in texts)
    chosen = random.Random(SEED).sample(asked, min(QUERIES, len(asked)))
    hidden = frozenset(q for _, q in chosen)
    assistant.retriever = Retriever(
        cards=assistant.knowledge.cards, encoder=assistant.retriever.encoder, collection=_Without(open_collection(settings, open_build(settings)), hidden),
        queries={card: [q for q in texts if q not in hidden] for card, texts in queries.items()},
    )  # fmt: skip
    found = [_sample(assistant, [q], card) for card, q in chosen]
    found += [_sample(assistant, e.turns, None) for e in load_examples(settings.prompts_dir / "intents") if e.category.value == "not_covered"]
    return [s for s in found if s is not None]


def fit(samples: Sequence[Sample]) -> tuple[float, ...]:
    """Weights and intercept. Covered and uncovered questions weigh the same in all, whatever their numbers."""
    x: npt.NDArray[np.float64] = np.array([s.features for s in samples])
    y = np.array([s.right for s in samples])
    covered = sum(s.covered for s in samples)
    weight = np.array([0.5 / covered if s.covered else 0.5 / (len(samples) - covered) for s in samples]) * len(samples)
    model = LogisticRegression(C=10.0, max_iter=1000).fit(x, y, sample_weight=weight)
    return (*map(float, model.coef_[0]), float(model.intercept_[0]))


def measure(weights: Sequence[float], samples: Sequence[Sample]) -> dict[str, float]:
    """Brier score, and at CONFIDENT: share of covered questions answered, of answers that are right, of uncovered questions abstained."""

    def probability(s: Sample) -> float:
        return 1 / (1 + math.exp(-sum(w * v for w, v in zip(weights, (*s.features, 1.0), strict=True))))

    scored = [(probability(s), s) for s in samples]
    covered, uncovered = [x for x in scored if x[1].covered], [x for x in scored if not x[1].covered]
    answered = [s for p, s in covered if p >= CONFIDENT]
    return {
        "n": len(scored),
        "brier": sum((p - s.right) ** 2 for p, s in scored) / len(scored),
        "covered answered": len(answered) / max(1, len(covered)),
        "answers right": sum(s.right for s in answered) / max(1, len(answered)),
        "uncovered abstained": sum(p < CONFIDENT for p, _ in uncovered) / max(1, len(uncovered)),
    }


def main(write: bool) -> None:
    """Fit on one part, measure on the rest, and write the weights when asked."""
    samples = gather(Settings())
    random.Random(SEED).shuffle(samples)
    cut = int(HELD_OUT * len(samples))
    held, fitted = samples[:cut], samples[cut:]
    weights = fit(fitted)
    before = json.loads(PATH.read_text())["weights"]
    for name, w in (("as it is", before), ("fitted", weights)):
        print(name, [round(v, 3) for v in w], {k: round(v, 3) for k, v in measure(w, held).items()})
    if write:
        PATH.write_text(json.dumps({"weights": [round(v, 4) for v in weights], "held_out": {k: round(v, 4) for k, v in measure(weights, held).items()}}) + "\n")
        print(f"Wrote {PATH.name}.")


if __name__ == "__main__":
    main("--write" in sys.argv)
