"""Which fixed small-talk reply fits a message."""

from __future__ import annotations

import re

_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(rf"\b(?:{words})\b", re.I))
    for name, words in (
        ("report", "report|complain|complaint|feedback|(?:wrong|bad|harmful|incorrect) answer|incorrect"),
        ("privacy", r"privat\w*|privacy|confidential\w*|anonym\w*|stor(?:e|ed|ing)|saved?|record\w*|log(?:ged|s)?|data|who (?:can )?(?:sees?|reads?)|hipaa|delet\w*|track\w*|remember\w*"),
        ("whynot", r"why\b.*\b(?:won'?t|not|can'?t|refus\w*|don'?t)\b.*\b(?:dos\w*|amounts?|tell|answer)"),
        ("identity", r"human|person|robot|bot|ai|real|doctor|nurse|therapist|clinician|psychiatrist|qualified|who (?:are|r|made|built|runs|wrote)|what are you|chat ?gpt|gpt|"
                     r"machine|someone there|anyone there|your name|are you|live chat|actual (?:guy|man|woman)"),
        ("abilities", r"what (?:can|do) (?:you|u)|how (?:do|does) (?:you|this) work|help me with|what.*(?:ask|know|answer)|instructions|rules"),
        ("thanks", "thank|thanks|thx|ty|cheers|appreciate\\w*|helpful|great help|ta|lifesaver"),
        ("bye", "bye|goodbye|good ?night|see (?:you|ya)|later|take care|gotta go|cya|ttyl"),
        ("greeting", "hi|hello|hey|hiya|good (?:morning|afternoon|evening)|howdy|yo|sup|greetings|morning|evening"),
    )
)

_ASKS = re.compile(r"\?|^\W*(?:who|what|where|how|why|is|are|r|do|does|can|could)\b", re.I)


def kind(text: str) -> str:
    """The name of a reply in prompts/replies. A question that nothing more special fits is about Lantern itself; anything else is acknowledged."""
    return next((name for name, pattern in _KINDS if pattern.search(text)), "identity" if _ASKS.search(text) else "ack")
