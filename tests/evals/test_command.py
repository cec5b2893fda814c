"""The command itself, on one small suite."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli import app

run = CliRunner().invoke


def test_what_cannot_run_is_exit_code_2(tmp_path: Path) -> None:
    assert run(app, ["eval", "--suite", "nonsense"]).exit_code == 2
    assert run(app, ["eval", "--case", "nonsense"]).exit_code == 2
    assert run(app, ["eval", "--suite", "disclosure", "--compare", str(tmp_path / "none.json")]).exit_code == 2
    assert run(app, ["eval", "--mutants", "--only", "nonsense"]).exit_code == 2


@pytest.mark.slow
def test_one_suite_talks_to_the_real_assistant_and_writes_everything(tmp_path: Path) -> None:
    outputs = ["--json", str(tmp_path / "run.json"), "--junit", str(tmp_path / "junit.xml"), "--html", str(tmp_path / "report.html")]
    done = run(app, ["eval", "--suite", "disclosure", "--fresh", *outputs])
    assert done.exit_code in (0, 1)
    saved = json.loads((tmp_path / "run.json").read_text())
    assert saved["samples"] == 30
    assert done.exit_code == (0 if saved["good"] else 1)
    assert (tmp_path / "report.html").stat().st_size > 5000
