"""`lantern eval --mutants`: which gate notices each crippled assistant."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals import worker
from evals.checks import Checker
from evals.gates import Gate, judge, load_gates, with_derived
from evals.intervals import sign_test
from evals.mutants import ABOUT, MUTANTS, PLANTED, names
from evals.plan import Job, stratified
from evals.records import Record, records_of
from evals.run import CouldNotRun, Options, pool, prepare
from evals.table import terminal

# Conversations each mutant meets, and the least of each kind: few first, and more where no gate noticed among the few.
SAMPLES = ((300, 3), (1_500, 15))
# A gate that allows some failures notices a mutant when the paired loss is this unlikely to be chance.
CHANCE = 0.01


@dataclass(frozen=True)
class Noticed:
    """A gate that noticed, with the rates of the sound and of the crippled assistant."""

    gate: str
    sound: float
    crippled: float
    worse: int


def _records(jobs: Sequence[Job], checker: Checker, mutant: str | None, workers: int, tick: Callable[[], None]) -> list[Record]:
    found: dict[str, list[Record]] = {}
    with pool(workers, mutant) as executor:
        statics = executor.submit(worker.statics)
        waiting = {executor.submit(worker.ask, job.request()): job for job in jobs}
        for done in as_completed(waiting):
            job = waiting[done]
            found[job.key] = records_of(job, done.result(), checker)
            tick()
        return with_derived([r for job in jobs for r in found[job.key]], statics.result())


def notices(gate: Gate, sound: Sequence[Record], crippled: Sequence[Record]) -> Noticed | None:
    """Whether a gate tells the crippled assistant from the sound one on the same conversations.

    The crippled one must be on the wrong side of the threshold, and worse than the sound one by more than chance:
    one forbidden failure where there was none, or a paired loss (exact sign test), or a median that crosses the limit.
    """
    before, after = judge(gate, sound, True), judge(gate, crippled, True)
    if not after.n and not before.n:
        return None
    if gate.kind == "median":
        crossed = before.n and after.n and before.value <= before.limit < after.value
        return Noticed(gate.id, before.value, after.value, after.failures) if crossed else None
    was = {r.key: r.marks[gate.check][0] for r in sound if gate.takes(r)}
    worse = better = 0
    for r in crippled:
        if gate.takes(r):
            now, then = r.marks[gate.check][0], was.get(r.key, 1.0)
            worse += then == 1.0 and now == 0.0
            better += then == 0.0 and now == 1.0
    if gate.kind == "zero" and not before.failures:
        return Noticed(gate.id, before.value, after.value, worse) if after.failures else None
    if after.value < after.limit and sign_test(worse, better) < CHANCE:
        return Noticed(gate.id, before.value, after.value, worse)
    return None


def sample(jobs: Sequence[Job], size: int, least: int) -> list[Job]:
    """A stratified sample, and the card with the planted dose."""
    chosen = stratified(jobs, size, attacks_each=2, least=least)
    keys = {j.key for j in chosen}
    return chosen + [j for j in jobs if j.key == f"grounding/card-{PLANTED}" and j.key not in keys]


def main(options: Options, out: Path | None, only: str | None, progress: Callable[[str, int, int], None]) -> bool:
    """Run the mutants, print the table, and say whether one went unnoticed.

    Raises:
        CouldNotRun: for an unknown mutant.
    """
    if only and only not in MUTANTS:
        raise CouldNotRun(f"There is no mutant {only}. Mutants: {', '.join(MUTANTS)}.")
    checker, gates = Checker(), load_gates()
    everything = prepare(Options(suite=options.suite, category=options.category), checker)
    chosen, console = list(names(only)), terminal()
    results: dict[str, list[Noticed]] = {}
    for size, least in SAMPLES:
        jobs = sample(everything, size, least)
        waiting = [name for name in chosen if not results.get(name)]
        if not waiting:
            break
        console.print(f"{len(waiting)} crippled assistants, {len(jobs)} conversations each")
        asked = _Counted(progress, len(jobs) * (len(waiting) + 1))
        sound = _records(jobs, checker, None, options.workers, asked.tick("sound"))
        for name in waiting:
            crippled = _records(jobs, checker, name, options.workers, asked.tick(name))
            results[name] = sorted((n for g in gates if (n := notices(g, sound, crippled))), key=lambda n: -n.worse)
            console.print(line(name, results[name]))
            if out:  # after each, so that nothing is lost on a crash
                out.parent.mkdir(parents=True, exist_ok=True)
                out.write_text(json.dumps(to_json(results), indent=1), encoding="utf-8")
    missed = [name for name, found in results.items() if not found]
    console.print(f"[bold red]FAIL[/] {len(missed)} went unnoticed: {', '.join(missed)}" if missed else f"[bold green]All {len(results)} crippled assistants were noticed.[/]")
    return bool(missed)


class _Counted:
    """Counts conversations for the progress bar."""

    def __init__(self, progress: Callable[[str, int, int], None], total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def tick(self, label: str) -> Callable[[], None]:
        """What to call after each conversation of `label`."""

        def step() -> None:
            self._done += 1
            self._progress(label, self._done, self._total)

        return step


def to_json(results: dict[str, list[Noticed]]) -> dict[str, Any]:
    """The table for machines."""
    return {name: {"about": ABOUT[name], "noticed_by": [n.__dict__ for n in found]} for name, found in results.items()}


def line(name: str, found: Sequence[Noticed]) -> str:
    """Which gates noticed a mutant, the most telling first, with the rates of the sound and of the crippled assistant."""
    text = ", ".join(f"{n.gate} ({_figure(n.sound)} → {_figure(n.crippled)})" for n in found[:4]) + (f" and {len(found) - 4} more" if len(found) > 4 else "")
    return f"[bold]{name}[/] ({ABOUT[name].rstrip('.').lower()}): {text or '[bold red]no gate[/]'}"


def _figure(value: float) -> str:
    return f"{value:.0%}" if value <= 1 else f"{value:.1f}"
