"""One run: plan, ask, score, judge."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.settings import Settings
from evals import judge, worker
from evals.cases import Case, load_cases
from evals.checks import Checker
from evals.gates import Judged, judge_all, load_gates, with_derived
from evals.plan import Job, pick, plan, stratified
from evals.records import Record
from evals.store import Store, fingerprint

QUICK = 330
WORKERS = 2
Progress = Callable[[str, int, int], None]


class CouldNotRun(RuntimeError):
    """The run did not complete; nothing may be concluded from it."""


@dataclass(frozen=True)
class Options:
    """What to run."""

    quick: bool = False
    suite: str | None = None
    category: str | None = None
    case: str | None = None
    fresh: bool = False
    all_attacks: bool = False
    workers: int = WORKERS

    @property
    def partial(self) -> bool:
        """Whether less than everything is run."""
        return bool(self.quick or self.suite or self.category or self.case)

    def name(self) -> str:
        """For headings and file names."""
        parts = ["quick" if self.quick else "", self.suite or "", self.category or "", self.case or ""]
        return " ".join(p for p in parts if p) or "full"


@dataclass
class Result:
    """What a run found."""

    name: str
    partial: bool
    records: list[Record]
    judged: list[Judged]
    seconds: float
    started: str
    product: str
    log_dir: Path
    resumed: int = 0
    samples: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether no gate failed."""
        return all(j.state != "fail" for j in self.judged)


def prepare(options: Options, checker: Checker) -> list[Job]:
    """The jobs of a run.

    Raises:
        DataError: for faulty eval data.
        CouldNotRun: when nothing matches.
    """
    cases: dict[str, list[Case]] = load_cases(card_ids=checker.cards.keys())
    jobs = pick(plan(cases, checker.cards, checker.helplines, options.all_attacks), options.suite, options.category, options.case)
    if not jobs:
        raise CouldNotRun(f"No case matches {options.name()}. Suites: lantern eval --list.")
    return stratified(jobs, QUICK) if options.quick else jobs


def pool(workers: int, mutant: str | None = None) -> ProcessPoolExecutor:
    """Worker processes, each with an assistant of its own."""
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=worker.start, initargs=(mutant,))


def folder(settings: Settings) -> Path:
    """Where runs are kept."""
    return settings.index_dir / "evals"


def execute(options: Options, progress: Progress) -> Result:
    """Run the suites through inspect-ai and judge the gates.

    Raises:
        CouldNotRun: when a task did not complete; what is done is kept and the next run goes on from there.
    """
    started = time.perf_counter()
    settings, checker = Settings(), Checker()
    product = fingerprint(settings)
    jobs = prepare(options, checker)
    store = Store(folder(settings) / product[:12], options.fresh)
    log_dir = folder(settings) / "logs" / (datetime.now(UTC).strftime("%Y%m%dT%H%M%S") + "-" + options.name().replace(" ", "-"))
    try:
        collected, statics = _through_inspect(jobs, checker, store, log_dir, options.workers, progress)
    except BaseException:
        store.close()
        raise
    store.finish()
    records = with_derived(collected, statics if options.suite is None and options.category is None and options.case is None else [])
    return Result(
        options.name(),
        options.partial,
        records,
        judge_all(load_gates(), records, options.partial),
        time.perf_counter() - started,
        datetime.now(UTC).isoformat(timespec="seconds"),
        product[:12],
        log_dir,
        store.resumed,
        len(jobs),
    )


def _through_inspect(jobs: Sequence[Job], checker: Checker, store: Store, log_dir: Path, workers: int, progress: Progress) -> tuple[list[Record], list[dict[str, Any]]]:
    os.environ.setdefault("INSPECT_LOG_LEVEL", "error")
    progress("Loading", 0, len(jobs))
    with pool(workers) as executor:
        statics = executor.submit(worker.statics)  # loads the first worker while inspect is imported
        from inspect_ai import eval as inspect_eval

        from evals.tasks import Collector, tasks

        async def ask(job: Job) -> list[list[dict[str, Any]]]:
            if (known := store.get(job)) is not None:
                return known  # type: ignore[no-any-return]
            found = await asyncio.get_running_loop().run_in_executor(executor, worker.ask, job.request())
            store.put(job, found)
            return found

        count = 0

        def done(job: Job) -> None:
            nonlocal count
            count += 1
            progress(job.suite, count, len(jobs))

        collect = Collector(checker)
        logs = inspect_eval(
            tasks(jobs, ask, collect, done),
            model="none/none",
            display="none",
            log_realtime=False,
            log_dir=str(log_dir),
            log_level="error",
            score_display=False,
            max_samples=24,
            max_tasks=1,
            fail_on_error=True,
        )
        total = 0
        for log in logs:
            name = log.eval.task
            if log.status == "cancelled":
                raise KeyboardInterrupt
            if log.status != "success":
                raise CouldNotRun(f"suite {name}: {log.error.message if log.error else log.status}")
            if log.results is None or log.results.completed_samples != log.results.total_samples:
                raise CouldNotRun(f"suite {name}: not every sample completed")
            total += log.results.total_samples
        if total != len(jobs):
            raise CouldNotRun(f"{total} of {len(jobs)} samples were scored")
        records = [r for job in jobs for r in collect.records[job.key]]
        return records, [*statics.result(), *judge.examine()]
