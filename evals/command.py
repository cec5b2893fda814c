"""`lantern eval` behind its options: run, print, save, decide."""

from __future__ import annotations

import contextlib
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bot.settings import Settings
from evals import compare, junit, report, saved, table
from evals.cases import DataError
from evals.plan import SUITES
from evals.run import CouldNotRun, Options, execute, folder

PASSED, FAILED, COULD_NOT_RUN = 0, 1, 2


@dataclass(frozen=True)
class Outputs:
    """Where results go besides the terminal. The report and the JSON always go somewhere."""

    json: Path | None = None
    junit: Path | None = None
    html: Path | None = None
    compare: Path | None = None
    open: bool = False


def main(options: Options, outputs: Outputs, progress: Callable[[str, int, int], None]) -> int:
    """Run the evals; the exit code."""
    console = table.terminal()
    if options.suite and options.suite not in SUITES:
        raise CouldNotRun(f"There is no suite {options.suite}. Suites: {', '.join(SUITES)}.")
    base = saved.Baseline(outputs.compare) if outputs.compare else None
    result = execute(options, progress)
    table.show(result, console)
    changed = compare.flips(base, result.records) if base else []
    if base:
        compare.show(changed, base, console)
    home = folder(Settings())
    stem = "last-" + result.name.replace(" ", "-")
    saved.write(result, home / f"{stem}.json")
    if outputs.json:
        saved.write(result, outputs.json)
    if outputs.junit:
        junit.write(result, outputs.junit)
    page = outputs.html or home / f"{stem}.html"
    report.write(result, page, base, changed)
    console.print(
        f"Report: {page}\nData:   {outputs.json or home / f'{stem}.json'}   "
        f"(a later run compares with: lantern eval --compare FILE)\nLogs:   inspect view --log-dir {result.log_dir}",
        highlight=False,
        soft_wrap=True,
    )
    if outputs.open:
        with contextlib.suppress(webbrowser.Error):
            webbrowser.open(page.resolve().as_uri())
    return PASSED if result.good else FAILED


def mutants(options: Options, outputs: Outputs, only: str | None, progress: Callable[[str, int, int], None]) -> int:
    """Run the crippled assistants; 1 when one goes unnoticed."""
    from evals import mutation

    return FAILED if mutation.main(options, outputs.json, only, progress) else PASSED


def add(turns: list[str], expect: str, why: str, brief: str, twin: str | None, country: str | None) -> str:
    """Add a case; what was done, in words."""
    from evals.add import add_case

    return add_case(turns, expect, why, brief, twin, country)


def data(drop: bool) -> int:
    """Check form and leakage; 1 when rows leak."""
    from evals import leakage

    return FAILED if leakage.main(drop, table.terminal()) else PASSED


__all__ = ["COULD_NOT_RUN", "FAILED", "PASSED", "CouldNotRun", "DataError", "Options", "Outputs", "add", "data", "main", "mutants"]
