"""How the widget holds up: visitors who hold conversations through the real HTTP and Gradio path, beside an echo.

    python -m evals.benchmarks.load --visitors 50 --visitors 200 --seconds 30

Each visitor opens the page, then asks questions with a pause for reading. The echo is a function in the same Gradio
that returns its text at once, so the difference is what Lantern itself costs. Bounded in visitors, turns and time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

QUESTIONS = (
    "What is ketamine?",
    "Does ketamine work for anxiety?",
    "Can ketamine harm the bladder?",
    "What does treatment cost?",
    "Is it safe with alcohol?",
    "How should I prepare for a session?",
    "and for PTSD?",
    "Can I drive home?",
    "Is it legal?",
    "How do I find a qualified provider?",
    "how much should I take",
    "I feel awful today",
    "thank you",
    "Tell me more",
    "What are red flags in a clinic?",
)
LONGEST = 120.0


@dataclass
class Measured:
    """Times of one run, in milliseconds, and what went wrong."""

    times: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def row(self, name: str, visitors: int) -> dict[str, object]:
        """The figures of the run."""
        at = statistics.quantiles(self.times, n=20) if len(self.times) > 1 else [0.0] * 19
        return {
            "path": name,
            "visitors": visitors,
            "turns": len(self.times),
            "p50_ms": round(statistics.median(self.times or [0.0]), 1),
            "p95_ms": round(at[18], 1),
            "errors": len(self.errors),
            "first_error": self.errors[0] if self.errors else "",
        }


async def visitor(client: httpx.AsyncClient, component: int, turns: int, pause: float, number: int, seen: Measured, until: float) -> None:
    """One visitor: the page, then questions with pauses."""
    chance = random.Random(number)
    await asyncio.sleep(chance.random() * pause)
    messages: list[dict[str, str]] = []
    try:
        (await client.get("/")).raise_for_status()
        for _ in range(turns):
            if time.monotonic() > until:
                return
            messages.append({"role": "user", "content": chance.choice(QUESTIONS)})
            call = {"data": {"messages": messages, "country": "US"}, "component_id": component, "fn_name": "ask", "session_hash": f"v{number}"}
            started = time.perf_counter()
            answer = await client.post("/gradio_api/component_server", json=call)
            seen.times.append((time.perf_counter() - started) * 1000)
            answer.raise_for_status()
            messages.append({"role": "assistant", "content": answer.json()["text"]})
            await asyncio.sleep(pause * (0.5 + chance.random()))
    except Exception as fault:
        seen.errors.append(f"{type(fault).__name__}: {str(fault)[:120]}")


async def drive(url: str, visitors: int, turns: int, pause: float, seconds: float) -> Measured:
    """All visitors at once, for at most `seconds`."""
    seen = Measured()
    limits = httpx.Limits(max_connections=visitors + 10, max_keepalive_connections=visitors + 10)
    async with httpx.AsyncClient(base_url=url, timeout=30, limits=limits) as client:
        config = (await client.get("/config")).json()
        component = next(c["id"] for c in config["components"] if c["type"] == "html")
        until = time.monotonic() + min(seconds, LONGEST)
        await asyncio.gather(*(visitor(client, component, turns, pause, n, seen, until) for n in range(visitors)))
    return seen


def run_server(echo: bool, port: int) -> None:
    """The server under test, in a process of its own."""
    import uvicorn

    from bot.settings import Settings
    from bot.web.app import create_app

    settings = Settings(rate_limit=0)
    app = create_app(settings, _echo(settings)) if echo else create_app(settings)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


def _echo(settings: Any) -> Any:  # the same page, limits and Gradio, and no thinking
    from bot.conversation import Action, Category, Conversation, Reply
    from bot.load import load_assistant

    made = load_assistant(settings, need_index=False)

    def reply(conversation: Conversation) -> Reply:
        return Reply(action=Action.SMALLTALK, category=Category.SMALLTALK, text=conversation.last)

    made.reply = reply  # type: ignore[method-assign]
    return made


def measure(echo: bool, visitors: int, turns: int, pause: float, seconds: float) -> dict[str, object]:
    """Start a server, drive it, stop it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "evals.benchmarks.load", "--serve", "echo" if echo else "lantern", "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                httpx.get(url + "/healthz", timeout=1)
                break
            except httpx.HTTPError:
                time.sleep(0.5)
        asyncio.run(drive(url, 2, 2, 0.1, 20))  # warm
        seen = asyncio.run(drive(url, visitors, turns, pause, seconds))
    finally:
        server.terminate()
        server.wait(15)
    return seen.row("echo" if echo else "lantern", visitors)


def main() -> None:
    """Measure and print one JSON object a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visitors", type=int, action="append", help="how many at once; may be given again (default: 50 and 200)")
    parser.add_argument("--turns", type=int, default=5, help="most questions a visitor asks")
    parser.add_argument("--pause", type=float, default=8.0, help="seconds a visitor reads between questions")
    parser.add_argument("--seconds", type=float, default=45.0, help="most time for a run")
    parser.add_argument("--out", type=Path, help="also write the rows here")
    parser.add_argument("--serve", choices=["echo", "lantern"], help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        return run_server(given.serve == "echo", given.port)
    rows = []
    for visitors in given.visitors or [50, 200]:
        for echo in (True, False):
            rows.append(measure(echo, min(visitors, 500), given.turns, given.pause, given.seconds))
            print(json.dumps(rows[-1]), flush=True)
    if given.out:
        given.out.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
