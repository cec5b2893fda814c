"""The command line: exit codes, one-line errors that say what mends them, and clean standard output."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot.cli import app
from bot.settings import ROOT

from .conftest import Lantern, Small
from .test_build import cut, rewrite

QUESTION = json.dumps({"id": "q1", "messages": [{"role": "user", "content": "Can ketamine harm the bladder?"}]})


def call(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=stdin)


def one_line(result: Result, *words: str) -> None:
    """An error as a person should see it: exit code 2, the cause and the remedy, no trace."""
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    said = [row for row in result.output.splitlines() if "lantern:" in row]
    assert len(said) == 1, result.output
    for word in words:
        assert word in said[0], said[0]


def test_no_arguments_print_help() -> None:
    assert "Usage" in call("--help").output
    for name in ("build", "ask", "chat", "batch", "serve", "doctor"):
        assert name in call("--help").output


@pytest.mark.parametrize("name", ["build", "ask", "chat", "batch", "serve", "doctor", "train", "on", "off"])
def test_every_command_explains_itself(name: str) -> None:
    result = call(name, "--help")
    assert result.exit_code == 0
    assert len(result.output) > 150


def test_a_missing_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANTERN_INDEX_DIR", str(tmp_path))
    one_line(call("batch", "-", stdin=QUESTION), "There is no index", "lantern build")


@pytest.mark.parametrize("name", ["encoder.onnx", "tokenizer.json"])
def test_a_truncated_index_file(in_small: Small, name: str) -> None:
    cut(in_small.link.resolve() / name)
    one_line(call("batch", "-", stdin=QUESTION), name, "damaged", "lantern build --fresh")


def test_truncated_vectors(in_small: Small) -> None:
    cut(in_small.link.resolve() / "chroma" / "chroma.sqlite3", 0.2)
    one_line(call("batch", "-", stdin=QUESTION), "cannot be read", "lantern build --fresh")


def test_another_format(in_small: Small) -> None:
    rewrite(in_small, format=1)
    one_line(call("batch", "-", stdin=QUESTION), "format 1", "lantern build")


def test_another_model(in_small: Small) -> None:
    rewrite(in_small, base_model="0")
    one_line(call("batch", "-", stdin=QUESTION), "another model", "lantern build")


def test_a_wrong_hash_of_the_base_model(in_small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-84: the weights are the pinned ones or nothing is built."""
    from bot.training import export

    monkeypatch.setattr(export, "MINILM_SHA256", "0" * 64)
    old = in_small.link.resolve()
    one_line(call("build", "--fresh"), "SHA-256", "expected 000000000000", "pip install")
    assert in_small.link.resolve() == old


@pytest.mark.parametrize(("text", "words"), [
    ("---\nid: risks-memory\ntitle: Does ketamine affect memory?\n---\nBody. [^a]\n", ("risks-memory.md:", "topic", "docs/knowledge.md")),
    ("---\nid: [oops\n---\n", ("risks-memory.md:", "front matter", "YAML")),
    ("no front matter at all", ("risks-memory.md:", "front matter", "Start the file with ---")),
])
def test_a_malformed_card_names_file_field_and_remedy(in_small: Small, text: str, words: tuple[str, ...]) -> None:
    old = in_small.link.resolve()
    (in_small.knowledge / "cards" / "risks" / "risks-memory.md").write_text(text)
    one_line(call("build"), *words)
    assert in_small.link.resolve() == old


def test_an_uncited_sentence_names_file_line_and_remedy(in_small: Small) -> None:
    path = in_small.knowledge / "cards" / "risks" / "risks-memory.md"
    path.write_text(path.read_text().replace("session. [^test-source]", "session. [^test-source] And this has none."))
    one_line(call("build"), "risks-memory.md:", "body", "no citation after", "And this has none", "[^source-id]")


def test_a_busy_port() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        one_line(call("serve", "--host", "127.0.0.1", "--port", str(port)), f"127.0.0.1:{port} cannot be used", "--port")


def test_a_port_that_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANTERN_PORT", "many")
    one_line(call("serve"), "port")


def test_bad_batch_lines_are_reported_and_the_rest_answered(in_small: Small, tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b"\xff\xfe\x00 not text\n" + QUESTION.encode() + b"\n{broken\n" + b'{"id": "x", "messages": []}\n')
    result = call("batch", str(source), "--out", str(out))
    assert result.exit_code == 1, result.output
    rows = [json.loads(row) for row in out.read_text(encoding="utf-8").splitlines()]
    assert [r["id"] for r in rows] == [None, "q1", None, None]
    assert [r.get("line") for r in rows] == [1, None, 3, 4]
    assert "not JSON" in rows[0]["error"]
    assert "messages" in rows[3]["error"]


def test_a_missing_batch_file(in_small: Small, tmp_path: Path) -> None:
    one_line(call("batch", str(tmp_path / "nothing.jsonl")), "nothing.jsonl")


def test_a_folder_as_batch_file(in_small: Small, tmp_path: Path) -> None:
    one_line(call("batch", str(tmp_path)), str(tmp_path))


def test_a_batch_does_not_overwrite_its_input(in_small: Small, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(QUESTION)
    one_line(call("batch", str(source), "--out", str(source)), "overwritten", "--out")
    assert source.read_text() == QUESTION


def test_batch_writes_only_replies_on_standard_output(small: Small, lantern: Lantern) -> None:
    done = lantern("batch", "-", stdin=QUESTION + "\n" + QUESTION.replace("q1", "q2") + "\n", env=small.env)
    assert done.returncode == 0, done.stderr
    assert [json.loads(row)["id"] for row in done.stdout.splitlines()] == ["q1", "q2"]


def test_an_error_in_a_process_of_its_own_is_one_line(tmp_path: Path, lantern: Lantern) -> None:
    done = lantern("batch", "-", stdin=QUESTION, env={"LANTERN_INDEX_DIR": str(tmp_path)})
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_crisis_is_answered_without_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-10 at the command line."""
    monkeypatch.setenv("LANTERN_INDEX_DIR", str(tmp_path))
    result = call("ask", "I want to kill myself", "--country", "US", "--json")
    assert result.exit_code == 0
    reply = json.loads(result.stdout)
    assert reply["action"] == "crisis"
    assert "988" in reply["text"]


def test_ask_answers_with_sources(in_small: Small) -> None:
    result = call("ask", "Can ketamine harm the bladder?")
    assert result.exit_code == 0, result.output
    assert "Traceback" not in result.output


def test_ask_reads_standard_input(in_small: Small) -> None:
    result = call("ask", "-", "--json", stdin="I want to kill myself")
    assert json.loads(result.stdout)["action"] == "crisis"


def test_chat_greets_answers_and_ends(in_small: Small) -> None:
    """R-01: the first thing said is that this is an AI and not a clinician."""
    result = call("chat", "--country", "US", stdin="Can ketamine harm the bladder?\nbye\n")
    assert result.exit_code == 0, result.output
    assert "AI" in result.output
    assert "not a clinician" in " ".join(result.output.split())
    assert "988" in result.output


def test_chat_ends_quietly_at_end_of_input(in_small: Small) -> None:
    result = call("chat", stdin="")
    assert result.exit_code == 0
    assert "Traceback" not in result.output


def test_ctrl_c_in_a_build_is_one_line_and_loses_nothing(in_small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    from bot.retrieval import index

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    old = in_small.link.resolve()
    monkeypatch.setattr(index, "write", stop)
    result = call("build")
    assert result.exit_code == 130
    assert "Nothing was lost" in result.output
    assert "Traceback" not in result.output
    assert in_small.link.resolve() == old


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_real_interrupt_leaves_the_old_index(small: Small, tmp_path: Path) -> None:
    """SIGINT in the middle of embedding, in a process of its own."""
    mark = tmp_path / "started"
    script = (
        "import signal, sys, time, pathlib\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background job starts with it ignored
        "from bot.retrieval import index\n"
        "def slow(*a, **k):\n"
        f"    pathlib.Path({str(mark)!r}).touch()\n"
        "    time.sleep(120)\n"
        "index.write = slow\n"
        "from bot.cli import app\n"
        "sys.argv = ['lantern', 'build']\n"
        "app()\n")
    old = small.link.resolve()
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, env={**os.environ, **small.env}, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + 120
        while not mark.exists() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.1)
        assert mark.exists(), process.communicate()[1] if process.poll() is not None else "the build did not start in time"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert "Traceback" not in out + err
    assert "Nothing was lost" in err
    assert small.link.resolve() == old
    assert [p.name for p in small.settings.index_dir.glob("build-*")] == [old.name]


def test_build_says_how_much_was_new(in_small: Small) -> None:
    result = call("build")
    assert result.exit_code == 0, result.output
    assert "Built 6 cards; 0 texts were new." in result.output


def test_off_and_on(in_small: Small) -> None:
    """R-88: the switch is a file, so it works within a second."""
    assert call("off").exit_code == 0
    assert in_small.settings.off_file.exists()
    assert in_small.settings.switched_off
    assert call("on").exit_code == 0
    assert not in_small.settings.switched_off


def test_doctor_finds_a_missing_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANTERN_INDEX_DIR", str(tmp_path))
    result = call("doctor")
    assert result.exit_code == 1
    assert "There is no index" in result.output
    assert "Traceback" not in result.output


def test_doctor_finds_changed_cards(in_small: Small) -> None:
    path = in_small.knowledge / "cards" / "risks" / "risks-memory.md"
    path.write_text(path.read_text().replace("weaker", "poorer"))
    result = call("doctor")
    assert result.exit_code == 1
    assert "1 cards changed since the index was built" in " ".join(result.output.split())
