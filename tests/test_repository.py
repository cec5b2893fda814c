"""R-75: no visitor's words, no private person's details and no key in what is committed."""

from __future__ import annotations

import json
import re
import subprocess
from functools import cache

import pytest

from bot.settings import ROOT

BINARY = (".woff2", ".npz", ".safetensors", ".png", ".ico")
KEYS = re.compile(r"\b(?:sk-[A-Za-z0-9]{20,}|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{20,}|xox[bap]-[\w-]{10,})|-----BEGIN [A-Z ]*PRIVATE KEY")
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[a-z][\w-]*)+")
# Names that can belong to nobody (RFC 2606), and those made up for tests of what must not leave.
NOBODY = re.compile(r"(?:\.example|\.test|\.invalid|@example\.(?:com|org|net)|^(?:dealer@evil\.com|evil@who\.int\.attacker\.ru|a@b\.com|sales@ketnow\.biz))$", re.I)
HOME = re.compile(r"(?<![\w./-])/(?:home|Users)/[a-z][\w-]*/")
IDENTITY = re.compile(r"\b(?!000|666|9)\d{3}-\d{2}-\d{4}\b")


@cache
def files() -> tuple[tuple[str, str], ...]:
    """(path, text) of every committed text file."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    names = [n for n in listed.stdout.split("\0") if n and not n.endswith(BINARY) and (ROOT / n).exists()]
    return tuple((n, (ROOT / n).read_text(encoding="utf-8", errors="replace")) for n in names)


@pytest.mark.parametrize(("what", "pattern"), [("a key", KEYS), ("somebody's folder", HOME), ("an identity number", IDENTITY)], ids=["keys", "folders", "numbers"])
def test_nothing_secret_or_personal_is_committed(what: str, pattern: re.Pattern[str]) -> None:
    """R-75."""
    # The table of help lines is full of public numbers.
    found = [(name, m[0]) for name, text in files() for m in pattern.finditer(text) if not (pattern is IDENTITY and name == "knowledge/helplines.yaml")]
    assert found == [], what


def test_no_mail_address_of_a_person_is_committed() -> None:
    """R-75."""
    assert [(n, m[0]) for n, text in files() for m in EMAIL.finditer(text) if not NOBODY.search(m[0].rstrip("."))] == []


@pytest.mark.parametrize("bad", ["sk-" + "a1" * 12, "-----BEGIN RSA " + "PRIVATE KEY-----", "/home/" + "maria/notes.txt", "123-45" + "-6789"])
def test_the_scan_would_find_one(bad: str) -> None:
    assert any(p.search(bad) for p in (KEYS, HOME, IDENTITY))


def test_no_log_database_or_trace_is_committed() -> None:
    """R-75: nothing that a running program writes."""
    assert [n for n, _ in files() if re.search(r"\.(?:log|db|sqlite3?|jsonl\.gz|eval|har|dmp)$|(?:^|/)(?:logs|\.lantern)/", n)] == []


def test_every_conversation_names_the_author_who_made_it_up() -> None:
    """R-75: conversations in the repository were written for it; each row of the eval data says by whom."""
    for path in sorted((ROOT / "evals" / "data").glob("*.jsonl")):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for row in rows:
            if "turns" in row:
                assert row["author"], (path.name, row["id"])
