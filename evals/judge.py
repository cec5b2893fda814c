"""How well the gate's `support` score agrees with people: hand-labelled pairs of a sentence and a passage."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from bot.guardrails.gate import SUPPORT, support
from evals.cases import SupportPair, load_pairs
from evals.intervals import lower


def agrees(pair: SupportPair) -> bool:
    """Whether the score falls on the side that a careful reader chose."""
    return (support(pair.sentence, pair.passage) >= SUPPORT) == pair.supported


def examine() -> list[dict[str, Any]]:
    """One finding a pair, in the form of the static checks."""
    return [
        {
            "check": "judge",
            "item": p.id,
            "value": float(agrees(p)),
            "why": ""
            if agrees(p)
            else f"scored {support(p.sentence, p.passage):.2f}, a reader says {'supported' if p.supported else 'not supported'} ({p.kind}): “{p.sentence}” / “{p.passage[:200]}”",
        }
        for p in load_pairs()
    ]


def summary() -> str:
    """Agreement in all and by kind, for the terminal."""
    by: dict[str, list[bool]] = defaultdict(list)
    for p in load_pairs():
        by[p.kind].append(agrees(p))
    every = [x for group in by.values() for x in group]
    lines = [f"{sum(every)} of {len(every)} agree: {sum(every) / len(every):.1%}, at least {lower(sum(every), len(every)):.1%} (95%)"]
    return "\n".join(lines + [f"  {kind}: {sum(x)} of {len(x)}" for kind, x in sorted(by.items())])


if __name__ == "__main__":
    print(summary())
