"""The command line. Each command calls one function; its --help is its documentation."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
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
err = Console(stderr=True)


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Turn the faults that a person can mend into one line and exit code 2."""
    from pydantic import ValidationError

    from bot.build import IndexFault
    from bot.guardrails.rules import RuleError
    from bot.retrieval.card import KnowledgeError
    from bot.training.examples import ExampleError
    from bot.training.export import ModelError

    try:
        yield
    except (IndexFault, ModelError, KnowledgeError, RuleError, ExampleError, FileNotFoundError, PermissionError) as fault:
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
        reply = load_assistant(settings, need_index=False).reply(Conversation.of(text, country=settings.country))
    if json_:
        from bot.batch import contract

        typer.echo(__import__("json").dumps(contract(reply), ensure_ascii=False, indent=1))
        return
    _show(Console(), reply)


def _show(console: Console, reply: Any) -> None:
    console.print(Markdown(reply.text))
    if reply.citations:
        console.print()
        for c in reply.citations:
            console.print(f"[dim][{c.n}] {c.source}\n    {c.url}[/]".replace(f"[{c.n}]", f"\\[{c.n}]"), highlight=False, soft_wrap=True)
        console.print("[dim]Sources checked by the editors; not yet reviewed by a clinician.[/]")
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
            _show(console, reply)
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
                err.print(f"[red]lantern:[/] {settings.host}:{settings.port} cannot be used ({fault.strerror}). Choose another with --port or PORT=.", highlight=False)
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


@app.command()
def train(
    epochs: Annotated[int, typer.Option(help="Passes over the examples.")] = 3,
    seed: Annotated[int, typer.Option(help="Fixes everything random.")] = 7,
) -> None:
    """Train the router from prompts/intents. About an hour and a half on two cores; then run: lantern build"""
    from bot.training.router import run

    with plain_errors(), _progress("Reading examples") as progress:
        manifest = run(_settings().prompts_dir / "intents", epochs, seed, progress)
    for name, value in manifest["held_out"].items():
        err.print(f"{name}: {value}", highlight=False)


if __name__ == "__main__":
    app()
