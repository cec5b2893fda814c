"""`lantern knowledge diff BASE`: which visitors' questions are answered differently than at a git revision."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from bot.build import IndexFault, build, current, open_build, weights
from bot.conversation import Conversation, Message, Reply
from bot.load import load_assistant
from bot.retrieval.card import load_cards
from bot.review import DeskFault
from bot.settings import ROOT, Settings

Progress = Callable[[str, int, int], None]
QUESTIONS = ROOT / "evals" / "data" / "retrieval.jsonl"


class DiffFault(DeskFault):
    """The comparison cannot be made; the message says why."""


@dataclass(frozen=True)
class Row:
    """One question whose answer changed."""

    question: str
    change: str
    before: str
    after: str


def _git(folder: Path, *args: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(folder), *args], capture_output=True, check=False)
    except FileNotFoundError as err:
        raise DiffFault("git is not installed") from err
    if done.returncode:
        raise DiffFault(f"git {args[0]}: {done.stderr.decode(errors='replace').strip().splitlines()[-1]}")
    return done.stdout


def checkout(knowledge: Path, base: str, into: Path) -> Path:
    """Write the knowledge base of revision `base` into a folder.

    Raises:
        DiffFault: for an unknown revision, or a folder that is not in a git repository.
    """
    top = Path(_git(knowledge, "rev-parse", "--show-toplevel").decode().strip())
    commit = _git(knowledge, "rev-parse", "--verify", "--end-of-options", f"{base}^{{commit}}").decode().strip()
    inside = knowledge.resolve().relative_to(top.resolve())
    with tarfile.open(fileobj=io.BytesIO(_git(top, "archive", commit, "--", str(inside)))) as archive:
        archive.extractall(into, filter="data")
    return into / inside


def questions(settings: Settings, path: Path | None = None) -> list[Conversation]:
    """The conversations to compare: those of a JSONL file, else of the evals, else the cards' own questions.

    Raises:
        DiffFault: for a line without a question.
    """
    path = path or (QUESTIONS if QUESTIONS.exists() else None)
    if path is None:
        return [Conversation.of(q) for card in load_cards(settings.knowledge_dir / "cards").values() for q in card.questions]
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if "messages" in row:
                found.append(Conversation(messages=tuple(Message(**m) for m in row["messages"])))
            elif "turns" in row:
                found.append(Conversation.of(*(str(t) for t in row["turns"])))
            else:
                found.append(Conversation.of(str(row.get("question") or row.get("query") or row["text"])))
        except (ValueError, KeyError, TypeError, AttributeError) as err:
            raise DiffFault(f"{path}:{number}: no question found. Give messages, turns, question, query or text") from err
    return found


def answers(settings: Settings, asked: Sequence[Conversation], progress: Callable[[int], None]) -> list[Reply]:
    """What the assistant of `settings` replies to each conversation."""
    assistant = load_assistant(settings)
    replies = []
    for i, conversation in enumerate(asked):
        replies.append(assistant.reply(conversation))
        if i % 25 == 0:
            progress(i)
    return replies


def _said(reply: Reply) -> str:
    return ", ".join(reply.cards) if reply.cards else f"{reply.action.value} ({reply.category.value})"


def _plain(text: str) -> list[str]:
    text = re.sub(r"\[\d+(?:, ?\d+)*\]|\*\*", "", text)
    return [" ".join(s.split()) for s in re.split(r"(?<=[.!?])\s+|\n+", text) if s.strip()]


def _changed(before: str, after: str) -> tuple[str, str]:
    """The sentences that left and those that came."""
    old, new = _plain(before), _plain(after)
    gone, come = [], []
    for tag, a, b, c, d in SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if tag != "equal":
            gone += old[a:b]
            come += new[c:d]
    return " ".join(gone), " ".join(come)


def compare(asked: Sequence[Conversation], before: Sequence[Reply], after: Sequence[Reply]) -> Iterator[Row]:
    """A row for each question whose action, cards or text changed, the gravest changes first."""
    rows: list[tuple[int, Row]] = []
    for conversation, old, new in zip(asked, before, after, strict=True):
        if old.action != new.action or (old.category != new.category and not (old.cards and new.cards)):
            change = "now abstains" if new.action.value == "abstain" else "now answered" if old.action.value == "abstain" else "another action"
            rows.append((0, Row(conversation.last, change, _said(old), _said(new))))
        elif old.cards != new.cards:
            rows.append((1, Row(conversation.last, "another card", _said(old), _said(new))))
        elif _plain(old.text) != _plain(new.text):
            gone, come = _changed(old.text, new.text)
            rows.append((2, Row(conversation.last, f"another text of {_said(new)}", gone, come)))
    yield from (row for _, row in sorted(rows, key=lambda r: r[0]))


def _cell(text: str, limit: int = 240) -> str:
    text = text.replace("|", "\\|").replace("\n", " ")
    return text if len(text) <= limit else text[: limit - 1] + "…"


def table(rows: Sequence[Row], total: int, base: str) -> str:
    """The rows as a Markdown table with a first line that counts them."""
    kinds = [r.change.split(" of ")[0] for r in rows]
    counts = ", ".join(f"{kinds.count(k)} {k}" for k in dict.fromkeys(kinds))
    head = f"{len(rows)} of {total} questions are answered differently than at {base}" + (f": {counts}." if rows else ".")
    if not rows:
        return head + "\n"
    lines = [head, "", "| question | change | before | now |", "|---|---|---|---|"]
    return "\n".join([*lines, *(f"| {_cell(r.question, 120)} | {_cell(r.change)} | {_cell(r.before)} | {_cell(r.after)} |" for r in rows)]) + "\n"


def diff(settings: Settings, base: str, progress: Progress, path: Path | None = None) -> str:
    """Compare the knowledge base as it lies there with revision `base`; only texts that changed are embedded.

    Raises:
        DiffFault: for an unknown revision or unreadable questions.
        IndexFault: when nothing was built, or with other models.
    """
    if open_build(settings).manifest["weights"] != weights():
        raise IndexFault("The models changed since the last build. Run:  lantern build")
    asked = questions(settings, path)
    work = Path(tempfile.mkdtemp(prefix="diff-", dir=settings.index_dir))
    try:
        sides: list[list[Reply]] = []
        newest = current(settings)
        for name, knowledge in (("before", checkout(settings.knowledge_dir, base, work / "base")), ("now", settings.knowledge_dir)):
            index = work / f"index-{name}"
            index.mkdir()
            (index / "current").symlink_to(newest.resolve())  # its vectors and models are used again
            side = settings.model_copy(update={"knowledge_dir": knowledge, "index_dir": index})
            build(side, progress)
            newest = index / "current"
            sides.append(answers(side, asked, lambda done, label=f"Asking, {name}": progress(label, done, len(asked))))  # type: ignore[misc]
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return table(list(compare(asked, *sides)), len(asked), base)
