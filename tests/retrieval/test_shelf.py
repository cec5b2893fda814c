"""Cards parsed once: an earlier parse holds only for the same file, read by the same parser."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.build import build, open_build
from bot.retrieval import card as parsing
from bot.retrieval import shelf
from bot.retrieval.card import Card, load_cards

from ..conftest import SMALL, Small, write_card


def kept(small: Small) -> dict[str, Card]:
    return shelf.load(open_build(small.settings).folder)


def test_the_shelf_gives_the_cards_as_they_are_read(small_built: Small) -> None:
    folder = small_built.knowledge / "cards"
    assert load_cards(folder, kept(small_built)) == load_cards(folder)


def test_a_file_on_the_shelf_is_not_parsed_again(small_built: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    known = kept(small_built)
    monkeypatch.setattr(parsing, "parse_card", lambda *_: pytest.fail("parsed again"))
    assert len(load_cards(small_built.knowledge / "cards", known)) == len(SMALL)


def test_a_changed_file_is_parsed_again(small: Small) -> None:
    id, topic, title, about, _ = SMALL[0]
    write_card(small.knowledge, id, topic, title, about, "Ketamine can make the bladder small and stiff.")
    assert load_cards(small.knowledge / "cards", kept(small))[id].passages[0].text == "Ketamine can make the bladder small and stiff."
    build(small.settings, lambda *_: None)
    assert kept(small)[load_cards(small.knowledge / "cards")[id].key].passages[0].text == "Ketamine can make the bladder small and stiff."


def test_another_parser_reads_everything_anew(small_built: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    known, read = kept(small_built), list[Path | str]()
    parse = parsing.parse_card
    monkeypatch.setattr(parsing, "_PARSER", b"another version")
    monkeypatch.setattr(parsing, "parse_card", lambda text, path: (read.append(path), parse(text, path))[1])
    load_cards(small_built.knowledge / "cards", known)
    assert len(read) == len(SMALL)


def test_a_shelf_of_another_version_is_empty(tmp_path: Path) -> None:
    (tmp_path / shelf.FILE).write_text('[{"id": "x"}]')
    assert shelf.load(tmp_path) == {}
