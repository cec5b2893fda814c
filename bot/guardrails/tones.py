"""Finer shades of a message, from tones.yaml: they choose the wording of a reply, not its action."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import yaml

from bot.conversation import Category

READ_CHARS = 2_000  # at each end of a message
_QUESTION = re.compile(r"\?|\b(?:what|how|why|when|where|who|which|is|are|does|do|can|could|will|should)\b", re.I)
_OPENERS = r"^\W*(?:(?:no|nah|ok(?:ay)?|sorry|actually|honestly|look|haha|lol|anyway|um|well|it'?s ok|thanks?)\W+)*"


@lru_cache(maxsize=1)
def _patterns() -> dict[str, re.Pattern[str]]:
    lists = yaml.safe_load((Path(__file__).parent / "tones.yaml").read_text(encoding="utf-8"))
    made = {name: re.compile(r"\b(?:" + "|".join(parts) + r")(?:\b|(?=\W|$))", re.I) for name, parts in lists.items() if name != "fine"}
    made["fine"] = re.compile(_OPENERS + "(?:" + "|".join(lists["fine"]) + r")\b[^?]{0,80}$", re.I)
    return made


def has(name: str, text: str) -> bool:
    """Whether `text` has the shade `name`."""
    if len(text) > 2 * READ_CHARS:
        text = f"{text[:READ_CHARS]} {text[-READ_CHARS:]}"
    return _patterns()[name].search(text) is not None


def asks(text: str) -> bool:
    """Whether `text` asks something."""
    return _QUESTION.search(text) is not None


def tone(category: Category, text: str, after_crisis: bool, probes_means: bool) -> str:
    """The shade of a message in its category, naming the reply that fits; "" for the plain one."""
    if category is Category.SELF_HARM:
        if after_crisis and has("fine", text):
            return "fine"
        third_person = re.search(r"\b(?:he|she|they|him|her)\b", text, re.I) is not None
        if has("other", text) and not has("own_wish", text) and (not has("first_person", text) or third_person):
            return "other"
        if probes_means or (has("means", text) and asks(text)):
            return "means"
        return "imminent" if has("imminent", text) else ""
    if category is Category.DISTRESS:
        return "panic" if has("panic", text) else ""
    if category is Category.PERSONAL_MEDICAL:
        return "psychosis" if has("psychosis", text) or has("psychosis_now", text) else "dependence" if has("dependence", text) else ""
    return ""
