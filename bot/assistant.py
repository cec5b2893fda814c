"""One turn: screen, retrieve, write, verify. Nothing else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from bot.conversation import ACTION_OF, Action, Block, Category, Conversation, Draft, Reply, Statement
from bot.guardrails import tones, wording
from bot.guardrails.amounts import find_amounts
from bot.guardrails.gate import Gate
from bot.guardrails.screen import Verdict
from bot.helplines import Purpose
from bot.retrieval import places
from bot.retrieval.card import Card, Source
from bot.retrieval.followup import Resolved, resolve
from bot.retrieval.retriever import Hit, Retriever
from bot.writers import extractive, prompting, smalltalk
from bot.writers.generative import Generative, NotWritten, Rewriter
from bot.writers.planted import planted
from bot.writers.render import render
from bot.writers.replies import Replies

log = logging.getLogger("lantern")

# Below this Lantern says that it does not know (evals/calibrate.py sets the score so that one half is the limit).
CONFIDENT = 0.5
# Below this an answer opens by naming the question it answers: of 485 answers to questions of other authors 8% fell under it, 55% of them from the right card (above it 87%).
SURE = 0.85
# Likewise when the visitors who asked alike found no passage that answers them.
UNANSWERED = 0.5
# A second card whose score is this close may be the one meant, so its passage is given too.
CLOSE = 0.03

# A language model also gets the first passages of cards that are about as close to the question as the one that answers it.
NEAR_MODEL = 0.06
NEAR_FLOOR = 0.55
# Sentences to a paragraph of what a model words.
PARAGRAPH = 3


@dataclass(frozen=True)
class Knowledge:
    """What may be said on one day: cards in force, cards withheld because they expired, and all sources."""

    cards: Mapping[str, Card]
    withheld: Mapping[str, Card]
    sources: Mapping[str, Source]

    @classmethod
    def on(cls, day: date, cards: Mapping[str, Card], sources: Mapping[str, Source], require_signoff: bool) -> Knowledge:
        """Sort the cards by whether they may be used on `day`. A card that holds an order to a program is left out (R-38)."""
        usable = {i: c for i, c in cards.items() if (c.signed or not require_signoff) and not _tampered(c, sources)}
        return cls(
            {i: c for i, c in usable.items() if not c.expired(day)}, {i: c for i, c in usable.items() if c.expired(day)}, sources
        )


@dataclass(frozen=True)
class Composed:
    """An extractive reply, ready to be given, and what it takes to let a language model word it instead.

    Attributes:
        lead, end: fixed texts around what is worded.
        closing: how sure this is and what to ask, which stay the card's own.
    """

    reply: Reply
    task: prompting.Task
    lead: str = ""
    end: str = ""
    closing: tuple[Block, ...] = ()

    def draft(self, statements: Sequence[Statement], closing: tuple[Block, ...] = ()) -> Draft:
        """The worded statements in short paragraphs."""
        blocks = [Block(statements=tuple(statements[i : i + PARAGRAPH])) for i in range(0, len(statements), PARAGRAPH)]
        return Draft(blocks=(*([Block(lead=self.lead)] if self.lead else ()), *blocks, *closing), writer="generative")


def _place(conversation: Conversation, text: str) -> extractive.Place | None:
    """Where the visitor is: what the message names, else the country that they chose."""
    if asked := places.named(text):
        return extractive.Place(asked, True)
    chosen = places.region(conversation.country)
    return extractive.Place(chosen, False) if chosen else None


class Assistant:
    """Answers conversations.

    Args:
        confidence: calibrated probability that the hits cover the question, given (verdict, hits).
        retriever: None when the index is missing; crisis, refusal and small talk still work.
        writer: words answers with a language model; None: answers are composed from passages.
        rewriter: writes a follow-up as a question that stands alone, for the search.
    """

    def __init__(
        self, screen: Callable[[Conversation], Verdict], retriever: Retriever | None, replies: Replies, gate: Gate, knowledge: Knowledge,
        confidence: Callable[[Verdict, Sequence[Hit]], float], writer: Generative | None = None, rewriter: Rewriter | None = None,
    ) -> None:
        self.writer, self._rewriter = writer, rewriter
        self.screen, self.retriever, self.replies, self.gate, self.knowledge = screen, retriever, replies, gate, knowledge
        self._confidence = confidence
        self._titles = {i: c.title for i, c in knowledge.cards.items()}
        self.failures = 0

    def reply(self, conversation: Conversation) -> Reply:
        """The reply to the last message. Never raises: a failure becomes a safe reply with human help."""
        return next(part for part in self.stream(conversation) if isinstance(part, Reply))

    def stream(self, conversation: Conversation) -> Iterator[str | Reply]:
        """Verified Markdown as a language model words it, then the reply, which replaces what came before it.

        Without a model there is the reply alone.
        """
        try:
            verdict = self.screen(conversation)
        except Exception:
            yield self._failed(conversation, "screen")
            return
        try:
            made = self._answer(conversation, verdict)
        except Exception:
            fixed = verdict.action in (Action.CRISIS, Action.REFUSE)
            yield self._fixed(conversation, verdict, verdict.category.value) if fixed else self._failed(conversation, "answer")
            return
        if isinstance(made, Composed):
            made = (yield from self._worded(conversation, verdict, made)) if self.writer else made.reply
        yield self._checked(conversation, verdict, made)

    def _worded(self, conversation: Conversation, verdict: Verdict, made: Composed) -> Generator[str, None, Reply]:
        """The model's wording, each sentence as soon as the gate has passed it; the extractive reply when there is none."""
        assert self.writer is not None
        given: list[Statement] = []
        shown = ""
        try:
            for statement in self.writer.write(made.task, self.gate.held):
                given.append(statement)
                text, _ = render(made.draft(given), self.knowledge.cards, self.knowledge.sources)
                text = self._reminders(conversation, verdict, made.reply) + text
                yield text[len(shown) :]
                shown = text
        except NotWritten as err:
            return made.reply.model_copy(update={"why": f"{made.reply.why}; model: {err.why}"})
        except Exception:
            self.failures += 1
            log.exception("turn failed in the model's writer")
            return made.reply
        text, citations = render(made.draft(given, made.closing), self.knowledge.cards, self.knowledge.sources)
        text = f"{text}\n\n{made.end}" if made.end else text
        if faults := self.gate.faults(text):
            return made.reply.model_copy(update={"why": f"{made.reply.why}; model: {faults[0].split(':')[0]} in the whole"})
        cited = [i for i in made.reply.cards if i in {s.card for s in given}] or list(made.reply.cards[:1])
        return made.reply.model_copy(update={
            "text": text, "citations": citations, "writer": "generative",
            "cards": tuple(dict.fromkeys([*cited, *(s.card for s in given), *(c.card for c in citations)]))})

    def _checked(self, conversation: Conversation, verdict: Verdict, reply: Reply) -> Reply:
        try:
            return self._released(conversation, verdict, reply)
        except Exception:
            # Fixed crisis texts are checked by the tests; anything else is not shown unchecked.
            return reply if verdict.action is Action.CRISIS and reply.writer == "fixed" else self._failed(conversation, "gate")

    def _failed(self, conversation: Conversation, stage: str) -> Reply:
        self.failures += 1
        log.exception("turn failed in %s", stage)
        return Reply(
            action=Action.ABSTAIN, category=Category.NOT_COVERED, text=self.replies.text("error", country=conversation.country), why=f"failure in {stage}"
        )

    def _answer(self, conversation: Conversation, verdict: Verdict) -> Reply | Composed:
        if not any(c.isalnum() for c in verdict.text):
            return self._fixed(conversation, verdict, "empty", category=Category.SMALLTALK)
        if verdict.language != "en" and (foreign := self._foreign(conversation, verdict)):
            return foreign
        match verdict.action:
            case Action.CRISIS | Action.REFUSE:
                return self._fixed(conversation, verdict, self._reply_name(verdict))
            case Action.SMALLTALK:
                return self._fixed(conversation, verdict, smalltalk.kind(verdict.text))
            case Action.SUPPORT:
                return self._support(conversation, verdict)
            case Action.ABSTAIN if verdict.category is Category.OFF_TOPIC and self.retriever is None:
                return self._fixed(conversation, verdict, "off_topic")
            case _:
                return self._from_cards(conversation, verdict)

    def _reply_name(self, verdict: Verdict) -> str:
        name = f"{verdict.category.value}_{verdict.tone}" if verdict.tone else verdict.category.value
        return name if name in self.replies.names else verdict.category.value

    def _turn(self, conversation: Conversation) -> int:
        return len(conversation.earlier)

    def _fixed(self, conversation: Conversation, verdict: Verdict, name: str, category: Category | None = None) -> Reply:
        chosen = category or verdict.category
        purpose: Purpose = "poison" if chosen is Category.MEDICAL_EMERGENCY else "crisis"
        text = self.replies.text(name, self._turn(conversation), conversation.country, purpose)
        if verdict.minor and chosen in (Category.SELF_HARM, Category.DISTRESS):
            text += "\n\nIf you are under 18, tell a trusted adult today."
        return Reply(action=ACTION_OF[chosen], category=chosen, text=text, related=self._offers(chosen), why=verdict.why)

    def _offers(self, category: Category) -> tuple[str, ...]:
        """What Lantern can tell instead, as titles of cards in force."""
        return tuple(self._titles[i] for i in self.replies.offers(category.value) if i in self._titles)

    def _foreign(self, conversation: Conversation, verdict: Verdict) -> Reply | None:
        """A fixed reply in the visitor's language, or None to go on in English."""
        name = {Category.SELF_HARM: "crisis", Category.HARM_TO_OTHERS: "harm", Category.MEDICAL_EMERGENCY: "emergency"}.get(verdict.category)
        if verdict.action is Action.REFUSE:
            name = "refuse"
        purpose: Purpose = "poison" if name == "emergency" else "crisis"
        text = self.replies.translated(verdict.language, name or "english_only", conversation.country, purpose)
        if text is None:
            return None
        category = verdict.category if name or verdict.action in (Action.DEFER, Action.SUPPORT, Action.SMALLTALK) else Category.NOT_COVERED
        return Reply(action=ACTION_OF[category], category=category, text=text, why=f"{verdict.why}; language {verdict.language}")

    def _support(self, conversation: Conversation, verdict: Verdict) -> Reply:
        name = "panic" if verdict.tone == "panic" else "distress"
        fixed = self._fixed(conversation, verdict, name)
        if self.retriever is None:
            return fixed
        hits = self.retriever.search(verdict.text, verdict.topics)
        if not hits or hits[0].similarity < NEAR_FLOOR or hits[0].card.topic == "help":
            return fixed
        card = hits[0].card
        draft = self.gate.release(Draft(blocks=(Block(lead="This may help to know:"), extractive.passage_block(card, card.passages[0])))).draft
        if not draft.statements:
            return fixed
        passage, citations = render(draft, self.knowledge.cards, self.knowledge.sources)
        return fixed.model_copy(update={
            "text": f"{fixed.text}\n\n{passage.replace(chr(10) * 2, ' ')}", "citations": citations, "cards": (card.id,),
            "related": extractive.related_questions(hits, {card.id}, self._titles),
        })

    def _from_cards(self, conversation: Conversation, verdict: Verdict) -> Reply | Composed:
        defer = verdict.action is Action.DEFER
        if verdict.minor and (defer or verdict.category in _TREATMENT):
            return self._minor(conversation, verdict)
        if verdict.tone == "psychosis":
            return self._fixed(conversation, verdict, "psychosis")
        if self.retriever is None:
            if defer:
                return self._fixed(conversation, verdict, "personal_medical_bare")
            return Reply(action=Action.ABSTAIN, category=Category.NOT_COVERED, text=self.replies.text("error", country=conversation.country), why="no index")
        resolved = resolve(verdict.text, verdict.usable)
        hits = self.retriever.search(resolved.readings, verdict.topics)
        confidence = self._confidence(verdict, hits)
        if defer:
            return self._defer(conversation, verdict, hits)
        if confidence < CONFIDENT:
            if verdict.category is Category.OFF_TOPIC:
                return self._fixed(conversation, verdict, "off_topic")
            return self._abstain(conversation, verdict, hits, confidence)
        if (expired := self._withheld(resolved, verdict, hits)) is not None:
            return expired
        return self._compose(conversation, verdict, resolved, hits, confidence)

    def _parts(self, resolved: Resolved, verdict: Verdict, hits: Sequence[Hit]) -> list[Hit]:
        """The card for each part of a two-part question."""
        assert self.retriever is not None
        pieces = extractive.question_parts(resolved.query) if not resolved.carried else [resolved.query]
        if len(pieces) < 2:
            return [hits[0]]
        found: list[Hit] = []
        for i, piece in enumerate(pieces):
            best = self.retriever.search(resolve(piece, pieces[:i]).readings, k=1)
            if best and best[0].similarity > NEAR_FLOOR and best[0].card.id not in {f.card.id for f in found}:
                found.append(best[0])
        return found[:2] or [hits[0]]

    def _searched_again(self, resolved: Resolved, verdict: Verdict, hits: Sequence[Hit]) -> Sequence[Hit]:
        """The hits for the question as a model writes it out. It may change which card answers, never what the turn does."""
        assert self.retriever is not None
        if self._rewriter is None or not resolved.carried or not (text := self._rewriter(verdict.text, verdict.usable)):
            return hits
        if self.screen(Conversation.of(text)).action is not Action.ANSWER:
            return hits
        return self.retriever.search([*((t, w / 2) for t, w in resolved.readings), (text, 0.5)], verdict.topics)

    def _task(self, question: str, earlier: tuple[str, ...], parts: Sequence[Hit], hits: Sequence[Hit], mode: str) -> prompting.Task:
        """What a model is given: the passages of the cards that answer, and the first ones of cards that are as close."""
        ids = {p.card.id for p in parts}
        near = [h for h in hits if h.card.id not in ids and h.similarity >= max(NEAR_FLOOR, parts[0].similarity - NEAR_MODEL)][:2]
        chosen = [(p.card, range(min(6, len(p.card.passages)))) for p in parts] + [(h.card, range(min(2, len(h.card.passages)))) for h in near]
        return prompting.Task(question, prompting.number(chosen), earlier, mode)

    def _compose(self, conversation: Conversation, verdict: Verdict, resolved: Resolved, hits: Sequence[Hit], confidence: float) -> Reply | Composed:
        hits = self._searched_again(resolved, verdict, hits)
        parts = self._parts(resolved, verdict, hits)
        alone = len(parts) == 1
        unsure = alone and (confidence < SURE or parts[0].unanswered > UNANSWERED)
        nearest = self.replies.text("nearest", self._turn(conversation), title=parts[0].card.title) if unsure else ""
        lead = f"{self._kind_word(verdict.text, self._turn(conversation))} {nearest}".strip()
        best = alone and parts[0].card is hits[0].card and resolved.mode == "normal"
        place = _place(conversation, verdict.text)
        also = [h for h in hits[1:2] if best and hits[0].score - h.score < CLOSE]
        draft = extractive.compose(parts, hits, self._titles, resolved.mode, lead, also=also, yes_or_no=extractive.asks_yes_or_no(resolved.query), place=place, abroad=self._abroad(place, conversation))
        released = self.gate.release(draft)
        if not released.draft.statements:
            return Reply(action=Action.ABSTAIN, category=Category.NOT_COVERED, text=self.replies.text("not_covered"), why=f"gate: {released.dropped[:1]}")
        text, citations = render(released.draft, self.knowledge.cards, self.knowledge.sources)
        category = Category(parts[0].card.topic)
        reply = Reply(
            action=Action.ANSWER, category=category, text=text, citations=citations, cards=tuple(p.card.id for p in (*parts, *also)),
            related=released.draft.related, writer="extractive", why=f"{verdict.why}; card {parts[0].card.id} {parts[0].similarity:.2f}",
        )
        closing = tuple(b for b in released.draft.blocks if b.lead.startswith("**"))
        return Composed(reply, self._task(verdict.text, verdict.usable if resolved.carried else (), parts, hits, resolved.mode), lead, closing=closing)

    def _abroad(self, place: extractive.Place | None, conversation: Conversation) -> str:
        """Whom to call outside the United States: in the country that the visitor chose, or else in the one that the message names."""
        named = place.name if place and place.name in self.replies.helplines.countries else ""
        country = (conversation.country or named).upper()
        return self.replies.text("abroad", country=country) if country not in ("", "US") else ""

    def _kind_word(self, text: str, turn: int) -> str:
        """How the answer to somebody who tells of a loss or a hard time opens."""
        name = next((n for n in ("loss", "hard") if tones.has(n, text)), None)
        return self.replies.text(name, turn) if name else ""

    def _defer(self, conversation: Conversation, verdict: Verdict, hits: Sequence[Hit]) -> Reply | Composed:
        turn = self._turn(conversation)
        if not hits or hits[0].similarity < 0.45:
            return self._fixed(conversation, verdict, "personal_medical_bare")
        lead = self.replies.text("dependence" if verdict.tone == "dependence" else "personal_medical", turn, conversation.country)
        draft = self.gate.release(extractive.compose(hits[:1], hits, self._titles, lead=lead, brief=True, yes_or_no=False, place=_place(conversation, verdict.text))).draft
        if not draft.statements:
            return self._fixed(conversation, verdict, "personal_medical_bare")
        text, citations = render(draft, self.knowledge.cards, self.knowledge.sources)
        end = self.replies.text("personal_medical_end", turn, conversation.country)
        if verdict.tone == "dependence":
            end += "\n\nFree help with substance use:\n" + self.replies.helplines.lines(conversation.country, "substance")
        reply = Reply(
            action=Action.DEFER, category=Category.PERSONAL_MEDICAL, text=f"{text}\n\n{end}", citations=citations, cards=(hits[0].card.id,),
            related=draft.related, writer="extractive", why=verdict.why,
        )
        return Composed(reply, self._task(verdict.text, (), hits[:1], (), "normal"), lead=lead, end=end)

    def _abstain(self, conversation: Conversation, verdict: Verdict, hits: Sequence[Hit], confidence: float) -> Reply:
        nearest = tuple(h.card.title for h in hits[:3])
        text = self.replies.text("not_covered", self._turn(conversation))
        bullets = "\n".join(f"- {title}" for title in nearest)
        return Reply(
            action=Action.ABSTAIN, category=Category.NOT_COVERED, text=f"{text}\n\n{bullets}" if bullets else text, related=nearest,
            why=f"{verdict.why}; confidence {confidence:.2f}",
        )

    def _withheld(self, resolved: Resolved, verdict: Verdict, hits: Sequence[Hit]) -> Reply | None:
        """Say that information is out of date when an expired card fits the question best."""
        assert self.retriever is not None
        if not self.knowledge.withheld:
            return None
        best = self.retriever.nearest(resolved.query, self.knowledge.withheld)
        if best is None or best[1] <= hits[0].similarity:
            return None
        card = self.knowledge.withheld[best[0]]
        source = next((self.knowledge.sources[s] for s in card.source_ids if s in self.knowledge.sources), None)
        text = self.replies.text("expired", url=source.url if source else "")
        return Reply(
            action=Action.ABSTAIN, category=Category.NOT_COVERED, text=f"{text}\n\n**Question:** {card.title}",
            related=tuple(h.card.title for h in hits[:2]), why=f"card {card.id} expired on {card.expires_on}",
        )

    def _minor(self, conversation: Conversation, verdict: Verdict) -> Reply:
        name = "minor_personal" if verdict.action is Action.DEFER else "minor_treatment"
        text = self.replies.text(name, 0, conversation.country, "youth")
        return Reply(action=ACTION_OF[verdict.category], category=verdict.category, text=text, related=("What is anxiety?",), why=f"{verdict.why}; minor")

    def _reminders(self, conversation: Conversation, verdict: Verdict, reply: Reply) -> str:
        """What stands before any reply: the reminder after an earlier crisis, and a word to a minor."""
        before = ""
        if verdict.remembers and reply.action is not Action.CRISIS:
            before = self.replies.text("sticky", self._turn(conversation), conversation.country) + "\n\n"
        if verdict.minor and reply.action in (Action.ANSWER, Action.DEFER) and "minor" not in reply.why:
            before = self.replies.text("minor", 0, conversation.country, "youth") + "\n\n" + before
        return before

    def _released(self, conversation: Conversation, verdict: Verdict, reply: Reply) -> Reply:
        """The last look at the finished text, and the reminder after an earlier crisis."""
        if reminders := self._reminders(conversation, verdict, reply):
            reply = reply.model_copy(update={"text": reminders + reply.text})
        names = (name for c in reply.citations for name in (c.title, c.source))
        if faults := self.gate.faults(reply.text) or [fault for name in names if (fault := _name_fault(name))]:
            if reply.action is Action.CRISIS and reply.writer == "fixed":
                log.error("a fixed crisis text has a fault, and is shown because help matters more: %s", faults[0])
                return reply
            log.error("the gate replaced a reply: %s", faults[0])
            return reply.model_copy(update={
                "text": self.replies.text("withheld"), "citations": (), "cards": (), "related": (), "writer": "fixed", "why": f"gate: {faults[0]}"})
        return reply


def _tampered(card: Card, sources: Mapping[str, Source]) -> bool:
    names = [f"{s.title}\n{s.authors_or_body}" for i in card.source_ids if (s := sources.get(i))]
    order = planted("\n".join([card.title, *card.questions, *card.ask, *(s.text for s in card.sentences()), *names]))
    if order:
        log.error("card %s is left out: it, or a source of it, holds an order to a program: %s", card.id, order)
    return order is not None


@lru_cache(maxsize=4_000)
def _name_fault(name: str) -> str | None:
    """Why the name of a card or a source may not be shown. The whole gate would take the number of a record for a telephone's."""
    if amounts := find_amounts(name):
        return f"amount: {amounts[0].text}"
    found = wording.VENDOR.search(name)
    return f"vendor: {found[0]}" if found else next((f"html: {h}" for h in wording.raw_html(name)), None)


_TREATMENT = (Category.MECHANISMS, Category.EVIDENCE, Category.CONSULTATION, Category.REGULATION, Category.RISKS)
