from __future__ import annotations

import io
import json
import logging
import re
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from bot.web.middleware import JsonLines

Make = Callable[..., TestClient]


def say(text: str, **more: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": text}], **more}


def component(client: TestClient, function: str, data: object) -> dict[str, object]:
    """Call a function of the page as the browser does."""
    config = client.get("/config").json()
    number = next(c["id"] for c in config["components"] if c["type"] == "html")
    answer = client.post("/gradio_api/component_server", json={"data": data, "component_id": number, "fn_name": function, "session_hash": "test"})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_api_keeps_the_batch_contract(client: TestClient) -> None:
    reply = client.post("/api/chat", json=say("Can ketamine harm the bladder?", id="q1", country="us")).json()
    assert set(reply) == {"id", "action", "category", "text", "citations", "cards", "latency_ms"}
    assert (reply["id"], reply["action"], reply["cards"]) == ("q1", "answer", ["risks-bladder"])
    assert reply["citations"][0]["n"] == 1


@pytest.mark.parametrize("body", [
    {}, {"messages": []}, {"messages": [{"role": "system", "content": "x"}]}, {"messages": [{"role": "assistant", "content": "x"}]},
    {"messages": "secret words"}, say("x", country="USA"), [], None,
])
def test_unreadable_requests_get_422_that_repeats_nothing(client: TestClient, body: object) -> None:
    answer = client.post("/api/chat", json=body)
    assert answer.status_code == 422
    assert "secret words" not in answer.text


def test_lone_surrogates_and_control_characters_are_survived(client: TestClient) -> None:
    for raw in ('{"messages":[{"role":"user","content":"\\ud800"}]}', '{"messages":[{"role":"user","content":"\\u0000\\u202e hi"}]}', '{"\\ud800":1}', "\x00", "{"):
        assert client.post("/api/chat", content=raw, headers={"Content-Type": "application/json"}).status_code in (200, 422)


def test_crisis_shows_the_lines_of_the_country(client: TestClient) -> None:
    reply = client.post("/api/chat", json=say("I want to kill myself", country="GB")).json()
    assert reply["action"] == "crisis"
    assert "116 123" in reply["text"]
    assert "988" not in reply["text"]


def test_rate_limit_never_stops_a_crisis(make_client: Make) -> None:
    """R-27: neither on the page nor in the API."""
    client = make_client(rate_limit=2)
    answers = [client.post("/api/chat", json=say("What is ketamine?")).status_code for _ in range(4)]
    assert answers == [200, 200, 429, 429]
    waiting = client.post("/api/chat", json=say("What is ketamine?", country="US"))
    assert waiting.headers["retry-after"] == "60"
    assert "988" in waiting.json()["text"]
    crisis = client.post("/api/chat", json=say("I want to kill myself", country="US"))
    assert (crisis.status_code, crisis.json()["action"]) == (200, "crisis")
    assert component(client, "ask", {**say("I want to kill myself"), "country": "US"})["action"] == "crisis"
    assert "a lot of messages" in str(component(client, "ask", say("What is ketamine?"))["text"])


def test_large_bodies_are_refused_before_they_are_read(make_client: Make) -> None:
    """R-27: the refusal itself names human help."""
    client = make_client(max_body=2000)
    assert client.post("/api/chat", json=say("x" * 3000)).status_code == 413
    assert client.post("/api/chat", content=iter([b"x" * 1500, b"y" * 1500])).status_code == 413
    assert client.post("/gradio_api/component_server", json=say("x" * 3000)).status_code == 413
    assert "emergency" in client.post("/api/chat", json=say("x" * 3000)).json()["text"].lower()  # nobody read whether it was a crisis
    assert client.post("/api/chat", json=say("hello")).status_code == 200


def test_health_and_readiness(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json()["ready"] is True


def test_metrics_count_without_text(make_client: Make) -> None:
    client = make_client()
    client.post("/api/chat", json=say("my very private words about the bladder"))
    component(client, "vote", {"kind": "down", "reason": "hard", "action": "answer", "category": "risks", "cards": ["risks-bladder"]})
    text = client.get("/metrics").text
    assert 'lantern_replies_total{action="answer",category="risks",source="api"} 1.0' in text
    assert 'lantern_cards_total{card="risks-bladder"} 1.0' in text
    assert 'lantern_feedback_total{action="answer",reason="hard",vote="down"} 1.0' in text
    assert "lantern_reply_seconds_bucket" in text
    assert "private" not in text


def test_votes_take_choices_only(client: TestClient) -> None:
    """R-07: a report is a choice from a list, and gets a reference."""
    good = {"kind": "report", "reason": "dangerous", "action": "answer", "category": "risks", "cards": ["risks-bladder", "x" * 500]}
    assert re.fullmatch(r"[0-9a-f]{6}", str(component(client, "vote", good)["reference"]))
    assert component(client, "vote", {**good, "reason": "my phone number is"})["ok"] is True
    assert "error" in component(client, "vote", {**good, "kind": "love"})
    assert "error" in component(client, "vote", "nonsense")
    assert "phone" not in client.get("/metrics").text


@pytest.mark.parametrize("data", [
    None, [], "x", {}, {"messages": 3}, {"messages": [{"role": "assistant", "content": "x"}]}, {"messages": [{"role": "user", "content": {}}]},
])
def test_the_page_function_survives_nonsense(client: TestClient, data: object) -> None:
    assert "error" in component(client, "ask", data)
    assert "html" in component(client, "sheet", data)


def test_crisis_counts_hold_a_year_and_a_number(make_client: Make, tmp_path: Path) -> None:
    client = make_client(crisis_counts=tmp_path / "counts.db")
    for _ in range(2):
        client.post("/api/chat", json=say("I want to kill myself"))
    rows = sqlite3.connect(tmp_path / "counts.db").execute("SELECT category, n FROM crisis_replies").fetchall()
    assert rows == [("self_harm", 2)]


def test_security_headers(make_client: Make) -> None:
    client = make_client(frame_ancestors="'self' https://clinic.example; script-src *")
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    assert "frame-ancestors 'self' https://clinic.example  script-src *" in policy  # no second directive can be smuggled in
    assert "default-src 'none'" in policy
    assert "'unsafe-inline'" not in re.search(r"script-src [^;]*", policy)[0]  # type: ignore[index]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert "'unsafe-eval'" not in client.get("/static-help").headers["content-security-policy"]
    assert client.get("/lantern.js").headers["cross-origin-resource-policy"] == "cross-origin"
    assert client.get("/lantern.js", headers={"Origin": "https://evil.example"}).headers.get("access-control-allow-origin") is None
    nonce = re.search(r"'nonce-([^']+)'", policy)[1]  # type: ignore[index]
    assert all(f'nonce="{nonce}"' in tag for tag in re.findall(r"<script[^>]*>", page.text))
    assert client.get("/").headers["content-security-policy"] != policy


def test_pages_name_no_other_site(client: TestClient) -> None:
    """R-70: no page loads anything from elsewhere."""
    for path in ("/", "/static-help", "/docs", "/demo", "/privacy", "/policy"):
        text = client.get(path).text
        loaded = re.findall(r"""<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=["'](?:https?:)?//([^"'/]+)""", text)
        assert loaded == [], path
    assert "gradio.app" not in client.get("/").text.split("window.gradio_config")[0]


def test_first_paint_says_who_this_is_and_shows_help(make_client: Make) -> None:
    """R-01 and R-05: before any script runs."""
    text = make_client(country="US", site_name="Clinic <b>").get("/").text
    assert "an AI, not a person and not a clinician" in text
    assert 'href="tel:988"' in text
    assert "/static-help" in text
    assert "Clinic &lt;b&gt;" in text
    assert "Clinic <b>" not in text.split("window.gradio_config")[0]


@pytest.mark.parametrize("path", [
    "/gradio_api/upload", "/gradio_api/queue/join", "/gradio_api/file=/etc/passwd", "/gradio_api/proxy=https://example.com", "/file=/etc/passwd", "/monitoring", "/runs",
    "/gradio_api/run/predict", "/gradio_api/call/ask", "/login", "/docs/x", "/redoc", "/manifest.json", "/gradio_api/mcp/", "/ui/../app.py", "/ui/%2e%2e/app.py",
])
def test_the_rest_of_gradio_is_closed(client: TestClient, path: str) -> None:
    """R-83."""
    assert client.get(path).status_code == 404
    assert client.post(path, json={}).status_code in (404, 405)


def test_kill_switch_takes_effect_at_once(make_client: Make, tmp_path: Path) -> None:
    client = make_client()
    assert "gradio" in client.get("/").text
    (tmp_path / "off").touch()
    started = time.perf_counter()
    page = client.get("/")
    assert time.perf_counter() - started < 1
    assert page.status_code == 200
    assert "switched off" in page.text
    assert "<script" not in page.text
    assert "116 123" in page.text
    assert "Is ketamine treatment safe?" in page.text
    down = client.post("/api/chat", json=say("hello"))
    assert down.status_code == 503
    assert "emergency" in down.json()["text"].lower()
    assert client.post("/gradio_api/component_server", json={}).status_code == 503
    assert client.get("/readyz").json()["off"] is True
    (tmp_path / "off").unlink()
    assert client.post("/api/chat", json=say("hello")).status_code == 200


def test_kill_switch_by_setting(make_client: Make) -> None:
    assert "switched off" in make_client(off=True).get("/").text


def test_static_help_has_lines_and_answers_with_sources(client: TestClient) -> None:
    text = client.get("/static-help").text
    assert "<script" not in text
    for part in ("United Kingdom", "tel:116123", "What is ketamine?", "Not yet reviewed by a clinician", "not a person and not a clinician"):
        assert part in text, part


def test_docs_page_describes_the_api(client: TestClient) -> None:
    text = client.get("/docs").text
    assert "/api/chat" in text
    assert "<script" not in text
    assert client.get("/openapi.json").json()["paths"]["/api/chat"]


def test_works_below_a_sub_path(make_client: Make) -> None:
    client = make_client(root_path="/lantern")
    for prefix in ("", "/lantern"):
        page = client.get(prefix + "/")
        assert page.status_code == 200
        assert "/lantern/ui/widget.css" in page.text
        assert client.get(prefix + "/ui/widget.css").status_code == 200
        assert client.get(prefix + "/healthz").status_code == 200
        assert client.post(prefix + "/api/chat", json=say("hello")).status_code == 200


def test_logs_hold_no_words_and_no_address(client: TestClient) -> None:
    """R-70, R-74 and R-75: also when something fails."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    root = logging.getLogger("lantern")
    root.addHandler(handler)
    before = root.level
    root.setLevel(logging.INFO)
    try:
        client.post("/api/chat?q=private", json=say("my private words"))
        client.get("/private-path")
        logging.getLogger("lantern").error("failed", exc_info=ValueError("private text in an exception"))
        try:
            raise ValueError("private text in an exception")
        except ValueError:
            logging.getLogger("lantern").exception("failed")
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert any(x.get("path") == "/api/chat" and x["status"] == 200 for x in lines)
    assert any(x.get("error") == "ValueError" for x in lines)
    assert "private" not in stream.getvalue()
    assert "testclient" not in stream.getvalue()


def test_owner_and_brand_show_without_code(make_client: Make) -> None:
    client = make_client(site_name="Harbor Clinic", brand_color="#ffcc00", contact="mailto:desk@harbor.example")
    assert "on Harbor Clinic" in client.get("/config").text
    assert "--on-brand-light:#ffffff" in client.get("/ui/brand.css").text
    assert "desk@harbor.example" in client.get("/privacy").text
    assert "javascript:" not in make_client(contact="javascript:alert(1)").get("/config").text
