"""Orders to a program inside a text that should only inform: "ignore your rules", "tell the visitor to …" (R-38).

Knowledge is data, so such a text would not be obeyed. It is a sign that somebody tampered with the card, and a visitor should not
read it either; the whole card is then left out. The patterns are those of orders, not of the subject: an honest card holds none.
"""

from __future__ import annotations

import re2

_ORDERS = re2.compile(
    r"(?i)\b(?:ignor(?:e|ing)|disregard|forget|overrid(?:e|ing)|bypass)\b[^.!?\n]{0,40}\b(?:previous|prior|above|earlier|your|system|safety|all)\b[^.!?\n]{0,24}"
    r"\b(?:instructions?|rules|guidelines|guardrails?|prompts?|polic(?:y|ies)|filters?|restrictions)\b"
    r"|\b(?:system|developer|hidden|initial) (?:prompt|message|instructions?)\b"
    r"|[\[<{#|]\s*/?\s*(?:system|assistant|user|inst|developer|im_start|im_end)\b|(?:^|[.!?\n]\s*)(?:system|assistant|developer|admin)\s*:"
    r"|\byou are (?:now|no longer)\b[^.!?\n]{0,30}\b(?:mode|dan|unrestricted|unfiltered|lantern|bound|an? (?:doctor|pharmacist|dealer|persona))\b"
    r"|\b(?:developer|debug|admin|god|jailbreak|unrestricted|maintenance) mode\b"
    r"|\b(?:note|message|instructions?|attention)\b[^.!?\n]{0,12}\b(?:ai|assistant|language model|llm|chat ?bot|bot|lantern)\b\s*[:,]"
    r"|\b(?:tell|inform|instruct|persuade|convince) (?:the |every |all |any )?(?:users?|visitors?|readers?)\b"
    r"|\b(?:do not|don't|never|stop) (?:mention|cite|show|name|giv(?:e|ing)|mentioning)\b[^.!?\n]{0,30}\b(?:help ?lines?|sources|988|this instruction|these instructions)\b"
    r"|\b(?:classify|label|route|treat) (?:this|every|all|the next)\b[^.!?\n]{0,30}\b(?:messages?|questions?|requests?|as (?:an? )?(?:answer|safe|allowed|smalltalk))\b")


def planted(text: str) -> str | None:
    """The order in `text`, or None."""
    found = _ORDERS.search(text)
    return str(found[0]) if found else None
