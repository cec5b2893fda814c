"""`lantern knowledge sign`: a clinician's name under exactly this content of a card.

The signature holds the card's content hash, so any later edit voids it. With the two-person rule the first
signature waits (its hash carries a prefix, so the card does not count as signed) until a second person signs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import yaml

from bot.retrieval.card import Card, KnowledgeError, SignOff, parse_card
from bot.review import DeskFault
from bot.review.library import Desk
from bot.review.library import check as check_desk
from bot.review.lint import PENDING

_BLOCK = re.compile(r"(?m)^clinical_signoff:.*\n(?:(?:[ ]+.*|- .*)\n)*")


class SigningFault(DeskFault):
    """Why a card cannot be signed; the message says what to do."""


def _same(a: str, b: str) -> bool:
    return " ".join(a.casefold().split()) == " ".join(b.casefold().split())


def signatures(card: Card, name: str, credential: str, today: date, two: bool) -> list[SignOff]:
    """The sign-offs of `card` after `name` signs; void ones are dropped.

    Raises:
        SigningFault: when this person already signed this content, or no name or credential is given.
    """
    if not name.strip() or not credential.strip():
        raise SigningFault(f"{card.id}: give a name and a credential, such as --name “Dr A. Reviewer” --credential MD")
    held = [s for s in card.clinical_signoff if s.content_hash in (card.content_hash, PENDING + card.content_hash)]
    if any(_same(s.name, name) for s in held):
        raise SigningFault(f"{card.id}: {name} already signed this content" + ("; a second person must sign" if two else ""))
    waits = two and not held
    held = [s.model_copy(update={"content_hash": card.content_hash}) for s in held]
    return [*held, SignOff(name=name.strip(), credential=credential.strip(), date=today, content_hash=(PENDING if waits else "") + card.content_hash)]


def write(path: Path, rows: Sequence[SignOff]) -> None:
    """Replace the sign-offs in a card's front matter; nothing else of the file changes."""
    text = path.read_text(encoding="utf-8")
    block = "clinical_signoff:\n" + (
        yaml.safe_dump([r.model_dump() for r in rows], sort_keys=False, allow_unicode=True, width=10_000) if rows else ""
    )
    front, fence, body = text.removeprefix("---\n").partition("\n---\n")
    front += "\n"
    new = _BLOCK.sub(lambda _: block, front, count=1) if _BLOCK.search(front) else front + block
    path.write_text("---\n" + new.rstrip("\n") + fence + body, encoding="utf-8")


def sign(desk: Desk, cards: Sequence[str], name: str, credential: str, two: bool = False) -> list[Card]:
    """Sign cards, given by id or by path; all of them or, when one cannot be signed, none.

    Returns:
        The cards as they now stand.

    Raises:
        SigningFault: for an unknown, faulty or expired card, or a second signature by the same person.
    """
    paths = {p.stem: p for p in (desk.folder / "cards").rglob("*.md")}
    errors = {f.path: f for f in check_desk(desk) if f.severity == "error"}
    planned: list[tuple[Path, list[SignOff]]] = []
    for ref in dict.fromkeys(Path(c).stem for c in cards):
        card = desk.cards.get(ref)
        if card is None:
            raise SigningFault(f"no card '{ref}' could be read. Run:  lantern knowledge check")
        if fault := errors.get(card.path):
            raise SigningFault(f"{ref} has a fault; mend it first: {fault}")
        if card.expired(desk.library.today):
            raise SigningFault(f"{ref} expired on {card.expires_on}; update it first")
        planned.append((paths[ref], signatures(card, name, credential, desk.library.today, two)))
    signed = []
    for path, rows in planned:
        before = parse_card(path.read_text(encoding="utf-8"), path)
        write(path, rows)
        after = parse_card(path.read_text(encoding="utf-8"), path)
        if after.content_hash != before.content_hash:
            raise KnowledgeError(path, "clinical_signoff", "writing the signature changed the card", "Restore the file and report this")
        signed.append(after)
    return signed
