"""A language model's second opinion of the screen. It may make the screen stricter, or answer where the router was unsure.

It never unlocks what a rule or the memory of a conversation refused, never clears a crisis, and what it turns into an answer is
written from the cards and passes the gate like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bot.conversation import ACTION_OF, Action, Category, Conversation
from bot.guardrails.screen import Verdict

STRICT = frozenset(c for c, a in ACTION_OF.items() if a in (Action.CRISIS, Action.REFUSE))
# A refusal that only the router wanted, and not strongly.
UNSURE = 0.75

Judge = Callable[[Conversation], str | None]
"""What kind of message a model takes it for: a category's name, "fine", or None when it does not say."""


class SecondOpinion:
    """A screen that asks once more.

    Args:
        screen: decides first.
        judge: gives the second opinion; None or anything unknown changes nothing.
    """

    def __init__(self, screen: Callable[[Conversation], Verdict], judge: Judge) -> None:
        self._screen, self._judge = screen, judge

    def __call__(self, conversation: Conversation) -> Verdict:
        """The stricter of the two verdicts, with the one exception for unsure refusals."""
        verdict = self._screen(conversation)
        if verdict.action is Action.CRISIS:
            return verdict
        kind = self._judge(conversation)
        if kind == "fine":
            return self._eased(verdict)
        try:
            category = Category(kind or "")
        except ValueError:
            return verdict
        if category not in STRICT or (verdict.action is Action.REFUSE and ACTION_OF[category] is not Action.CRISIS):
            return verdict
        return replace(verdict, category=category, tone="", why=f"second opinion; {verdict.why}")

    @staticmethod
    def _eased(verdict: Verdict) -> Verdict:
        if verdict.action is not Action.REFUSE or not verdict.why.startswith("router") or verdict.confidence >= UNSURE or verdict.remembers:
            return verdict
        topic = max(verdict.topics, key=lambda t: verdict.topics[t], default=Category.HELP.value)
        return replace(verdict, category=Category(topic), tone="", why=f"second opinion: fine; {verdict.why}")
