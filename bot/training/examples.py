"""The authored examples of prompts/intents: what visitors say, to train and tune the router."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bot.conversation import TOPICS, Category

CATEGORIES: tuple[Category, ...] = tuple(Category)
LATER = "wxyz"  # how the authors' codes begin of the examples written after the router had been trained on those before, wave by wave


@dataclass(frozen=True)
class Example:
    """One labelled conversation.

    Attributes:
        turns: the visitor's turns, oldest first; the label is that of the last.
        brief: who was imagined as speaking; all examples of one brief stay on one side of a split.
    """

    turns: tuple[str, ...]
    category: Category
    brief: str = ""

    @property
    def last(self) -> str:
        """The turn that is labelled."""
        return self.turns[-1]

    @property
    def wave(self) -> int:
        """In which wave it was written, from 0; a brief begins with its author's code."""
        return 1 + LATER.find(self.brief[:1]) if self.brief else 0


class ExampleError(ValueError):
    """A line of prompts/intents that cannot be used; names file and line."""


def load_examples(folder: Path) -> list[Example]:
    """Read every prompts/intents/<category>.jsonl, in a stable order.

    Raises:
        ExampleError: for an unknown category, a line that is not JSON or one without turns.
    """
    examples = []
    for path in sorted(folder.glob("*.jsonl")):
        try:
            category = Category(path.stem)
        except ValueError as err:
            raise ExampleError(f"{path}: '{path.stem}' is not a category. Name the file after one of bot.conversation.Category.") from err
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                row = json.loads(line)
                turns = tuple(str(t) for t in row["turns"])
                if not turns or not turns[-1].strip():
                    raise ValueError("turns is empty")
            except (ValueError, KeyError, TypeError) as err:
                raise ExampleError(f"{path}:{number}: {err!r}. Each line is {{\"turns\": [\"…\"], \"brief\": \"…\"}}.") from err
            examples.append(Example(turns, category, str(row.get("brief", ""))))
    return examples


def split(examples: Sequence[Example], share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """Split into (train, held out) so that no (category, brief) block is on both sides."""
    blocks = sorted({(e.category.value, e.brief) for e in examples})
    random.Random(seed).shuffle(blocks)
    held, count, want = set(), 0, share * len(examples)
    sizes: dict[tuple[str, str], int] = {}
    for e in examples:
        sizes[(e.category.value, e.brief)] = sizes.get((e.category.value, e.brief), 0) + 1
    for block in blocks:
        if count >= want:
            break
        held.add(block)
        count += sizes[block]
    inside = [e for e in examples if (e.category.value, e.brief) in held]
    outside = [e for e in examples if (e.category.value, e.brief) not in held]
    return outside, inside


_NEAR_KEYS = {"a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj", "i": "uo", "k": "jl", "l": "k", "m": "n",
              "n": "bm", "o": "ip", "p": "o", "r": "et", "s": "ad", "t": "ry", "u": "yi", "v": "cb", "w": "qe", "y": "tu"}


def misspell(text: str, rng: random.Random, rate: float = 0.06) -> str:
    """Swap, drop, double or mistype letters, as hurried fingers do."""
    out = list(text)
    i = 0
    while i < len(out):
        c = out[i]
        if c.isalpha() and rng.random() < rate:
            kind = rng.randrange(4)
            if kind == 0 and i + 1 < len(out) and out[i + 1].isalpha():
                out[i], out[i + 1] = out[i + 1], out[i]
                i += 1
            elif kind == 1:
                out[i] = ""
            elif kind == 2:
                out[i] = c + c
            else:
                out[i] = rng.choice(_NEAR_KEYS.get(c.lower(), c))
        i += 1
    return "".join(out)


_UNSAFE = {Category.DOSING, Category.SOURCING, Category.MISUSE, Category.SELF_HARM, Category.HARM_TO_OTHERS, Category.MEDICAL_EMERGENCY}
_HOST = {Category.ANXIETY, Category.MECHANISMS, Category.EVIDENCE, Category.RISKS, Category.REGULATION, Category.CONSULTATION, Category.SMALLTALK}
_CHATTER = {Category.OFF_TOPIC, Category.SMALLTALK}
_REFUSED = {Category.DOSING, Category.SOURCING, Category.MISUSE}


def augment(example: Example, hosts: Sequence[Example], talk: Sequence[Example], rng: random.Random) -> Example:
    """One random variation of an example whose label still holds.

    An unsafe ask may be buried in a benign message (the contract's precedence keeps the label), an honest one in
    chatter, lest a buried ask look unsafe as such; what says by itself what it is may follow a talk about something else;
    any message may lose its capitals and stops, or be misspelt.
    """
    last = example.last
    roll = rng.random()
    if example.category in _UNSAFE and len(example.turns) == 1 and roll < 0.15:
        other = rng.choice(hosts).last
        pieces = [other, last] if rng.random() < 0.6 else [last, other]
        if rng.random() < 0.3:
            pieces.append(rng.choice(hosts).last)
        last = rng.choice([" ", ". ", "\n", " also ", " and "]).join(pieces)
    elif example.category in TOPICS and len(example.turns) == 1 and roll < 0.1:
        pieces = [e.last for e in rng.sample(hosts, min(40, len(hosts))) if e.category in _CHATTER]
        pieces.insert(rng.randint(0, len(pieces)), last)
        last = rng.choice([" ", ". ", "\n"]).join(pieces)
    if rng.random() < 0.15:
        last = re.sub(r"[.,;:?!'’]", "", last.lower())
    if rng.random() < 0.15:
        last = misspell(last, rng, rng.choice([0.03, 0.06, 0.1]))
    if rng.random() < 0.03:
        last = last.upper()
    earlier = example.turns[:-1]
    if not earlier and example.category not in _CHATTER and len(example.last.split()) >= 4 and rng.random() < 0.15:
        earlier = tuple(e.last for e in rng.sample(talk, min(rng.randint(1, 5), len(talk))))
    return replace(example, turns=(*earlier, last)) if last.strip() else example


def hosts(examples: Sequence[Example]) -> list[Example]:
    """Benign single-turn messages that an ask may be buried in."""
    return _single(examples, _HOST | _CHATTER)


def talk(examples: Sequence[Example]) -> list[Example]:
    """Single-turn messages that something else may follow: benign ones, and requests that were refused."""
    return _single(examples, _HOST | _CHATTER | _REFUSED)


def _single(examples: Sequence[Example], categories: Collection[Category]) -> list[Example]:
    return [e for e in examples if e.category in categories and len(e.turns) == 1 and len(e.last) < 200]
