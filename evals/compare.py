"""What flipped since a saved run, each flip with its conversation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console

from evals.records import Record
from evals.saved import Baseline


@dataclass(frozen=True)
class Flip:
    """A record whose failed checks are not those of the baseline."""

    before: Record
    after: Record

    @property
    def broken(self) -> list[str]:
        """Checks that passed before and fail now."""
        return [c for c in self.after.failed if c in self.before.marks and c not in self.before.failed]

    @property
    def mended(self) -> list[str]:
        """Checks that failed before and pass now."""
        return [c for c in self.before.failed if c in self.after.marks and c not in self.after.failed]


def flips(base: Baseline, records: Iterable[Record]) -> list[Flip]:
    """All flips among the records that both runs hold, broken ones first."""
    found = [Flip(base.records[r.key], r) for r in records if r.key in base.records]
    changed = [f for f in found if f.broken or f.mended or f.before.got != f.after.got]
    return sorted(changed, key=lambda f: (-len(f.broken), -len(f.mended), f.after.key))


def show(changed: list[Flip], base: Baseline, console: Console, limit: int = 40) -> None:
    """Print what flipped."""
    broken, mended = sum(bool(f.broken) for f in changed), sum(bool(f.mended) for f in changed)
    console.print(
        f"\n[bold]Since the run of {base.started} ({base.name})[/]: {broken} replies got worse, {mended} better, {len(changed) - broken - mended} only different.", highlight=False
    )
    for f in changed[:limit]:
        sign = "[red]worse [/]" if f.broken else "[green]better[/]" if f.mended else "[dim]other [/]"
        console.print(
            f"{sign} {f.after.key}: {f.before.got.value}/{f.before.got_category} → {f.after.got.value}/{f.after.got_category}  {', '.join(f.broken or f.mended)}", highlight=False
        )
        for turn in f.after.turns:
            console.print(f"        Visitor: {turn[:300]}", highlight=False, markup=False)
        console.print(f"        [dim]was: {f.before.why}; is: {f.after.why}[/]", highlight=False)
    if len(changed) > limit:
        console.print(f"… and {len(changed) - limit} more; the report lists them all.", highlight=False)
