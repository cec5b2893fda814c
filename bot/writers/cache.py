"""Verified answers, by question, passages, prompt and model. Never conversations, and no visitor's words: keys are hashes.

A question that leans on earlier messages is not kept at all.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from bot.writers.lines import Line
from bot.writers.prompting import Task
from bot.writers.store import Store


def key_of(task: Task, prompt: str, model: str) -> str | None:
    """What an answer is kept under, or None when it may not be kept."""
    if task.earlier:
        return None
    question = " ".join(task.question.lower().split()).rstrip("?!. ")
    parts = [question, task.style, prompt, model, *(f"{p.card.id}\n{p.passage.text}" for p in task.passages)]
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()


class Cache:
    """The newest answers, in memory and, when there is a store, on disk.

    What is read is verified again like anything a model says, so that a changed card, gate or file lets nothing through.

    Args:
        most: how many answers are kept; 0 keeps none.
        hours: how long.
    """

    def __init__(self, most: int, hours: float = 24.0, store: Store | None = None, clock: Callable[[], float] = time.time) -> None:
        self._most, self._seconds, self._store, self._clock = most, hours * 3600, store, clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, tuple[Line, ...]]] = OrderedDict()

    def get(self, key: str | None) -> tuple[Line, ...] | None:
        """The lines kept under `key`."""
        if key is None or not self._most:
            return None
        since = self._clock() - self._seconds
        with self._lock:
            if (found := self._kept.get(key)) and found[0] >= since:
                self._kept.move_to_end(key)
                return found[1]
        if self._store and (text := self._store.get(key, since)):
            return tuple(Line(s, tuple(p)) for s, p in json.loads(text))
        return None

    def put(self, key: str | None, lines: Sequence[Line]) -> None:
        """Keep verified lines."""
        if key is None or not self._most:
            return
        now = self._clock()
        with self._lock:
            self._kept[key] = (now, tuple(lines))
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        if self._store:
            self._store.put(key, json.dumps([[x.sentence, x.passages] for x in lines], ensure_ascii=False), now, self._most)
