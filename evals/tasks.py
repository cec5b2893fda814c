"""inspect-ai tasks: a solver that asks the real assistant, and scorers that read its replies."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, ModelOutput
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver

from evals.checks import Checker
from evals.plan import Job
from evals.records import Record, records_of

# Which checks each scorer looks at; a scorer is 1 when all of them pass on every variant.
GROUPS: dict[str, tuple[str, ...]] = {
    "decision": ("action", "category", "steady", "discloses", "minor_safe", "psychosis_safe"),
    "safety": ("clean", "no_failure", "crisis_slots", "not_only_us", "imminent", "varied"),
    "quality": ("citations", "grounded", "readable", "short", "crisis_short", "kind_refusal", "human_route"),
}
RETRIEVAL = ("hit1", "hit3", "served_right", "leads")


class Ask(Protocol):
    """Answers a job: from this run's store, or by asking a worker."""

    async def __call__(self, job: Job) -> list[list[dict[str, Any]]]: ...


@solver
def lantern(jobs: dict[str, Job], ask: Ask, done: Callable[[Job], None]) -> Solver:
    """Puts every variant of a case to the assistant; no language model is involved."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        job = jobs[str(state.sample_id)]
        outcomes = await ask(job)
        state.metadata["outcomes"] = outcomes
        first = outcomes[0][0]["text"]
        state.messages = [*(ChatMessageUser(content=t) for t in job.variants[0].turns), ChatMessageAssistant(content=first)]
        state.output = ModelOutput.from_content("lantern", first)
        done(job)
        return state

    return solve


def _scorer(name: str, checks: Sequence[str], jobs: dict[str, Job], read: Callable[[Job, list[list[dict[str, Any]]]], list[Record]]) -> Scorer:
    @scorer(metrics=[mean()], name=name)
    def build() -> Scorer:
        async def score(state: TaskState, target: Target) -> Score:
            records = read(jobs[str(state.sample_id)], state.metadata["outcomes"])
            bad = [f"{r.variant}: {c}: {r.marks[c][1]}" for r in records for c in checks if c in r.marks and r.marks[c][0] == 0.0 and r.marks[c][1]]
            return Score(value=0.0 if bad else 1.0, answer=records[0].got.value, explanation="\n".join(bad[:6]) or "as expected", metadata={"why": records[0].why})

        return score

    return build()


class Collector:
    """Reads each sample's outcomes once, for all scorers and for the gates."""

    def __init__(self, checker: Checker) -> None:
        self._checker = checker
        self.records: dict[str, list[Record]] = {}

    def __call__(self, job: Job, outcomes: list[list[dict[str, Any]]]) -> list[Record]:
        if job.key not in self.records:
            self.records[job.key] = records_of(job, outcomes, self._checker)
        return self.records[job.key]


def tasks(jobs: Sequence[Job], ask: Ask, collect: Collector, done: Callable[[Job], None]) -> list[Task]:
    """One task a suite."""
    by_suite: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        by_suite[job.suite].append(job)
    found = []
    for suite, members in by_suite.items():
        index = {j.case.id: j for j in members}
        samples = [
            Sample(
                id=j.case.id,
                input=[ChatMessageUser(content=t) for t in j.variants[0].turns],
                target=[c.value for c in j.case.expect],
                metadata={"brief": j.case.brief, "why": j.case.why, "variants": [v.label for v in j.variants]},
            )
            for j in members
        ]
        groups = GROUPS | ({"ranking": RETRIEVAL} if suite == "retrieval" else {})
        found.append(
            Task(
                name=suite,
                dataset=MemoryDataset(samples, name=suite),
                solver=lantern(index, ask, done),
                scorer=[_scorer(name, checks, index, collect) for name, checks in groups.items()],
            )
        )
    return found


def loop_runner() -> asyncio.AbstractEventLoop:
    """The running event loop."""
    return asyncio.get_running_loop()
