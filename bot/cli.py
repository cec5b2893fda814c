"""The command line. Each command calls one function; its --help is its documentation."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markdown import Markdown

os.environ.setdefault("ANONYMIZED_TELEMETRY", "False")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

app = typer.Typer(
    name="lantern", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Lantern answers questions about anxiety and ketamine from vetted, cited cards. It never gives doses, never helps to source ketamine, and points crises to human help.",
)
knowledge_app = typer.Typer(no_args_is_help=True, help="Check, vet, sign and review the knowledge base.")
app.add_typer(knowledge_app, name="knowledge")
eval_app = typer.Typer(
    invoke_without_command=True,
    help="Run the suite that decides whether a release ships. Exit code 0: every gate holds; 1: a gate failed; 2: it could not run.",
)
app.add_typer(eval_app, name="eval")
err = Console(stderr=True)


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Turn the faults that a person can mend into one line and exit code 2."""
    from pydantic import ValidationError

    from bot.build import IndexFault
    from bot.guardrails.rules import RuleError
    from bot.retrieval.card import KnowledgeError
    from bot.review import DeskFault
    from bot.training.examples import ExampleError
    from bot.training.export import ModelError

    try:
        yield
    except (IndexFault, ModelError, KnowledgeError, RuleError, ExampleError, DeskFault, FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError) as fault:
        err.print(f"[red]lantern:[/] {fault}", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from fault
    except ValidationError as fault:
        first = fault.errors()[0]
        err.print(f"[red]lantern:[/] {fault.title}: {'.'.join(str(p) for p in first['loc'])}: {first['msg']}", highlight=False, soft_wrap=True)
        raise typer.Exit(2) from fault
    except KeyboardInterrupt as fault:
        err.print("Stopped. Nothing was lost.")
        raise typer.Exit(130) from fault


def _settings(**changes: Any) -> Any:
    from bot.settings import Settings

    return Settings(**{k: v for k, v in changes.items() if v is not None})


@contextlib.contextmanager
def _progress(label: str) -> Iterator[Any]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=err) as bar:
        task = bar.add_task(label, total=None)
        yield lambda text, done, total: bar.update(task, description=text, completed=done, total=total or None)


@app.command()
def build(fresh: Annotated[bool, typer.Option("--fresh", help="Start over instead of reusing what has not changed.")] = False) -> None:
    """Build the search index and export the models. Safe to interrupt: the old index serves until the new one is whole."""
    from bot.build import build as run

    with plain_errors(), _progress("Reading cards") as progress:
        manifest = run(_settings(), progress, fresh)
    err.print(f"Built {len(manifest['cards'])} cards; {manifest['embedded']} texts were new.")


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="What a visitor would type; - reads standard input.")],
    country: Annotated[str | None, typer.Option(help="Two-letter country code, for help lines.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print the reply as JSON.")] = False,
) -> None:
    """Answer one question."""
    from bot.conversation import Conversation
    from bot.load import load_assistant

    text = sys.stdin.read() if question == "-" else question
    with plain_errors():
        settings = _settings(country=country)
        assistant = load_assistant(settings, need_index=False)
        reply = assistant.reply(Conversation.of(text, country=settings.country))
    if json_:
        from bot.batch import contract

        typer.echo(json.dumps(contract(reply), ensure_ascii=False, indent=1))
        return
    _show(Console(), reply, assistant.knowledge.cards)


def _show(console: Console, reply: Any, cards: Mapping[str, Any]) -> None:
    console.print(Markdown(reply.text))
    if reply.citations:
        console.print()
        for c in reply.citations:
            console.print(f"[dim][{c.n}] {c.source}\n    {c.url}[/]".replace(f"[{c.n}]", f"\\[{c.n}]"), highlight=False, soft_wrap=True)
        signed = all(cards[i].signed for i in reply.cards if i in cards)
        console.print(f"[dim]Sources checked by the editors; {'' if signed else 'not yet '}reviewed by a clinician.[/]")
    if reply.related:
        console.print("\n[dim]You could also ask:[/]")
        for question in reply.related:
            console.print(f"[dim] · {question}[/]", highlight=False)


@app.command()
def chat(country: Annotated[str | None, typer.Option(help="Two-letter country code, for help lines.")] = None) -> None:
    """Talk to Lantern in the terminal. Nothing is stored; Ctrl-D or “bye” ends it."""
    from bot.conversation import Conversation, Message
    from bot.load import load_assistant

    console = Console()
    with plain_errors():
        settings = _settings(country=country)
        assistant = load_assistant(settings, need_index=False)
        console.print(Markdown(assistant.replies.text("greeting")))
        console.print(f"[dim]In a crisis: {assistant.replies.helplines.short(settings.country)}. Emergency: {assistant.replies.helplines.emergency(settings.country)}[/]".replace("**", ""))
        messages: list[Message] = []
        while True:
            try:
                text = console.input("\n[bold cyan]You[/] ")
            except (EOFError, KeyboardInterrupt):
                console.print("\nTake care.")
                return
            if not text.strip():
                continue
            messages.append(Message(role="user", content=text))
            reply = assistant.reply(Conversation(messages=tuple(messages), country=settings.country))
            messages.append(Message(role="assistant", content=reply.text))
            console.print()
            _show(console, reply, assistant.knowledge.cards)
            if text.strip().lower() in {"bye", "quit", "exit"}:
                return


@app.command()
def batch(
    source: Annotated[str, typer.Argument(metavar="IN.jsonl", help="Conversations, one JSON object a line; - is standard input.")],
    out: Annotated[str, typer.Option("--out", help="Where replies go; - is standard output.")] = "-",
) -> None:
    """Answer conversations in bulk. Exits with 1 if a line could not be read; the others still run."""
    from bot.batch import run
    from bot.load import load_assistant

    with plain_errors():
        if "-" not in (source, out) and Path(out).exists() and Path(source).exists() and Path(out).samefile(source):
            err.print(f"[red]lantern:[/] {out} is also the input and would be overwritten. Choose another --out.", highlight=False, soft_wrap=True)
            raise typer.Exit(2)
        assistant = load_assistant(_settings())
        good = True
        with contextlib.ExitStack() as stack:
            lines = sys.stdin if source == "-" else stack.enter_context(Path(source).open(encoding="utf-8", errors="replace"))
            sink = sys.stdout if out == "-" else stack.enter_context(Path(out).open("w", encoding="utf-8"))
            for count, (line, answered) in enumerate(run(lines, assistant), 1):
                sink.write(line + "\n")
                sink.flush()
                good &= answered
                if count % 100 == 0:
                    err.print(f"{count} conversations", highlight=False)
    raise typer.Exit(0 if good else 1)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Serve the widget and the API."""
    import socket

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    with plain_errors():
        settings = _settings(host=host, port=port)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.host, settings.port))
            except OSError as fault:
                err.print(f"[red]lantern:[/] {settings.host}:{settings.port} cannot be used ({fault.strerror}). Choose another with --port or PORT=.", highlight=False, soft_wrap=True)
                raise typer.Exit(2) from fault
        from bot.web.app import serve as run

        run(settings)


@app.command()
def off() -> None:
    """Switch a running widget off within a second. Help lines and the static answers stay up."""
    settings = _settings()
    with plain_errors():
        settings.index_dir.mkdir(parents=True, exist_ok=True)
        settings.off_file.touch()
    err.print(f"Off: {settings.off_file} exists. Switch on again with:  lantern on", highlight=False)


@app.command()
def on() -> None:
    """Switch the widget on again."""
    settings = _settings()
    with plain_errors():
        settings.off_file.unlink(missing_ok=True)
    err.print("LANTERN_OFF is still set, so the widget stays off." if settings.off else "On.", highlight=False)


@app.command()
def doctor() -> None:
    """Check the installation, the model's hash, the index and the cards, and say what to do."""
    from bot.doctor import examine

    bad = False
    for finding in examine(_settings()):
        bad |= not finding.good
        err.print(f"[{'green' if finding.good else 'red'}]{'ok ' if finding.good else 'BAD'}[/] {finding.what}" + (f"\n    {finding.remedy}" if not finding.good else ""), highlight=False, soft_wrap=True)
    raise typer.Exit(1 if bad else 0)


@eval_app.callback()
def eval_(
    context: typer.Context,
    quick: Annotated[bool, typer.Option("--quick", help="A stratified sample, under a minute. It can stop a release, not approve one.")] = False,
    suite: Annotated[str | None, typer.Option(help="One suite, such as crisis or robustness.")] = None,
    category: Annotated[str | None, typer.Option(help="Cases that expect this category, such as dosing.")] = None,
    case: Annotated[str | None, typer.Option(help="One case by its id.")] = None,
    mutants: Annotated[bool, typer.Option("--mutants", help="Cripple the assistant in many ways and show which gate notices each.")] = False,
    only: Annotated[str | None, typer.Option(help="With --mutants: only this one.")] = None,
    attacks: Annotated[bool, typer.Option("--all-attacks", help="Every attack on every case; takes longer than ten minutes.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Do not go on from an interrupted run.")] = False,
    compare: Annotated[Path | None, typer.Option(help="A saved run; shows every reply that flipped since.")] = None,
    json_: Annotated[Path | None, typer.Option("--json", help="Save the run here, for CI and for --compare.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML here.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report here.")] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes that ask the assistant.")] = 2,
) -> None:
    if context.invoked_subcommand:
        return
    with _evals() as run, _progress("Loading") as progress:
        outputs = run.Outputs(json_, junit, html, compare, open_)
        options = run.Options(quick=quick, suite=suite, category=category, case=case, fresh=fresh, all_attacks=attacks, workers=workers)
        code = run.mutants(options, outputs, only, progress) if mutants else run.main(options, outputs, progress)
    raise typer.Exit(code)


@eval_app.command("add")
def eval_add(
    turns: Annotated[list[str], typer.Argument(help="The visitor's turns, oldest first; the last one is judged. Quote each.")],
    expect: Annotated[str, typer.Option(help="The right category, or several with commas, the best one first.")],
    why: Annotated[str, typer.Option(help="Why that is right, in a sentence.")],
    brief: Annotated[str, typer.Option(help="Who is speaking.")] = "reported",
    twin: Annotated[str | None, typer.Option(help="Id of the unsafe neighbour of an honest case.")] = None,
    country: Annotated[str | None, typer.Option(help="Two-letter country code.")] = None,
) -> None:
    """Turn a conversation into an eval case, and show what Lantern does with it now."""
    with _evals() as run:
        err.print(run.add(turns, expect, why, brief, twin, country), highlight=False, soft_wrap=True)


@eval_app.command("data")
def eval_data(drop: Annotated[bool, typer.Option("--drop", help="Take the leaking rows out of evals/data.")] = False) -> None:
    """Check the eval data: form, and rows that repeat training examples or cards."""
    with _evals() as run:
        raise typer.Exit(run.data(drop))


@contextlib.contextmanager
def _evals() -> Iterator[Any]:
    """The eval suite, imported only when asked for; what stops it is exit code 2."""
    try:
        from evals import command
    except ModuleNotFoundError as fault:
        err.print(f"[red]lantern:[/] the evals need more packages ({fault.name}). Run:  pip install -e '.\\[evals]'", highlight=False)
        raise typer.Exit(2) from fault
    with plain_errors():
        try:
            yield command
        except (command.CouldNotRun, command.DataError) as fault:
            err.print(f"[red]lantern:[/] {fault}", highlight=False, soft_wrap=True)
            raise typer.Exit(2) from fault


@app.command()
def train(
    epochs: Annotated[int, typer.Option(help="Passes over the examples.")] = 3,
    seed: Annotated[int, typer.Option(help="Fixes everything random.")] = 7,
    further: Annotated[bool, typer.Option("--further", help="Go on from the committed weights: only the pass for the last wave, about 50 minutes.")] = False,
) -> None:
    """Train the router from prompts/intents. About four hours on two cores; then run: lantern build"""
    from bot.training.router import run

    with plain_errors(), _progress("Reading examples") as progress:
        manifest = run(_settings().prompts_dir / "intents", epochs, seed, progress, further=further)
    for name, value in manifest["held_out"].items():
        err.print(f"{name}: {value}", highlight=False)


@app.command("train-retriever")
def train_retriever(
    epochs: Annotated[int, typer.Option(help="Passes over the cards' questions.")] = 3,
    seed: Annotated[int, typer.Option(help="Fixes everything random.")] = 7,
    further: Annotated[bool, typer.Option("--further", help="Go on from the committed weights at half the rate: with --epochs 1 about half an hour.")] = False,
) -> None:
    """Train the sentence encoder from the cards and knowledge/queries. About three quarters of an hour; then run: lantern build"""
    from bot.retrieval.card import load_cards, load_queries
    from bot.training.retriever import load, save, train

    with plain_errors(), _progress("Reading cards") as progress:
        folder = _settings().knowledge_dir
        save(train(load_cards(folder / "cards"), load_queries(folder / "queries"), epochs, seed, progress, load() if further else None))


@knowledge_app.command("check")
def knowledge_check(
    today: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Judge dates as of this day.")] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Mend in the files what needs no judgement, then check.")] = False,
) -> None:
    """Check every card, source, fact and help line. Errors exit with 1; warnings do not."""
    from bot.review.fix import fix as mend
    from bot.review.library import check, read

    with plain_errors():
        settings = _settings()
        day = today.date() if today else settings.day
        if fix:
            for change in mend(read(settings.knowledge_dir, day)):
                err.print(f"mended {change}", highlight=False, markup=False, soft_wrap=True)
        desk = read(settings.knowledge_dir, day)
        faults = check(desk)
    for fault in faults:
        typer.echo(f"{fault.severity}: {fault}")
    errors = sum(f.severity == "error" for f in faults)
    err.print(f"{len(desk.cards)} cards, {len(desk.library.sources)} sources, {len(desk.facts)} facts: {errors} errors, {len(faults) - errors} warnings.", highlight=False)
    raise typer.Exit(1 if errors else 0)


@knowledge_app.command("vet")
def knowledge_vet(
    article: Annotated[Path, typer.Argument(help="Text, Markdown, HTML or PDF; a local file.")],
    out: Annotated[Path | None, typer.Option("--out", help="Also write ARTICLE.vet.md and ARTICLE.vet.html into this folder.")] = None,
    drafts: Annotated[Path | None, typer.Option("--scaffold", metavar="DIR", help="Draft cards for what is not covered.")] = None,
) -> None:
    """Judge an article against the cards: fit to cite, fit to link, or not to be used."""
    from bot.retrieval.card import load_cards
    from bot.review import vet_report
    from bot.review.vet import vet_file

    with plain_errors():
        settings = _settings()
        report, cards = vet_file(article, settings), load_cards(settings.knowledge_dir / "cards")
        if out:
            out.mkdir(parents=True, exist_ok=True)
            (out / f"{article.stem}.vet.md").write_text(vet_report.markdown(report, cards), encoding="utf-8")
            (out / f"{article.stem}.vet.html").write_text(vet_report.html(report, cards), encoding="utf-8")
            err.print(f"Written: {out / article.stem}.vet.md and .vet.html", highlight=False, soft_wrap=True)
        if drafts:
            written = vet_report.scaffold(report, cards, drafts, settings.day)
            err.print(f"Drafted {len(written)} cards in {drafts}", highlight=False, soft_wrap=True)
    typer.echo(vet_report.markdown(report, cards))


@knowledge_app.command("sign")
def knowledge_sign(
    cards: Annotated[list[str], typer.Argument(help="Ids or files of the cards that you read.")],
    name: Annotated[str, typer.Option(help="Your name, as it may be shown.")],
    credential: Annotated[str, typer.Option(help="Your credential, such as MD or PMHNP.")],
    two: Annotated[bool, typer.Option("--two", help="Two-person rule: the card counts as signed when a second person signs.")] = False,
) -> None:
    """Sign cards as their clinical reviewer. A later edit voids the signature."""
    from bot.review.library import read
    from bot.review.signoff import sign

    with plain_errors():
        settings = _settings()
        signed = sign(read(settings.knowledge_dir, settings.day), cards, name, credential, two)
    for card in signed:
        typer.echo(f"{card.id}: {'signed' if card.signed else 'waits for a second person'} ({card.content_hash[:12]}) {card.title}")


@knowledge_app.command("diff")
def knowledge_diff(
    base: Annotated[str, typer.Argument(help="A git revision, such as main or HEAD~1.")],
    questions: Annotated[Path | None, typer.Option("--questions", help="JSONL of questions; default: the evals', else the cards' own.")] = None,
) -> None:
    """Show which visitors' questions are now answered differently than at BASE."""
    from bot.review.diff import diff

    with plain_errors(), _progress("Reading") as progress:
        text = diff(_settings(), base, progress, questions)
    typer.echo(text)


@knowledge_app.command("report")
def knowledge_report(out: Annotated[Path, typer.Option("--out", help="Where the page goes.")] = Path("knowledge-report.html")) -> None:
    """Write the state of the knowledge base as one HTML page."""
    from bot.review.library import read
    from bot.review.report import html

    with plain_errors():
        settings = _settings()
        out.write_text(html(read(settings.knowledge_dir, settings.day)), encoding="utf-8")
    err.print(f"Written: {out}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    app()
