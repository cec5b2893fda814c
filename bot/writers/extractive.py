"""The default writer: composes a reply from vetted passages, each sentence with its citation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.conversation import Block, Draft, Statement
from bot.guardrails.gate import NEGATION
from bot.retrieval.card import Card, Passage, Sentence
from bot.retrieval.places import holds_in

WORDS = 105
MORE_WORDS = 190
ENOUGH = 125  # with the words on how sure it is; the question for the clinician and an opening come on top (R-52: about 150)
MOST = 145  # the question for the clinician is left out where it would make the answer longer than this
# A further passage joins the leading one only if it is about as close to the question as the closest one.
NEAR = 0.12
FLOOR = 0.30
SOONER = 0.05
# A passage on where the visitor is joins unless it is this much further from the question than the closest one.
HERE = 0.25
# A passage of whose longer words more than this share was just shown mostly repeats them; a safety line must be nearly whole there already.
SAID = 0.5
SAFETY_SAID = 0.7
FITS = 0.3  # a sentence on how sure a card is speaks of what is shown when this share of its longer words does
_US_NUMBER = re.compile(r"\b(?:988|911)\b")
_LONGER = re.compile(r"\w{5,}")
ALSO = "**You may also be asking: {title}**"
KEEP, HOW_SURE, ASK = "**Keep in mind:**", "**How sure is this?**", "**Worth asking your clinician:**"
# "Yes" or the like at the head of a passage answers its card's title, and the words that may not follow it when it goes.
_OPENING = re.compile(
    r"^(?:(?:(?:Often|Usually|Sometimes),? )?(?:yes|no)|Not (?:always|really|by itself)|Perhaps|(?:They|It|There) (?:may|might|can|do|does)(?: be)?|Hardly at all)"
    r"(?:\. |, (?!(?:and|but|though|if|only|not|because|as|so|or|with|at|to|when|unless|until|in)\b))(?=\w)", re.I)
# A question that a yes or a no answers: a verb opens it or one of its clauses.
_YES_OR_NO = re.compile(
    r"(?:^|[.!?,;:\n]\s*|\b(?:so|and|but|or|if|whether|hi|hello|well|ok)\s+)(?:is|are|was|were|am|do|does|did|can|could|will|would|should|has|have|had|may|might"
    r"|isn'?t|aren'?t|don'?t|doesn'?t|can'?t|won'?t)\b", re.I)


class Found(Protocol):
    """What the writer needs of a retrieved card."""

    @property
    def card(self) -> Card: ...
    @property
    def similarity(self) -> float: ...
    @property
    def passage_similarity(self) -> tuple[float, ...]: ...
    @property
    def lead(self) -> int: ...


def _statements(card: Card, sentences: Sequence[Sentence], support: str) -> tuple[Statement, ...]:
    return tuple(Statement(text=s.text, card=card.id, sources=s.sources, support=support, certainty=card.certainty) for s in sentences)


def passage_block(card: Card, passage: Passage, plain: bool = False) -> Block:
    """A passage as statements that rest on it; `plain`: without a yes or no at its head."""
    return Block(statements=_statements(card, bare(passage.sentences) if plain else passage.sentences, passage.text))


def _kept(cards: Sequence[Card], blocks: Sequence[Block], abroad: str = "") -> list[Block]:
    """What no answer from these cards may lack, unless the blocks say it; `abroad` stands for the numbers of the United States where they do not hold."""
    shown = _shown(blocks)
    lacking = [c for c in cards if c.keep and _said(_joined(c.keep), shown) < SAFETY_SAID]
    statements = tuple(s for c in lacking for s in _statements(c, c.keep, _joined(c.keep)))
    here = tuple(s for s in statements if not (abroad and _US_NUMBER.search(s.text)))
    kept = [Block(lead=KEEP, statements=here)] if here else []
    return kept if len(here) == len(statements) else [*kept, Block(lead=abroad if here else f"{KEEP} {abroad}")]


def _fitting(sentences: Sequence[Sentence], blocks: Sequence[Block], most: int) -> list[Sentence]:
    """The sentences on how sure a card is that speak of what the blocks say; at least one."""
    shown = _shown(blocks)
    shares = [_said(s.text, shown) for s in sentences]
    chosen = sorted(range(len(sentences)), key=lambda i: -shares[i])[:most]
    return [s for i, s in enumerate(sentences) if i in chosen and shares[i] >= min(FITS, max(shares))]


def _length(blocks: Sequence[Block]) -> int:
    return sum(len(text.split()) for text in _shown(blocks))


def _shown(blocks: Sequence[Block]) -> list[str]:
    return [s.text for b in blocks for s in b.statements]


def _joined(sentences: Sequence[Sentence]) -> str:
    return " ".join(s.text for s in sentences)


def _said(text: str, before: Sequence[str]) -> float:
    """The share of a text's longer words that stand in those before it."""
    words = _LONGER.findall(text.lower())
    known = {w for other in before for w in _LONGER.findall(other.lower())}
    return sum(w in known for w in words) / len(words) if words else 1.0


def bare(sentences: Sequence[Sentence]) -> tuple[Sentence, ...]:
    """A passage without a "Yes" or "No" at its head, for where it would answer another question than its card's title."""
    first, *rest = sentences
    opening = _OPENING.match(f"{first.text} x")
    if not opening:
        return tuple(sentences)
    remaining = first.text[opening.end() :]
    if re.search(r"\bno\b", opening[0], re.I) and not NEGATION.search(remaining or (rest[0].text if rest else "")):
        return tuple(sentences)  # without its "No" it would say the opposite
    head = (first.model_copy(update={"text": remaining[0].upper() + remaining[1:]}),) if remaining else ()
    return (*head, *rest) or tuple(sentences)


def asks_yes_or_no(question: str) -> bool:
    """Whether a yes or a no would answer `question`."""
    return _YES_OR_NO.search(question) is not None


@dataclass(frozen=True)
class Place:
    """Where the visitor is, as bot/retrieval/places.py calls it; `asked`: the question itself names it."""

    name: str
    asked: bool


def _with_place(found: Found, place: Place | None) -> list[int]:
    """The leading passage and, where another is about the visitor's country, that one beside it: first if the question names the country."""
    near = found.passage_similarity
    here = [i for i, p in enumerate(found.card.passages) if place and holds_in(p.text, place.name)]
    if place is None or not here or found.lead in here:
        return [found.lead]
    nearest = max(here, key=near.__getitem__)
    if near[nearest] < max(near) - HERE:
        return [found.lead]
    return [nearest, found.lead] if place.asked else [found.lead, nearest]


def choose(found: Found, budget: int, whole: bool = False, place: Place | None = None) -> list[int]:
    """Which passages of a card to show, as positions, in the order to show them.

    The one that answers the question leads, with the one on the visitor's country. Further passages follow, in the card's order and the main message a little
    sooner than others, if they are close to the question, fit the budget and do not say again what is said; or, if
    the `whole` card is wanted, if they fit the budget.
    """
    passages, near = found.card.passages, found.passage_similarity
    fixed = _with_place(found, place)
    chosen = list(fixed)
    words = sum(len(passages[i].text.split()) for i in chosen)
    rest = [i for i in sorted(range(len(passages)), key=lambda i: (i > 0, -near[i])) if i not in fixed]
    best = max(near)
    for i in rest:
        length = len(passages[i].text.split())
        close = near[i] + (SOONER if i == 0 else 0) >= max(FLOOR, best - NEAR) or (chosen == [found.lead] and words < 45)
        wanted = whole or (close and _said(passages[i].text, [passages[j].text for j in chosen]) <= SAID)
        if words + length <= budget and wanted:
            chosen.append(i)
            words += length
    return [*fixed, *sorted(chosen[len(fixed) :])]


def related_questions(found: Sequence[Found], used: set[str], titles: dict[str, str], limit: int = 3) -> tuple[str, ...]:
    """Titles of the cards worth reading next: those the main card names, then other hits."""
    names = [r for f in found[:1] for r in f.card.related] + [f.card.id for f in found[1:]]
    return tuple(titles[n] for n in dict.fromkeys(names) if n in titles and n not in used)[:limit]


def compose(
    parts: Sequence[Found], others: Sequence[Found], titles: dict[str, str], mode: str = "normal", lead: str = "", brief: bool = False,
    also: Sequence[Found] = (), yes_or_no: bool = True, place: Place | None = None,
    abroad: str = "",
) -> Draft:
    """Write an answer.

    Args:
        parts: the card for each part of the question, the first part first.
        others: further hits, for related questions.
        mode: "normal", "more" (the rest of the card) or "simpler" (its simpler wording, when it has one).
        lead: a fixed opening, such as a deferral.
        brief: leave out certainty and next step (the caller adds its own close).
        also: a card that may be the one meant, if any; the passage that answers best follows under its title.
        yes_or_no: whether a yes or a no answers the question; else a passage that opens with one goes without it.
        place: where the visitor is, if known.
        abroad: whom to call there, when the numbers of the United States do not hold.
    """
    main = parts[0].card
    blocks: list[Block] = [Block(lead=lead)] if lead else []
    second = [passage_block(a.card, a.card.passages[a.lead]).model_copy(update={"lead": ALSO.format(title=a.card.title)}) for a in also]
    if mode == "simpler" and main.simpler:
        blocks.append(Block(statements=_statements(main, main.simpler, _joined(main.simpler))))
    else:
        budget = MORE_WORDS if mode == "more" else WORDS - len(lead.split())
        budget -= _length(second) + sum(len(b.lead.split()) for b in second) + sum(len(s.text.split()) for s in main.keep)
        for i, part in enumerate(parts):
            share = budget if len(parts) == 1 else budget // len(parts) + 10
            for j, position in enumerate(choose(part, share, whole=mode == "more", place=place)):
                if i and j and _length(blocks) > budget:
                    continue
                blocks.append(passage_block(part.card, part.card.passages[position], plain=j > 0 or not yes_or_no))
    blocks += second
    sure = main.sure if mode == "more" else _fitting(main.sure, blocks, 1 if also else 2)
    blocks += _kept([p.card for p in parts], blocks, abroad)
    if mode != "more" and _length(blocks) + sum(len(s.text.split()) for s in sure) > ENOUGH:
        sure = sure[:1]
    if not brief:
        if sure and mode != "simpler":
            blocks.append(Block(lead=HOW_SURE, statements=_statements(main, sure, _joined(main.sure))))
        if main.ask:
            ask = Block(lead=f"{ASK} {max(main.ask, key=lambda question: _said(question, _shown(blocks)))}")
            if mode == "more" or sum(len(b.lead.split()) for b in [*blocks, ask]) + _length(blocks) <= MOST:
                blocks.append(ask)
    used = {p.card.id for p in (*parts, *also)}
    return Draft(blocks=tuple(blocks), related=related_questions([*parts, *others], used, titles))


_SPLIT = re.compile(r"(?<=\?)\s+|\s+(?:and|also|plus)\s+(?=(?:how|what|why|is|are|does|do|can|will|who|where|when|should)\b)|\n+", re.I)

_JOINS = re.compile(r"^(?:and|also|plus)\b[\s,:-]*(?=\S+ \S+ \S)", re.I)  # what joins a part to the one before says nothing about it


def question_parts(message: str) -> list[str]:
    """Split a two-part question; a single one comes back as it is."""
    pieces = [_JOINS.sub("", p.strip()) for p in _SPLIT.split(message) if len(p.split()) >= 3]
    asking = [p for p in pieces if p.endswith("?") or re.match(r"(?:how|what|why|is|are|does|do|can|will|who|where|when|should)\b", p, re.I)]
    return asking[:3] if len(asking) >= 2 else [message]
