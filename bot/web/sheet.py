""""Questions for my clinician": one page from vetted cards, for what was talked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape

from bot.retrieval.card import Card

# Worth asking whatever was talked about; they fill a short sheet.
GENERAL = ("consultation-questions-to-ask", "consultation-informed-consent", "risks-interactions", "consultation-screening-why", "consultation-is-it-working")
MOST_CARDS, MOST_QUESTIONS, ENOUGH = 8, 3, 6


@dataclass(frozen=True)
class Sheet:
    """A sheet: (subject, questions) pairs and the day it was made."""

    groups: tuple[tuple[str, tuple[str, ...]], ...]
    day: date

    def html(self) -> str:
        """The sheet for the screen and the printer. Only escaped text."""
        groups = "".join(
            f"<h3>{escape(subject)}</h3><ul>{''.join(f'<li>{escape(q)}</li>' for q in questions)}</ul>" for subject, questions in self.groups
        )
        return f"{groups}<h3>My own questions</h3><div class='lines' aria-hidden='true'></div><p class='small'>{escape(self._foot())}</p>"

    def text(self) -> str:
        """The sheet as plain text, to copy or save."""
        groups = "\n\n".join(subject + "\n" + "\n".join(f"[ ] {q}" for q in questions) for subject, questions in self.groups)
        return f"Questions for my clinician\n\n{groups}\n\nMy own questions\n[ ]\n[ ]\n\n{self._foot()}\n"

    def _foot(self) -> str:
        return f"Made on {self.day.day} {self.day:%B %Y} with Lantern, an AI that explains anxiety and ketamine. It is not medical advice and knows nothing about you."


def make_sheet(ids: Sequence[str], cards: Mapping[str, Card], day: date) -> Sheet:
    """The sheet for the cards that were discussed, filled up with general questions when it is short."""
    chosen = [cards[i] for i in dict.fromkeys(ids) if i in cards and cards[i].ask][-MOST_CARDS:]
    groups = [(c.title, c.ask[:MOST_QUESTIONS]) for c in chosen]
    asked = {q for _, questions in groups for q in questions}
    general = [q for i in GENERAL if i in cards for q in cards[i].ask[:2] if q not in asked]
    if room := max(0, ENOUGH - len(asked)):
        groups.append(("Worth asking at any visit" if groups else "Before you decide", tuple(dict.fromkeys(general))[:room]))
    return Sheet(tuple(g for g in groups if g[1]), day)
