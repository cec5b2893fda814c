"""A signature holds for exactly the content that was signed, and only then is a card served under the sign-off rule."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from bot.assistant import Knowledge
from bot.review.library import check, read
from bot.review.signoff import SigningFault, sign
from tests.review.conftest import TODAY

CARD = "cards/risks/risks-bladder.md"


def _sign(knowledge: Path, name: str, two: bool = False, card: str = "risks-bladder") -> bool:
    return sign(read(knowledge, TODAY), [card], name, "MD", two)[0].signed


def test_signing_changes_nothing_but_the_signature(knowledge: Path) -> None:
    before = read(knowledge, TODAY).cards["risks-bladder"]
    text = (knowledge / CARD).read_text(encoding="utf-8")
    assert _sign(knowledge, "Dr A. Reviewer")
    after = read(knowledge, TODAY).cards["risks-bladder"]
    assert after.content_hash == before.content_hash
    assert after.signed
    assert not before.signed
    row = after.clinical_signoff[0]
    assert (row.name, row.credential, row.date) == ("Dr A. Reviewer", "MD", TODAY)
    assert check(read(knowledge, TODAY)) == []
    kept = [line for line in (knowledge / CARD).read_text(encoding="utf-8").splitlines() if not line.startswith(("- name", "  credential", "  date", "  content_hash"))]
    assert kept == text.splitlines()


def test_an_edit_voids_the_signature_and_check_says_so(knowledge: Path) -> None:
    _sign(knowledge, "Dr A")
    path = knowledge / CARD
    path.write_text(path.read_text(encoding="utf-8").replace("frequent use", "heavy use"), encoding="utf-8")
    desk = read(knowledge, TODAY)
    assert not desk.cards["risks-bladder"].signed
    faults = [f for f in check(desk) if f.rule == "signoff"]
    assert len(faults) == 1
    assert "void" in faults[0].problem
    assert faults[0].line > 1
    assert _sign(knowledge, "Dr A")
    assert len(read(knowledge, TODAY).cards["risks-bladder"].clinical_signoff) == 1


def test_two_persons(knowledge: Path) -> None:
    assert not _sign(knowledge, "Dr A", two=True)
    assert ["waits for a second person" in f.problem for f in check(read(knowledge, TODAY))] == [True]
    with pytest.raises(SigningFault, match="second person"):
        _sign(knowledge, "dr  a", two=True)
    assert _sign(knowledge, "Dr B", two=True)
    card = read(knowledge, TODAY).cards["risks-bladder"]
    assert [s.name for s in card.clinical_signoff] == ["Dr A", "Dr B"]
    assert {s.content_hash for s in card.clinical_signoff} == {card.content_hash}


def test_what_cannot_be_signed(knowledge: Path) -> None:
    with pytest.raises(SigningFault, match="no card 'nothing'"):
        _sign(knowledge, "Dr A", card="nothing")
    with pytest.raises(SigningFault, match="name and a credential"):
        _sign(knowledge, "  ")
    with pytest.raises(SigningFault, match="expired"):
        sign(read(knowledge, date(2027, 1, 1)), ["regulation-online"], "Dr A", "MD")
    path = knowledge / CARD
    good = path.read_text(encoding="utf-8")
    path.write_text(good.replace("frequent use", "50 mg"), encoding="utf-8")
    with pytest.raises(SigningFault, match="has a fault"):
        _sign(knowledge, "Dr A")
    path.write_text(good, encoding="utf-8")


def test_all_or_none(knowledge: Path) -> None:
    with pytest.raises(SigningFault):
        sign(read(knowledge, TODAY), ["risks-bladder", "nothing"], "Dr A", "MD")
    assert not read(knowledge, TODAY).cards["risks-bladder"].clinical_signoff


def test_cards_may_be_named_by_path(knowledge: Path) -> None:
    assert sign(read(knowledge, TODAY), [str(knowledge / CARD)], "Dr A: the reviewer", "MD, PhD")[0].signed


def test_only_signed_cards_are_served_when_that_is_required(knowledge: Path) -> None:
    _sign(knowledge, "Dr A")
    desk = read(knowledge, TODAY)
    required = Knowledge.on(TODAY, desk.cards, desk.library.sources, require_signoff=True)
    free = Knowledge.on(TODAY, desk.cards, desk.library.sources, require_signoff=False)
    assert set(required.cards) == {"risks-bladder"}
    assert set(free.cards) == set(desk.cards)
    path = knowledge / CARD
    path.write_text(path.read_text(encoding="utf-8").replace("frequent use", "heavy use"), encoding="utf-8")
    assert not Knowledge.on(TODAY, read(knowledge, TODAY).cards, {}, require_signoff=True).cards


def test_a_waiting_card_is_not_served(knowledge: Path) -> None:
    _sign(knowledge, "Dr A", two=True)
    assert not Knowledge.on(TODAY, read(knowledge, TODAY).cards, {}, require_signoff=True).cards
