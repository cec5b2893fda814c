"""An assistant with the real rules, replies and gate, and one canned answer in place of the index."""

from __future__ import annotations

from pathlib import Path

from bot.assistant import Assistant, Knowledge
from bot.conversation import Action, Category, Conversation, Reply
from bot.guardrails.gate import Gate
from bot.guardrails.rules import RuleSet, load_rules
from bot.guardrails.screen import Screen, Verdict
from bot.helplines import load_helplines
from bot.load import link_hosts
from bot.retrieval.card import Card, load_sources, parse_card
from bot.settings import Settings
from bot.writers import extractive
from bot.writers.render import render
from bot.writers.replies import Replies

CARDS = (
    "risks-bladder", "risks-is-it-safe", "risks-serious-risks", "mechanisms-what-is-ketamine", "evidence-anxiety", "consultation-cost",
    "consultation-prepare", "consultation-questions-to-ask", "consultation-find-provider", "risks-feel-worse-after",
)


class StubAssistant(Assistant):
    """Answers every open question from the bladder card."""

    def _from_cards(self, conversation: Conversation, verdict: Verdict) -> Reply:
        card = self.knowledge.cards["risks-bladder"]
        hit = _Hit(card)
        mode = "simpler" if "simpler" in conversation.last else "more" if "more" in conversation.last else "normal"
        draft = extractive.compose([hit], [hit], {i: c.title for i, c in self.knowledge.cards.items()}, mode)
        text, citations = render(draft, self.knowledge.cards, self.knowledge.sources)
        return Reply(
            action=Action.ANSWER, category=Category.RISKS, text=text, citations=citations, cards=(card.id,), related=("What does ketamine treatment cost?",),
            writer="extractive", why="stub",
        )


class _Hit:
    def __init__(self, card: Card) -> None:
        self.card, self.similarity = card, 0.9
        self.passage_similarity = tuple(0.8 for _ in card.passages)
        self.lead, self.unanswered = 0, 0.0


def stub_assistant(settings: Settings) -> StubAssistant:
    """The stub, with a handful of real cards."""
    helplines = load_helplines(settings.knowledge_dir / "helplines.yaml")
    sources = load_sources(settings.knowledge_dir / "sources.yaml")
    paths: dict[str, Path] = {p.stem: p for p in (settings.knowledge_dir / "cards").rglob("*.md")}
    cards = {i: parse_card(paths[i].read_text(encoding="utf-8"), paths[i]) for i in CARDS if i in paths}
    gate = Gate(link_hosts(sources, helplines), helplines.numbers())
    replies = Replies(settings.prompts_dir / "replies", helplines)
    made = StubAssistant(Screen(RuleSet(load_rules()), None), None, replies, gate, Knowledge(cards, {}, sources), lambda _v, _h: 1.0)
    made.retriever = object()  # type: ignore[assignment]  # ready, though nothing is searched
    return made
