"""Cards: what the parser accepts, and how it names file, line, field and remedy when it does not."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path

import pytest

from bot.retrieval.card import Card, KnowledgeError, SignOff, Source, load_cards, load_queries, load_sources, parse_card, split_sentences

GOOD = """---
id: risks-test
title: Can ketamine harm the test?
topic: risks
questions:
  - one question
  - two questions
  - three questions
certainty: limited
related: [risks-bladder]
sources_checked: 2026-11-21
review_by: 2027-05-21
clinical_signoff:
---
Yes. It can. [^a][^b] Not always. [^a]

A second passage. [^c]
## How sure is this?
Not very. [^a]
## Worth asking your clinician
- How will you check?
## In simpler words
It can hurt. [^b]
"""


def change(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new, 1)


def test_a_good_card() -> None:
    card = parse_card(GOOD, "risks-test.md")
    assert [s.text for s in card.passages[0].sentences] == ["Yes. It can.", "Not always."]
    assert card.passages[0].sentences[0].sources == ("a", "b")
    assert card.passages[1].text == "A second passage."
    assert [s.text for s in card.sure] == ["Not very."]
    assert card.ask == ("How will you check?",)
    assert [s.text for s in card.simpler] == ["It can hurt."]
    assert card.source_ids == ("a", "b", "c")
    assert not card.signed


FAULTS = {
    "no front matter": ("Just text. [^a]", "front matter", "Start the file with ---"),
    "bad yaml": (change("certainty: limited", "certainty: [limited"), "front matter", "Quote values"),
    "colon in title": (change("Can ketamine harm the test?", "Ketamine: the test"), "front matter", "Quote values"),
    "missing topic": (change("topic: risks\n", ""), "topic", "docs/knowledge.md"),
    "unknown topic": (change("topic: risks", "topic: cooking"), "topic", "docs/knowledge.md"),
    "unknown certainty": (change("certainty: limited", "certainty: sure"), "certainty", "docs/knowledge.md"),
    "too few questions": (change("  - three questions\n", ""), "questions", "docs/knowledge.md"),
    "unknown field": (change("certainty: limited", "certainty: limited\ncolour: red"), "colour", "docs/knowledge.md"),
    "bad date": (change("review_by: 2027-05-21", "review_by: soon"), "review_by", "docs/knowledge.md"),
    "bad id": (change("id: risks-test", "id: Risks Test"), "id", "docs/knowledge.md"),
    "short title": (change("Can ketamine harm the test?", "Test"), "title", "docs/knowledge.md"),
    "no citation": (change("A second passage. [^c]", "A second passage."), "body", "[^source-id]"),
    "text after the last citation": (change("A second passage. [^c]", "A second passage. [^c] And more."), "body", "[^source-id]"),
    "no body": (GOOD.split("---\nYes")[0] + "---\n", "passages", "docs/knowledge.md"),
    "unknown heading": (change("## In simpler words", "## Dosing"), "body", "Use one of"),
    "bad sign-off": (change("clinical_signoff:", "clinical_signoff: [{name: A}]"), "clinical_signoff", "docs/knowledge.md"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_names_file_line_field_and_remedy(name: str) -> None:
    text, field, remedy = FAULTS[name]
    with pytest.raises(KnowledgeError) as caught:
        parse_card(text, "cards/risks/risks-test.md")
    message = str(caught.value)
    assert re.match(r"cards/risks/risks-test\.md:\d+: ", message), message
    assert field in caught.value.field
    assert remedy in message
    assert "\n" not in message


def test_the_line_is_the_line_at_fault() -> None:
    with pytest.raises(KnowledgeError) as caught:
        parse_card(change("certainty: limited", "certainty: sure"), "x.md")
    assert GOOD.splitlines()[caught.value.line - 1].startswith("certainty:")


def test_sentences_split_at_their_citations() -> None:
    sentences, rest = split_sentences("Yes. It can. [^a][^b] No [^c] tail")
    assert [(s.text, s.sources) for s in sentences] == [("Yes. It can.", ("a", "b")), ("No", ("c",))]
    assert rest == "tail"


def test_a_citation_twice_counts_once() -> None:
    (sentence,), _ = split_sentences("Yes. [^a][^a]")
    assert sentence.sources == ("a",)


def put(folder: Path, text: str, name: str = "risks/risks-test.md") -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_an_id_used_twice(tmp_path: Path) -> None:
    put(tmp_path, GOOD)
    put(tmp_path, GOOD, "zz/risks-test.md")
    with pytest.raises(KnowledgeError, match="also the id of"):
        load_cards(tmp_path)


def test_a_card_in_the_wrong_place(tmp_path: Path) -> None:
    put(tmp_path, GOOD, "evidence/risks-test.md")
    with pytest.raises(KnowledgeError, match=r"the file should be risks/risks-test\.md"):
        load_cards(tmp_path)


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="LANTERN_KNOWLEDGE_DIR"):
        load_cards(tmp_path)


def test_a_bad_source_names_its_entry(tmp_path: Path) -> None:
    path = tmp_path / "sources.yaml"
    path.write_text("- id: who\n  title: T\n")
    with pytest.raises(KnowledgeError, match=r"sources\.yaml:1: who: "):
        load_sources(path)


def test_a_bad_query_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"card": "a", "query": "b"}\n{"card": "a"}\n')
    with pytest.raises(KnowledgeError, match=r"q\.jsonl:2: query"):
        load_queries(tmp_path)


def test_the_hash_covers_what_a_clinician_signs() -> None:
    """R-87: a sign-off holds for exactly one text."""
    card = parse_card(GOOD)
    for changed in (change("It can.", "It cannot."), change("review_by: 2027-05-21", "review_by: 2028-05-21"), change("certainty: limited", "certainty: contested")):
        assert parse_card(changed).content_hash != card.content_hash
    signed = parse_card(change("clinical_signoff:", f"clinical_signoff: [{{name: A, credential: MD, date: 2026-11-21, content_hash: {card.content_hash}}}]"))
    assert signed.content_hash == card.content_hash
    assert signed.signed
    other = card.model_copy(update={"clinical_signoff": (SignOff(name="A", credential="MD", date=date(2026, 1, 1), content_hash="old"),)})
    assert not other.signed


def test_expiry() -> None:
    """R-87: the last day still counts."""
    card = parse_card(change("review_by:", "expires_on: 2026-12-31\nreview_by:"))
    assert not card.expired(date(2026, 12, 31))
    assert card.expired(date(2026, 12, 31) + timedelta(days=1))
    assert not parse_card(GOOD).expired(date(2999, 1, 1))


def test_every_real_card_is_whole(cards: dict[str, Card], sources: dict[str, Source]) -> None:
    assert len(cards) >= 70
    assert {c.topic for c in cards.values()} == {"anxiety", "mechanisms", "evidence", "risks", "regulation", "consultation", "help"}
    for card in cards.values():
        assert all(s.sources for s in card.sentences()), card.id
        assert set(card.source_ids) <= set(sources), card.id
        assert set(card.related) <= set(cards), card.id


def test_telehealth_rules_expire(cards: dict[str, Card]) -> None:
    """R-87: the rule that ends with 2026 is withheld after it."""
    assert cards["regulation-telehealth"].expired(date(2027, 1, 1))
    assert not cards["regulation-telehealth"].expired(date(2026, 12, 31))
