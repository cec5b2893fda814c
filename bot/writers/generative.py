"""The writer that lets a language model word the answer, and trusts it with nothing.

The model is asked for JSON lines, each a sentence and the passages it rests on. Each sentence is held until the check has passed
it, and only then given out. Whatever goes wrong, `NotWritten` says so and the caller gives the extractive answer.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bot.conversation import Statement
from bot.writers.breaker import Breaker
from bot.writers.budget import CHARS_PER_TOKEN, Budget
from bot.writers.cache import Cache, key_of
from bot.writers.chat import CallFailed, Chat, Usage
from bot.writers.lines import Line, Lines, Malformed, one_object
from bot.writers.prompting import Messages, Prompt, Task, answer_messages, data_messages, statement

log = logging.getLogger("lantern")

Check = Callable[[Statement, str], str | None]
"""(the candidate, the sentence given out before it) → why it must be dropped, or None."""

LEAST_SENTENCES = 2
LEAST_WORDS = 18
MOST_SENTENCES = 10
MOST_BAD_LINES = 2


class NotWritten(Exception):
    """The model gave no answer that may be shown. `why` is a word for counts."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True)
class Patience:
    """How long a visitor is kept waiting, in seconds."""

    first: float = 8.0
    whole: float = 25.0


@dataclass
class Counts:
    """What became of turns and sentences, for maintainers; no words."""

    outcomes: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    released: int = 0
    # Seconds from the start of a turn to the model's first complete sentence, and to the first one given out.
    first: list[tuple[float, float]] = field(default_factory=list)


class _Reader:
    """Reads a model's stream in a thread of its own, so that a stalled model keeps nobody waiting."""

    def __init__(self, chat: Chat, messages: Messages, done: Callable[[Usage], None]) -> None:
        self._box: queue.Queue[str | Exception | None] = queue.Queue()
        self._stopped = threading.Event()
        self._chat, self._messages, self._done = chat, messages, done
        self.usage = Usage()
        threading.Thread(target=self._read, name="lantern-model", daemon=True).start()

    def _read(self) -> None:
        try:
            chunks = self._chat.stream(self._messages, self.usage)
            for text in chunks:
                self._box.put(text)
                if self._stopped.is_set():
                    break
            self._box.put(None)
        except Exception as err:
            self._box.put(err)
        finally:
            self._done(self.usage)

    def text(self, until: Callable[[], float]) -> Iterator[str]:
        """Text as it comes. Raises CallFailed, also when the time is up."""
        try:
            while True:
                try:
                    item = self._box.get(timeout=max(0.0, until() - time.monotonic()))
                except queue.Empty:
                    raise CallFailed("timeout") from None
                if item is None:
                    return
                if isinstance(item, CallFailed):
                    raise item
                if isinstance(item, Exception):
                    raise CallFailed("connection") from item
                yield item
        finally:
            self._stopped.set()


class Caller:
    """Calls one model within the breaker, the budget and a number of calls at once."""

    def __init__(self, chat: Chat, breaker: Breaker, budget: Budget, at_once: int, most_tokens: int) -> None:
        self.chat, self.breaker, self.budget, self.most_tokens = chat, breaker, budget, most_tokens
        self._slots = threading.BoundedSemaphore(at_once)

    def __call__(self, messages: Messages, until: Callable[[], float]) -> Iterator[str]:
        """Text as it comes.

        Raises:
            NotWritten: the model may not be asked now.
            CallFailed: the call failed or took too long.
        """
        if not self.breaker.allow():
            raise NotWritten("breaker open")
        if not self._slots.acquire(blocking=False):
            raise NotWritten("too many at once")
        chars = sum(len(text) for _, text in messages)
        reserved = self.budget.reserve(chars, self.most_tokens)
        if reserved is None:
            self._slots.release()
            raise NotWritten("budget spent")

        def done(usage: Usage) -> None:
            self._slots.release()
            cost = self.budget.cost(usage.tokens_in or chars / CHARS_PER_TOKEN, usage.tokens_out or usage.chars_out / CHARS_PER_TOKEN)
            self.budget.settle(reserved, cost if usage.chars_out or usage.tokens_out else 0.0)

        yield from _Reader(self.chat, messages, done).text(until)

    def brief(self, prompt: Prompt, value: object, seconds: float) -> dict[str, object]:
        """One small JSON object.

        Raises:
            NotWritten, CallFailed, Malformed: there is none.
        """
        deadline = time.monotonic() + seconds
        try:
            row = one_object("".join(self(data_messages(prompt, value), lambda: deadline)))
        except CallFailed as err:
            self.breaker.bad(err.retry_after)
            raise
        except Malformed:
            self.breaker.bad()
            raise
        self.breaker.good()
        return row


class Generative:
    """Words answers with a language model.

    Args:
        caller: the model, its breaker and its budget.
        prompt: prompts/system.md.
    """

    def __init__(self, caller: Caller, prompt: Prompt, cache: Cache, patience: Patience | None = None) -> None:
        self.caller, self._prompt, self._cache, self._patience = caller, prompt, cache, patience or Patience()
        self.counts = Counts()

    def write(self, task: Task, check: Check) -> Iterator[Statement]:
        """Verified statements, each as soon as it is verified.

        Raises:
            NotWritten: after any number of statements; what was given out is true, and not an answer.
        """
        outcome: Literal["cache", "written"] | str = "written"
        try:
            key = key_of(task, self._prompt.version, self.caller.chat.name)
            if kept := self._cache.get(key):
                outcome = "cache"
                yield from self._given(task, self._verified(task, iter(kept), check, []), len(kept))
                return
            lines: list[Line] = []
            yield from self._asked(task, check, lines)
            self._cache.put(key, lines)
        except NotWritten as err:
            outcome = err.why
            raise
        finally:
            self.counts.outcomes[outcome] += 1

    def _given(self, task: Task, statements: Iterator[Statement], least: int) -> Iterator[Statement]:
        found = 0
        for s in statements:
            found += 1
            yield s
        if found < least:
            raise NotWritten("cache no longer verified")

    def _asked(self, task: Task, check: Check, good: list[Line]) -> Iterator[Statement]:
        started = time.monotonic()
        first, whole = started + self._patience.first, started + self._patience.whole
        breaker, given = self.caller.breaker, list[Statement]()
        seen = [0, 0]  # sentences the model wrote, and those that were dropped
        times: list[float] = []

        def arriving() -> Iterator[Line]:
            reader = Lines()
            for text in self.caller(answer_messages(self._prompt, task), lambda: whole if given else first):
                for line in reader.feed(text):
                    times.append(time.monotonic() - started)
                    seen[0] += 1
                    yield line
                    if seen[0] >= MOST_SENTENCES:
                        return
            reader.close()

        try:
            for s in self._verified(task, arriving(), check, good):
                if not given:
                    self.counts.first.append((times[0], time.monotonic() - started))
                given.append(s)
                yield s
        except CallFailed as err:
            breaker.bad(err.retry_after)
            raise NotWritten(err.kind) from err
        except Malformed as err:
            breaker.bad()
            raise NotWritten("malformed") from err
        breaker.good()
        if not seen[0]:
            raise NotWritten("empty")
        words = sum(len(s.text.split()) for s in given)
        if len(given) < LEAST_SENTENCES or words < LEAST_WORDS or 2 * len(given) < seen[0]:
            raise NotWritten("too little left")

    def _verified(self, task: Task, lines: Iterator[Line], check: Check, good: list[Line]) -> Iterator[Statement]:
        before, said = "", set[str]()
        for line in lines:
            candidate = statement(line.sentence, line.passages, task.passages)
            why = "cites what it was not given" if candidate is None else "said already" if candidate.text in said else check(candidate, before)
            if why or candidate is None:
                self.counts.dropped[_kind(why or "")] += 1
                continue
            good.append(line)
            said.add(candidate.text)
            self.counts.released += 1
            before = candidate.text
            yield candidate


def _kind(why: str) -> str:
    """The reason without the words that were found, which may be a visitor's."""
    return why.split(":")[0].split("“")[0].strip()


class Rewriter:
    """Writes a message that leans on earlier ones as a question that stands alone."""

    def __init__(self, caller: Caller, prompt: Prompt, seconds: float = 3.0) -> None:
        self._caller, self._prompt, self._seconds = caller, prompt, seconds

    def __call__(self, question: str, earlier: Sequence[str]) -> str | None:
        """The question, or None. It holds no word that the visitor did not use, so the model cannot steer the search."""
        try:
            row = self._caller.brief(self._prompt, {"earlier_messages": list(earlier), "last_message": question}, self._seconds)
        except (NotWritten, CallFailed, Malformed) as err:
            log.info("no rewriting: %s", type(err).__name__)
            return None
        text = row.get("question")
        if not isinstance(text, str) or not 3 <= len(text.split()) <= 40:
            return None
        have = _words(" ".join([question, *earlier])) | _PLAIN
        return text if _words(text) <= have else None


_PLAIN = frozenset(["a", "an", "the", "is", "are", "was", "were", "do", "does", "did", "can", "could", "will", "would", "should", "may", "might", "to", "of", "in", "on", "at", "for", "with", "by", "from", "as", "and", "or", "but", "if", "what", "how", "why", "when", "where", "which", "who", "it", "they"])


def _words(text: str) -> set[str]:
    return {w.strip("?.,!;:'\"()").lower().removesuffix("s") for w in text.split()}
