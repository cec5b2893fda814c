"""A small knowledge base on disk that passes every check, for planting faults in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from bot.review.library import check, read
from bot.review.lint import Fault

TODAY = date(2026, 11, 22)

BLADDER = """---
id: risks-bladder
title: Can ketamine harm the bladder?
topic: risks
questions:
  - does ketamine damage your bladder
  - peeing all the time since starting ketamine
  - what is ketamine cystitis
  - urinary problems from ketamine
  - how would i know it hurts my bladder
certainty: good-evidence
facts: [rsk-001]
related: [regulation-online]
sources_checked: 2026-11-01
review_by: 2027-05-01
clinical_signoff:
---
Yes, frequent use can hurt the bladder. [^survey]

The first signs are needing to pee often and pain. [^survey]

## How sure is this?
The link with heavy use is well shown. [^survey]

## Worth asking your clinician
- How will you check my bladder over time?
"""
ONLINE = """---
id: regulation-online
title: Can ketamine be prescribed by video?
topic: regulation
questions:
  - ketamine by video visit
  - can a doctor online give me ketamine
  - is telehealth ketamine legal
  - online prescriber rules
  - do i need to go in person
certainty: law
facts: [reg-001]
related: [risks-bladder]
sources_checked: 2026-11-01
review_by: 2027-05-01
expires_on: 2026-12-31
clinical_signoff:
---
For now it can be, under federal rules that end with the year. [^rule]

## How sure is this?
The end date stands in a federal rule. [^rule]
"""
FILES = {
    "cards/risks/risks-bladder.md": BLADDER,
    "cards/regulation/regulation-online.md": ONLINE,
    "sources.yaml": """- id: survey
  title: A survey of people who use ketamine
  authors_or_body: A. Author
  year: 2012
  type: observational
  url: https://doi.org/10.1/x
- id: rule
  title: Telemedicine flexibilities
  authors_or_body: DEA
  year: 2026
  type: law
  url: https://www.govinfo.gov/x
""",
    "facts.yaml": """- id: rsk-001
  topic: risks/bladder
  certainty: good-evidence
  sources: [survey]
- id: reg-001
  topic: regulation/online
  certainty: law
  sources: [rule]
- id: reg-002
  topic: regulation/online
  certainty: law
  sources: [rule]
  unused: Says the same as reg-001
""",
    "hosts.yaml": "- doi.org\n- govinfo.gov\n- findahelpline.com\n- 988lifeline.org\n",
    "helplines.yaml": """international:
  finder: {name: Find A Helpline, url: "https://findahelpline.com", source: "https://findahelpline.com/AU", checked: 2026-11-20}
countries:
  US:
    name: United States
    emergency: "911"
    emergency_source: https://example.org/911
    lines:
      - {id: us-988, name: "988", for: crisis, call: "988", chat: "https://988lifeline.org", hours: "24/7", free: true, pair: us-911,
         source: "https://example.org/988", checked: 2026-11-20}
      - {id: us-poison, name: Poison Help, for: poison, call: "1-800-222-1222", hours: "24/7", free: true, pair: us-988, source: "https://example.org/p", checked: 2026-11-20}
""",
    "queries/risks.jsonl": '{"card": "risks-bladder", "query": "k bladder hurts"}\n',
}

Edit = tuple[str, str, str]


@pytest.fixture
def knowledge(tmp_path: Path) -> Path:
    """The clean knowledge base."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def faults(knowledge: Path) -> Callable[..., list[Fault]]:
    """Plant edits (file, old, new) in the clean knowledge base and check it."""

    def plant(*edits: Edit, today: date = TODAY) -> list[Fault]:
        for name, old, new in edits:
            path = knowledge / name
            text = path.read_text(encoding="utf-8")
            assert old in text
            path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return check(read(knowledge, today))

    return plant
