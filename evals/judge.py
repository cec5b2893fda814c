"""Whether a passage supports a sentence, as the served gate decides it, and how well that agrees with people.

The only scorer that needs judgement. It is calibrated against hand-labelled pairs of a sentence and a passage (data/support_pairs.jsonl).
"""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import Any

from bot.build import open_build
from bot.conversation import Statement
from bot.encoder import Encoder
from bot.guardrails.gate import SUPPORT, Gate, support
from bot.models import reworded_gate
from bot.settings import Settings
from evals.cases import SupportPair, load_pairs
from evals.intervals import lower


class Judge:
    """Says why a passage does not support a sentence. A sentence that stands in the passage is supported."""

    @cached_property
    def _gate(self) -> Gate:
        return reworded_gate(Gate((), ()), Encoder(open_build(Settings()).folder))

    def fault(self, sentence: str, passage: str) -> str | None:
        """What is wrong, or None when the passage supports the sentence."""
        if " ".join(sentence.split()) in " ".join(passage.split()):
            return None
        if not passage:
            return "nothing is cited"
        return self._gate.reason(Statement(text=sentence, card="", sources=("cited",), support=passage, certainty="established"))


def agreement() -> dict[str, bool]:
    """For each labelled pair, whether the judge falls on the side that a careful reader chose."""
    judge = Judge()
    return {p.id: (judge.fault(p.sentence, p.passage) is None) == p.supported for p in load_pairs()}


def examine() -> list[dict[str, Any]]:
    """One finding a pair, in the form of the static checks."""
    agrees = agreement()
    return [{"check": "judge", "item": p.id, "value": float(agrees[p.id]), "why": "" if agrees[p.id] else _why(p)} for p in load_pairs()]


def _why(p: SupportPair) -> str:
    return f"a reader says {'supported' if p.supported else 'not supported'} ({p.kind}): “{p.sentence}” / “{p.passage[:200]}”"


def summary() -> str:
    """Agreement in all and by kind of pair, of the judge and of the plain word overlap beside it."""
    agrees = agreement()
    lines = []
    for name, good in (
        ("gate", agrees),
        ("word overlap alone", {p.id: (support(p.sentence, p.passage) >= SUPPORT) == p.supported for p in load_pairs()}),
    ):
        lines.append(f"{name}: {sum(good.values())} of {len(good)} agree, {sum(good.values()) / len(good):.1%}, at least {lower(sum(good.values()), len(good)):.1%} (95%)")
        by: dict[str, list[bool]] = defaultdict(list)
        for p in load_pairs():
            by[p.kind].append(good[p.id])
        lines += [f"  {kind}: {sum(x)} of {len(x)}" for kind, x in sorted(by.items())]
    return "\n".join(lines)


if __name__ == "__main__":
    print(summary())
