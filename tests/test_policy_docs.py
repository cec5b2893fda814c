"""The documents that anybody may read: each says what it must, and what it says of the program is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.settings import ROOT, Settings
from bot.web.metrics import Metrics


def read(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def part(name: str, heading: str) -> str:
    """The text under a heading."""
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", read(name), re.M | re.S)
    assert found, f"docs/{name}.md has no section “{heading}”"
    assert len(found[1].split()) >= 20, f"docs/{name}.md: “{heading}” says too little"
    return found[1]


@pytest.mark.parametrize(("heading", "words"), [
    ("Purpose", "education"), ("Abilities", "source"), ("Limits", "not a person and not a clinician"), ("When someone is in crisis", "emergency number"), ("Models", "language model"),
    ("Data", "not visitors' messages"), ("Testing", "released"), ("Clinician involvement", "No clinician has yet reviewed"), ("Reporting harm", "{contact}")])
def test_the_public_policy_is_whole(heading: str, words: str) -> None:
    """R-06: purpose, abilities, limits, models, data, testing, clinicians, and where to report harm."""
    assert words in part("policy", heading)


def test_the_policy_says_that_no_model_writes_by_default() -> None:
    """R-06: and so it is."""
    assert "By default no language model writes anything" in part("policy", "Models")
    assert (Settings.model_fields["model"].default, Settings.model_fields["guard_model"].default) == ("", "")


def test_words_go_to_nobody_unless_the_owner_says_so_and_names_them() -> None:
    """R-71: nothing sold or shared; a processor is named with its contract."""
    assert "Nothing is sold or shared" in part("privacy", "What is not done")
    assert re.search(r"which company receives the words, and under what contract", part("privacy", "What is not done"))
    assert re.search(r"contract that forbids training on it", read("models"))
    for name, field in Settings.model_fields.items():
        if "model" in name and name.endswith(("model", "url", "key")):
            assert not field.default, f"LANTERN_{name.upper()} has a default"


@pytest.mark.parametrize("right", ["see", "delete", "withdraw consent", "attorney general", "{contact}"])
def test_the_health_data_notice_names_the_rights(right: str) -> None:
    """R-72."""
    assert right in part("privacy", "Your rights")


def test_the_health_data_notice_is_a_document_of_its_own_and_linked() -> None:
    """R-72: apart from other notices, linked from the chat; the owner is told to link it from the home page."""
    assert read("privacy").startswith("# Privacy: consumer health data notice")
    assert "apart from any other privacy policy" in read("privacy")
    assert re.search(r"Link to `/privacy` from your home page", read("deploy"))
    assert 'href="%ROOT%/privacy"' in (ROOT / "bot" / "web" / "static" / "widget.html").read_text(encoding="utf-8")


def test_nothing_is_called_anonymous_because_it_was_hashed() -> None:
    """R-74: a scrambled address is still said to be kept, and for how long."""
    for name in ("privacy", "policy", "deploy", "models"):
        assert not re.search(r"anonymi[sz]ed|de-identified", read(name), re.I), name
    assert re.search(r"scrambled code in memory for about a minute", read("privacy"))


@pytest.mark.parametrize(("label", "words"), [
    ("What it is", "classifiers"), ("Intended use", "Not for diagnosis"), ("Data", "no visitor's words"), ("Thresholds", "missed crisis"), ("Known failures", "missed most often")])
def test_the_model_card_is_whole(label: str, words: str) -> None:
    """R-90."""
    found = re.search(rf"^\*\*{label}\.?\*\*(.*?)(?=^\*\*|\Z)", read("model-card"), re.M | re.S)
    assert found, label
    assert " ".join(words.split()) in " ".join(found[1].split())


def test_the_model_card_has_results_and_leads_to_those_with_bounds() -> None:
    """R-90: each measured row has a count, a result, a bound and what is required; what fails is said."""
    assert re.search(r"^\|.*\d\d\.\d%", read("model-card"), re.M)
    assert "(safety.md)" in read("model-card")
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in part("safety", "Measured").splitlines() if re.match(r"\| *[A-Z]", line)]
    assert rows[0] == ["What", "Conversations", "Result", "One-sided 95% bound", "Requirement"]
    assert len(rows) >= 6
    for what, count, result, bound, need in rows[1:]:
        assert re.search(r"\d", count), what
        assert re.search(r"\d", result), what
        assert re.search(r"\d+\.\d%", bound), what
        assert re.search(r"held|missed", need), what


WATCHED = re.compile(r"`(lantern_\w+)`")


def test_what_is_watched_after_a_release_is_said_and_is_counted() -> None:
    """R-91: the page names counters, and the program has each of them."""
    named = set(WATCHED.findall(part("safety", "After a release")))
    counted = {f"lantern_{m}" for m in re.findall(r"^# HELP lantern_(\w+?)(?:_total)? ", Metrics().text().decode(), re.M)}
    assert {"lantern_replies", "lantern_reports", "lantern_feedback", "lantern_failures", "lantern_limited"} <= named
    assert named <= counted, named - counted


@pytest.mark.parametrize("words", ["each week", "misuse", "drift", "lantern eval", "switch", "added to the eval data"])
def test_monitoring_is_a_process(words: str) -> None:
    """R-91."""
    assert words in part("safety", "After a release")


def test_the_incident_log_is_public() -> None:
    """R-91: a table with a row for each incident, or one that says that there is none yet."""
    rows = [line for line in part("safety", "Incidents").splitlines() if line.startswith("|")]
    assert rows[0] == "| Date | What happened | Who could be harmed | What was done | Test that holds it |"
    assert len(rows) >= 3
    for row in rows[2:]:
        assert re.match(r"\| (?:\d{4}-\d\d-\d\d|none so far) \|", row), row


def test_the_pages_the_visitor_is_shown_are_these(tmp_path: Path) -> None:
    """R-06 and R-72: /policy and /privacy are these files, with the owner's name and contact in them."""
    from bot.web.static_page import document

    settings = Settings(site_name="Harbor Clinic", contact="mailto:desk@harbor.example", index_dir=tmp_path)
    for name in ("policy", "privacy"):
        page = document(name, settings)
        assert "Harbor Clinic" in page
        assert 'href="mailto:desk@harbor.example"' in page
        assert "{" not in page
