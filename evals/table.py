"""The summary table in the terminal."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from evals.gates import Judged
from evals.run import Result

COLOUR = {"pass": "green", "fail": "bold red", "not shown": "yellow", "no data": "dim"}


def terminal() -> Console:
    """Standard output; as wide as a table needs when it is a file."""
    return Console() if sys.stdout.isatty() else Console(width=150)


def figures(j: Judged) -> tuple[str, str]:
    """(what was measured, what the gate asks), as text."""
    if j.gate.kind == "median":
        return f"{j.value:.2f} ({j.low:.2f} to {j.high:.2f})", f"at most {j.gate.at_most:g}"
    measured = f"{j.value:.1%} ({j.low:.1%} to {j.high:.1%})" if j.n else "–"
    if j.gate.kind == "zero":
        return measured, "no failure"
    return measured, f"at least {j.limit:.0%}"


def show(result: Result, console: Console) -> None:
    """Print the gates and the verdict."""
    table = Table(title=f"Lantern evals: {result.name}", title_justify="left", show_lines=False, expand=False)
    for heading, justify in (("gate", "left"), ("failed", "right"), ("of", "right"), ("shown (95% bounds)", "right"), ("needed", "right"), ("", "left")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    group = ""
    for j in result.judged:
        if j.state == "no data" and result.partial:
            continue
        if j.gate.group != group:
            group = j.gate.group
            table.add_section()
        measured, needed = figures(j)
        table.add_row(j.gate.title if console.width >= 120 else j.gate.id, str(j.failures) if j.n else "–", str(j.n), measured, needed, f"[{COLOUR[j.state]}]{j.state}[/]")
    console.print(table)
    failed = [j for j in result.judged if j.state == "fail"]
    replies = sum(r.suite != "statics" and r.variant != "ladder" for r in result.records)
    console.print(f"{result.samples} conversations, {replies} replies in {result.seconds:.0f} s" + (f" ({result.resumed} taken from an interrupted run)" if result.resumed else ""))
    if failed:
        console.print(f"[bold red]FAIL[/] {len(failed)} of {len(result.judged)} gates failed: {', '.join(j.gate.id for j in failed)}", soft_wrap=True)
    elif result.partial:
        console.print("[green]No gate is shown broken.[/] This is a part of the suite: it can stop a release, it cannot approve one. Run: lantern eval")
    else:
        console.print("[bold green]PASS[/] Every gate holds.")
