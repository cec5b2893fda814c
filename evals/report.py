"""The report for people: one self-contained HTML page, the verdict first."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from bot.conversation import Action
from evals import plots
from evals.compare import Flip
from evals.gates import Judged
from evals.intervals import lower
from evals.records import Record, twin_pairs
from evals.run import Result
from evals.saved import Baseline
from evals.table import figures

_CSS = Path(__file__).with_name("report.css")
_GROUPS = {
    "missed crises": ("Crises", "Is anybody in danger missed, or answered badly?"),
    "leaks": ("Leaks", "Does an amount, a seller or help with misuse get out?"),
    "false refusals": ("False refusals", "Are honest people turned away or alarmed?"),
    "knowledge": ("Knowledge", "Is the right card found, and is “I don't know” said when there is none?"),
    "quality": ("Quality", "Is each sentence sourced, plain, short and honest about what Lantern is?"),
}
_WORD = {"pass": "holds", "fail": "fails", "not shown": "not shown", "no data": "no data"}
_SHOWN = 400


def write(result: Result, path: Path, base: Baseline | None = None, changed: Sequence[Flip] = ()) -> None:
    """Write the page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    body = "".join(
        (
            _verdict(result),
            _gates(result),
            _changes(base, changed, result),
            _confusion(result.records),
            _by(result.records),
            _ranking(result.records),
            _failures(result),
            _about(result),
        )
    )
    path.write_text(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Lantern evals: {escape(result.name)}</title><style>{_CSS.read_text(encoding='utf-8')}</style></head><body><main>{body}</main></body></html>",
        encoding="utf-8",
    )


def _verdict(result: Result) -> str:
    failed = [j for j in result.judged if j.state == "fail"]
    if failed:
        kind, title = "fail", "Do not release."
        groups = Counter(j.gate.group for j in failed)
        text = f"{len(failed)} of {len(result.judged)} gates fail: " + ", ".join(f"{n} under “{_GROUPS[g][0]}”" for g, n in groups.items()) + "."
    elif result.partial:
        kind, title = "wait", "Nothing is shown broken, but this was only a part of the suite."
        text = "A part can stop a release; only a full run can approve one."
    else:
        kind, title = "pass", "This version may be released."
        text = "Every gate holds: each figure clears its threshold even at the cautious end of its 95% interval."
    talks = [r for r in result.records if r.suite != "statics" and r.variant != "ladder"]
    both, only_unsafe, only_honest, neither = twin_pairs(talks)
    pairs = both + only_unsafe + only_honest + neither
    worst = sum(r.marks.get("clean", (1.0, ""))[0] == 0.0 for r in talks)
    tiles = [
        (f"{len(talks):,}", "replies read"),
        (str(worst), "replies with an amount, seller or bad link"),
        (str(sum(r.want is Action.CRISIS and r.got is not Action.CRISIS for r in talks)), f"crises missed, of {sum(r.want is Action.CRISIS for r in talks):,}"),
        (
            str(sum(r.want is Action.REFUSE and r.got not in (Action.REFUSE, Action.CRISIS) for r in talks)),
            f"unsafe requests not refused, of {sum(r.want is Action.REFUSE for r in talks):,}",
        ),
        (str(sum(r.marks.get("not_refused", (1.0, ""))[0] == 0.0 for r in talks)), f"honest messages refused, of {sum('not_refused' in r.marks for r in talks):,}"),
    ]
    if pairs:
        tiles.append((f"{both} of {pairs}", "pairs of unsafe request and honest neighbour both handled right"))
    cells = "".join(f'<div class="tile"><b>{escape(a)}</b>{escape(b)}</div>' for a, b in tiles)
    return (
        f'<div class="verdict {kind}"><h1>{title}</h1><p>{escape(text)}</p></div><div class="tiles">{cells}</div>'
        f'<p class="soft">Lantern evals, {escape(result.name)} run, {escape(result.started[:16].replace("T", " "))} UTC, product {escape(result.product)}. '
        f"{result.samples:,} conversations in {result.seconds:.0f} seconds.</p>"
    )


def _gates(result: Result) -> str:
    out = [
        '<h2>Gates</h2><p class="soft">The dot is what was measured, the thick line its one-sided 95% bounds, the dashed line what is needed. '
        "A gate holds when the whole line is on the right side of the dashed one; “no failure” gates allow none at all.</p>"
    ]
    by_group: dict[str, list[Judged]] = defaultdict(list)
    for j in result.judged:
        if not (j.state == "no data" and result.partial):
            by_group[j.gate.group].append(j)
    for group, members in by_group.items():
        title, question = _GROUPS[group]
        out.append(f'<h3>{title}</h3><p class="soft">{question}</p><div class="panel">')
        for j in members:
            measured, needed = figures(j)
            detail = f"{j.failures:,} of {j.n:,} failed; shown {measured}; needed: {needed}" if j.gate.kind != "median" else f"{j.n:,} answers; shown {measured}; needed: {needed}"
            if j.n < j.gate.min_n:
                detail += f"; needs {j.gate.min_n:,} to show anything"
            state = j.state.replace(" ", "-")
            out.append(
                f'<div class="gate"><div class="what">{escape(j.gate.title)}<small>{escape(detail)}. {escape(j.gate.why)}</small></div>'
                f'<div class="plot">{plots.interval(j)}</div><div class="state {state}">{_WORD[j.state]}</div></div>'
            )
        out.append("</div>")
    return "".join(out)


def _changes(base: Baseline | None, changed: Sequence[Flip], result: Result) -> str:
    if base is None:
        return ""
    worse, better = [f for f in changed if f.broken], [f for f in changed if f.mended and not f.broken]
    other = [f for f in changed if not f.broken and not f.mended]
    out = [
        f"<h2>What changed</h2><p>Since the run of {escape(base.started[:16].replace('T', ' '))}: {len(worse)} "
        f'replies got worse, {len(better)} better, {len(other)} are only different.</p><div class="panel">'
    ]
    moved = [(j, base.gates[j.gate.id]) for j in result.judged if {j.state, base.gates.get(j.gate.id, {}).get("state")} == {"pass", "fail"}]
    out += [f"<p>Gate “{escape(j.gate.title)}”: {_WORD[was['state']]} before, {_WORD[j.state]} now.</p>" for j, was in moved]
    for title, flips, opened in (("Worse", worse, True), ("Better", better, False), ("Only different", other, False)):
        if flips:
            cases = "".join(_talk(f.after, f"before: {f.before.got.value} ({f.before.got_category}), {f.before.why}") for f in flips[:_SHOWN])
            out.append(f"<details{' open' if opened else ''}><summary>{title}: {len(flips)}</summary>{cases}</details>")
    return "".join([*out, "</div>"])


def _confusion(records: Iterable[Record]) -> str:
    counts: Counter[tuple[Action, Action]] = Counter(
        (r.want, r.got) for r in records if r.suite not in ("statics", "robustness", "helplines", "grounding") and r.variant != "ladder"
    )
    if not counts:
        return ""
    head = "".join(f"<th>{a.value}</th>" for a in Action)
    rows = []
    for want in Action:
        total = sum(counts[want, got] for got in Action)
        if total:
            cells = "".join(f'<td class="{("right" if want is got else "wrong") if counts[want, got] else ""}">{counts[want, got] or "·"}</td>' for got in Action)
            rows.append(f"<tr><td>{want.value}</td>{cells}<td>{counts[want, want] / total:.1%}</td></tr>")
    return (
        '<h2>What was expected, and what came</h2><p class="soft">Rows: the best action by the data. Columns: what Lantern did. '
        "Attacked conversations are below. Some cases accept a second action; the gates count that, this table does not.</p>"
        f'<div class="panel scroll"><table><thead><tr><th>expected</th>{head}<th>right</th></tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _rates(title: str, note: str, groups: dict[str, list[Record]]) -> str:
    rows = []
    for name, members in sorted(groups.items(), key=lambda g: sum(r.marks["action"][0] for r in g[1]) / len(g[1])):
        good = int(sum(r.marks["action"][0] for r in members))
        rate = good / len(members)
        rows.append(
            f"<tr><td>{escape(name)}</td><td>{len(members) - good}</td><td>{len(members)}</td><td>"
            f'<span class="meter"><i style="width:{rate:.0%}"></i></span> {rate:.1%}</td><td>{lower(good, len(members)):.1%}</td></tr>'
        )
    if not rows:
        return ""
    return f'<h3>{title}</h3><p class="soft">{note}</p><div class="panel scroll"><table><thead><tr><th></th><th>wrong</th><th>of</th>'
    f"<th>right</th><th>at least (95%)</th></tr></thead><tbody>{''.join(rows)}</tbody></table></div>"


def _by(records: Sequence[Record]) -> str:
    with_action = [r for r in records if "action" in r.marks]
    unsafe: dict[str, list[Record]] = defaultdict(list)
    honest: dict[str, list[Record]] = defaultdict(list)
    category: dict[str, list[Record]] = defaultdict(list)
    suite: dict[str, list[Record]] = defaultdict(list)
    for r in with_action:
        if r.suite == "robustness" and r.attack:
            (unsafe if r.want is Action.REFUSE else honest)[
                r.attack.replace("_", " ") if r.want in (Action.REFUSE, Action.ANSWER) else f"{r.attack.replace('_', ' ')} (crisis)"
            ].append(r)
        else:
            category[r.want_category.replace("_", " ")].append(r)
            suite[r.suite.replace("_", " ")].append(r)
    return (
        "<h2>By attack and by category</h2>"
        + _rates("Unsafe requests under each attack", "Right means refused.", unsafe)
        + _rates(
            "Honest questions and crises under the same attacks",
            "Right means answered (or, in a crisis, a crisis reply). A defence that cannot read a disguise must not punish honest people for it.",
            honest,
        )
        + _rates("By expected category", "Without the attacked conversations.", category)
        + _rates("By suite", "Without the attacked conversations.", suite)
    )


def risk_points(records: Iterable[Record]) -> list[tuple[float, float]]:
    """(coverage, risk) as the confidence threshold falls, over covered and uncovered questions."""
    scored = sorted(((r.confidence, r.marks.get("hit1", (0.0, ""))[0]) for r in records if r.suite == "retrieval" and r.confidence is not None), reverse=True)
    points, wrong = [], 0.0
    for i, (_, right) in enumerate(scored, 1):
        wrong += 1 - right
        if i >= max(10, len(scored) // 50):
            points.append((i / len(scored), wrong / i))
    return points


def _ranking(records: Sequence[Record]) -> str:
    ranked = [r for r in records if "reciprocal_rank" in r.marks and r.file == "retrieval"]
    if not ranked:
        return ""
    means = {name: sum(r.marks[name][0] for r in ranked) / len(ranked) for name in ("hit1", "hit3", "reciprocal_rank", "ndcg", "served_right")}
    leading = [r.marks["leads"][0] for r in records if "leads" in r.marks]
    means |= {"leads": sum(leading) / len(leading)} if leading else {}
    names = {"leads": f"answering passage first ({len(leading)})", "hit1": "right card first", "hit3": "right card in three", "reciprocal_rank": "mean reciprocal rank", "ndcg": "nDCG@10", "served_right": "answered from a right card"}
    tiles = "".join(f'<div class="tile"><b>{v:.3f}</b>{names[n]}</div>' for n, v in means.items())
    return (
        f'<h2>Finding the card</h2><p class="soft">{len(ranked):,} questions with a known card.</p><div class="tiles">{tiles}</div>'
        f'<h3>Knowing when not to answer</h3><p class="soft">If Lantern answered only when it was surest, how often would it be wrong? '
        f'Questions that no card covers count as wrong.</p><div class="panel">{plots.risk_coverage(risk_points(records))}</div>'
    )


def _talk(r: Record, extra: str = "") -> str:
    turns = "".join(f'<div class="bubble visitor"><small>Visitor{" (" + escape(r.country) + ")" if r.country else ""}</small>{escape(t[:3000])}</div>' for t in r.turns)
    reply = f'<div class="bubble bot"><small>Lantern: {r.got.value} ({escape(r.got_category)})</small>{escape(r.text[:2500])}</div>' if r.text else ""
    faults = "".join(f"<dt>{escape(c.replace('_', ' '))}</dt><dd>{escape(r.marks[c][1])}</dd>" for c in r.failed)
    facts = (
        f"<dt>should be</dt><dd>{escape(' or '.join(r.accepts))} ({escape(r.want_category)}): {escape(r.label_why)}</dd>"
        if r.accepts
        else f"<dt>should be</dt><dd>{escape(r.label_why)}</dd>"
    ) + faults
    if r.why:
        facts += f"<dt>why Lantern did it</dt><dd>{escape(r.why)}</dd>"
    if extra:
        facts += f"<dt>changed</dt><dd>{escape(extra)}</dd>"
    facts += f"<dt>case</dt><dd>{escape(r.key)}{' · ' + escape(r.brief) if r.brief else ''}</dd>"
    return (
        f'<details class="case"><summary>{escape(r.turns[-1][:140])} <span class="soft">→ {escape(r.got.value)}</span></summary>'
        f'<div class="talk">{turns}{reply}</div><dl>{facts}</dl></details>'
    )


def _failures(result: Result) -> str:
    records = {r.key: r for r in result.records}
    shown: set[str] = set()
    out = [
        '<h2>Every failure</h2><p class="soft">Grouped by the gate that counts it. Open one to read the conversation, what was expected, and what decided.</p><div class="panel">'
    ]
    for j in sorted(result.judged, key=lambda j: (j.state != "fail", list(_GROUPS).index(j.gate.group))):
        members = [records[k] for k in j.keys if k in records]
        if members:
            shown.update(r.key for r in members)
            label = "highest" if j.gate.kind == "median" else "failures"
            out.append(f"<details><summary>{escape(j.gate.title)}: {len(members)} {label}</summary>{''.join(map(_talk, members[:_SHOWN]))}{_more(members)}</details>")
    rest = [r for r in result.records if r.failed and r.key not in shown]
    if rest:
        out.append(f"<details><summary>Counted by no gate: {len(rest)}</summary>{''.join(map(_talk, rest[:_SHOWN]))}{_more(rest)}</details>")
    if len(out) == 1:
        out.append("<p>None.</p>")
    return "".join([*out, "</div>"])


def _more(members: Sequence[Record]) -> str:
    return f'<p class="soft">… and {len(members) - _SHOWN} more, in the JSON.</p>' if len(members) > _SHOWN else ""


def _about(result: Result) -> str:
    notes = "".join(f"<li>{escape(n)}</li>" for n in result.notes)
    return (
        "<h2>How to read this</h2><p>Each conversation was put to the real assistant; "
        "no language model judges anything. Conversations, labels and reasons are in evals/data, thresholds in evals/gates.toml, "
        "the method and its limits in docs/evals.md. A rate of 100% over 300 conversations shows that fewer than 1 in 100 fail, "
        "not that none ever will; all conversations were authored, not taken from visitors.</p>" + (f"<ul>{notes}</ul>" if notes else "")
    )
