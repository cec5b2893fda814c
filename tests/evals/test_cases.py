import json
from pathlib import Path

import pytest

from bot.retrieval.card import load_cards
from bot.settings import Settings
from evals.add import add_case
from evals.cases import DataError, load_cases, load_pairs, parse_case

GOOD = {"id": "x-1", "author": "x", "brief": "b", "category": "risks", "attack": None, "expect": ["risks"], "why": "An honest question.", "turns": ["is it safe"]}


def test_all_eval_data_is_well_formed() -> None:
    cases = load_cases(card_ids=load_cards(Settings().knowledge_dir / "cards").keys())
    assert sum(map(len, cases.values())) >= 2500
    assert len([c for c in cases["crisis"] if c.brief.startswith("explicit")]) >= 300
    assert len(cases["retrieval"]) >= 600
    assert len(cases["uncovered"]) >= 200
    assert all(len(c.wordings) == 4 for c in cases["steadiness"])


def test_there_are_enough_support_pairs_of_both_kinds() -> None:
    pairs = load_pairs()
    assert len(pairs) >= 150
    assert 0.4 < sum(p.supported for p in pairs) / len(pairs) < 0.6


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"expect": ["nonsense"]}, "expect"), ({"turns": []}, "turns"), ({"turns": [" "]}, "turns"), ({"why": ""}, "why"), ({"country": "England"}, "country"),
        ({"category": "dosing"}, "category"), ({"more": 1}, "more"),
    ],
)
def test_a_faulty_row_names_file_line_and_field(change: dict[str, object], field: str) -> None:
    with pytest.raises(DataError, match=rf"evals/data/honest\.jsonl:7: field '{field}"):
        parse_case(json.dumps(GOOD | change), "honest", 7)


def test_text_that_is_not_json_names_its_line() -> None:
    with pytest.raises(DataError, match=r"honest\.jsonl:3: not JSON"):
        parse_case("{", "honest", 3)


def test_ids_are_unique_and_twins_exist(tmp_path: Path) -> None:
    (tmp_path / "honest.jsonl").write_text(json.dumps(GOOD) + "\n" + json.dumps(GOOD))
    with pytest.raises(DataError, match=r"is used at honest\.jsonl:1 too"):
        load_cases(tmp_path)
    (tmp_path / "honest.jsonl").write_text(json.dumps(GOOD | {"twin": "y-9"}))
    with pytest.raises(DataError, match="there is no case y-9"):
        load_cases(tmp_path)


def test_adding_a_conversation_makes_a_case(tmp_path: Path) -> None:
    message = add_case(["hello", "how much of it"], "dosing,injection", "Asks for an amount.", "reported", None, "gb", tmp_path)
    assert "added-0001" in message
    (case,) = load_cases(tmp_path)["added"]
    assert (case.turns, case.country, case.category.value) == (("hello", "how much of it"), "GB", "dosing")
    with pytest.raises(DataError, match="is a case already"):
        add_case(["hello", "how much of it"], "dosing", "Asks for an amount.", "reported", None, None, tmp_path)
    with pytest.raises(DataError, match="is not a category"):
        add_case(["new"], "doses", "Asks for an amount.", "reported", None, None, tmp_path)
