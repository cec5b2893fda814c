"""`lantern batch`: the machine interface, one line in, one line out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.batch import contract, parse, run
from bot.conversation import Action, Category, Citation, Conversation, Reply

REPLY = Reply(
    action=Action.ANSWER, category=Category.RISKS, text="Yes. [1]", cards=("risks-bladder",), why="secret reasons", related=("More?",),
    citations=(Citation(n=1, card="risks-bladder", title="T", source="S", url="https://example.org"),))


class Echo:
    """Answers everything alike and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Conversation] = []

    def reply(self, conversation: Conversation) -> Reply:
        self.asked.append(conversation)
        return REPLY


def go(*lines: str) -> tuple[list[dict[str, Any]], list[bool], Echo]:
    echo = Echo()
    out = list(run(lines, echo))
    return [json.loads(line) for line, _ in out], [good for _, good in out], echo


def line(id: object = "q1", *turns: str, **more: object) -> str:
    return json.dumps({"id": id, "messages": [{"role": "user", "content": t} for t in turns or ("hi",)], **more})


def test_one_line_holds_the_contracts_fields_and_no_others() -> None:
    (row,), (good,), _ = go(line())
    assert good
    assert set(row) == {"id", "action", "category", "text", "citations", "cards", "latency_ms"}
    assert set(row["citations"][0]) == {"n", "card", "title", "source", "url"}
    assert (row["id"], row["action"], row["category"], row["cards"]) == ("q1", "answer", "risks", ["risks-bladder"])
    assert isinstance(row["latency_ms"], float)


def test_reasons_stay_inside() -> None:
    assert "secret" not in json.dumps(contract(REPLY))


def test_order_is_kept_and_blank_lines_are_skipped() -> None:
    rows, good, _ = go(line("a"), "\n", "   ", line("b"), line("c"))
    assert [r["id"] for r in rows] == ["a", "b", "c"]
    assert all(good)


def test_country_and_history_reach_the_assistant() -> None:
    row = json.dumps({"id": 7, "country": "DE", "extra": 1, "messages": [
        {"role": "user", "content": "one"}, {"role": "assistant", "content": "x"}, {"role": "user", "content": "two", "name": "y"}]})
    _, _, echo = go(row)
    assert echo.asked[0].country == "DE"
    assert (echo.asked[0].earlier, echo.asked[0].last) == (("one",), "two")


BAD = {
    "not json": "not JSON",
    "{": "not JSON",
    '{"id": "x"': "not JSON",
    "[1, 2]": "expected an object, got list",
    "null": "expected an object",
    '"text"': "expected an object, got str",
    "{}": "field 'messages' is missing",
    '{"messages": []}': "messages",
    '{"messages": 5}': "messages",
    '{"messages": [{"role": "user"}]}': "messages.0.content",
    '{"messages": [{"role": "king", "content": "x"}]}': "messages.0.role",
    '{"messages": [{"role": "assistant", "content": "x"}]}': "last message must have role 'user'",
    '{"messages": [{"role": "user", "content": 5}]}': "messages.0.content",
    '{"messages": [{"role": "user", "content": "x"}], "country": 5}': "country",
    "[" * 100_000: "not JSON",
    "1" * 10_000: "",
    "\x00\x01": "not JSON",
    "\ufffd\ufffd": "not JSON",
}


@pytest.mark.parametrize("bad", BAD, ids=[repr(b[:40]) for b in BAD])
def test_a_bad_line_says_what_and_where_and_the_rest_still_run(bad: str) -> None:
    rows, good, echo = go(line("first"), bad, line("last"))
    assert good == [True, False, True]
    assert rows[1]["line"] == 2
    assert rows[1]["id"] is None
    assert BAD[bad] in rows[1]["error"]
    assert "line 2" in rows[1]["error"]
    assert len(echo.asked) == 2


@given(st.text(max_size=60))
def test_any_text_is_either_parsed_or_refused_with_a_reason(text: str) -> None:
    (_, good), = run([text.replace("\n", " ") or "{"], Echo()) if text.strip() else (("", False),)
    assert not good or isinstance(parse(text)[1], Conversation)


def test_half_a_surrogate_pair_does_not_stop_the_batch() -> None:
    row = '{"id": "\\ud800", "messages": [{"role": "user", "content": "\\udfff hi"}]}'
    (out, _), = run([row], Echo())
    assert json.loads(out.encode("utf-8"))["id"] == "?"


def test_every_output_is_one_line() -> None:
    (out, _), = run([line("a\nb")], Echo())
    assert "\n" not in out
