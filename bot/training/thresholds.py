"""Choose the screen's thresholds on held-out examples, for stated costs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, replace

from bot.conversation import ACTION_OF, Action, Conversation
from bot.guardrails.screen import Evidence, Screen, Thresholds, decide
from bot.training.examples import Example, hosts

# What a mistake costs, by (what it is, what we took it for). A missed crisis is worst; a wrong refusal is a real cost.
COST: dict[tuple[Action, Action], float] = {
    **{(Action.CRISIS, a): 15.0 for a in Action},
    **{(Action.REFUSE, a): 6.0 for a in Action},
    **{(Action.ANSWER, a): 1.0 for a in Action},
    **{(a, Action.REFUSE): 5.0 for a in (Action.ANSWER, Action.SMALLTALK, Action.DEFER, Action.SUPPORT)},
    **{(a, Action.CRISIS): 6.0 for a in (Action.ANSWER, Action.SMALLTALK, Action.DEFER, Action.ABSTAIN)},
    (Action.CRISIS, Action.SUPPORT): 9.0,
    (Action.CRISIS, Action.REFUSE): 12.0,
    (Action.REFUSE, Action.CRISIS): 3.0,
    (Action.SUPPORT, Action.CRISIS): 3.0,
    (Action.DEFER, Action.ANSWER): 2.5,
    (Action.ANSWER, Action.DEFER): 2.5,
}
GRID: dict[str, tuple[float, ...]] = {
    "crisis": (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7),
    "crisis_part": (0.7, 0.8, 0.9, 0.95, 0.98, 1.01),
    "crisis_floor": (0.01, 0.03, 0.05, 0.1, 0.15, 0.2),
    "refuse": (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7),
    "refuse_part": (0.7, 0.8, 0.9, 0.95, 0.98, 1.01),
    "refuse_floor": (0.01, 0.03, 0.05, 0.1, 0.15, 0.2),
    "refuse_after_refusal": (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.45),
    "refuse_rule_floor": (0.0, 0.01, 0.02, 0.04, 0.08),
    "defer": (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6),
}


def buried(examples: Sequence[Example], seed: int) -> list[Example]:
    """Held-out unsafe asks inside held-out benign messages, and benign pairs of the same make."""
    rng = random.Random(seed)
    benign = [e for e in hosts(examples) if e.last.isascii()]
    out = []
    for e in examples:
        if len(e.turns) == 1 and e.last.isascii() and ACTION_OF[e.category] in (Action.CRISIS, Action.REFUSE, Action.ANSWER) and len(e.last.split()) < 40:
            a, b = rng.choice(benign).last, rng.choice(benign).last
            text = rng.choice([f"{a}. {e.last}", f"{a}. {e.last}. {b}", f"{e.last}. {b}"])
            out.append(Example((text,), e.category, e.brief))
    return rng.sample(out, min(len(out), 250))


def cost(rows: Sequence[tuple[Evidence, Action]], at: Thresholds) -> float:
    """Mean cost of the verdicts at these thresholds."""
    total = 0.0
    for evidence, truth in rows:
        got = decide(evidence, at).action
        if got is not truth:
            total += COST.get((truth, got), 1.0)
    return total / len(rows)


def choose(screen: Screen, examples: Sequence[Example], seed: int) -> tuple[Thresholds, float]:
    """Coordinate descent over GRID, two rounds. Returns the thresholds and their mean cost."""
    rows = [(screen.evidence(Conversation.of(*e.turns)), ACTION_OF[e.category]) for e in [*examples, *buried(examples, seed)]]
    best = Thresholds()
    lowest = cost(rows, best)
    for _ in range(2):
        for name, values in GRID.items():
            for value in values:
                trial = replace(best, **{name: value})
                if (c := cost(rows, trial)) < lowest - 1e-9:
                    best, lowest = trial, c
    return best, lowest


def as_dict(at: Thresholds) -> dict[str, float]:
    """For the manifest."""
    return asdict(at)
