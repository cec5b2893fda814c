"""A live server and Debian's Chromium. With an index the real assistant answers, else the stub of tests/web."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uvicorn

from bot.load import load_assistant
from bot.settings import Settings
from bot.web.app import create_app

from ..web.stub import stub_assistant

playwright_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@dataclass
class Site:
    url: str
    off: Path


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("lantern")
    real = Settings(rate_limit=0)
    assistant = load_assistant(real) if (real.index_dir / "current").exists() else stub_assistant(real)
    settings = Settings(rate_limit=0, index_dir=folder, exit_url="http://neutral.test/", contact="mailto:desk@clinic.test", site_name="Harbor Clinic")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(create_app(settings, assistant), host="127.0.0.1", port=port, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield Site(f"http://127.0.0.1:{port}", folder / "off")
    server.should_exit = True
    thread.join(5)


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    if not CHROMIUM:
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    with playwright_api.sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


class Visit:
    """A visitor's browser page, with every request and every fault written down."""

    def __init__(self, page: object, site: Site) -> None:
        self.page: playwright_api.Page = page  # type: ignore[name-defined]
        self.site = site
        self.requests: list[str] = []
        self.faults: list[str] = []
        self.page.on("request", lambda r: self.requests.append(r.url))
        self.page.on("pageerror", lambda e: self.faults.append(str(e)))
        self.page.on("console", lambda m: self.faults.append(m.text) if m.type == "error" else None)

    def open(self, query: str = "?country=US") -> Visit:
        self.page.goto(self.site.url + "/" + query)
        self.page.wait_for_selector("[data-ready=yes]")
        return self

    def ask(self, text: str) -> playwright_api.Locator:  # type: ignore[name-defined]
        """Type a question, send it with Enter and wait for the reply."""
        count = self.page.locator(".bot").count()
        self.page.fill("#lantern-say", text)
        self.page.press("#lantern-say", "Enter")
        reply = self.page.locator(".bot").nth(count)
        reply.wait_for()
        return reply

    def foreign(self) -> list[str]:
        """Requests to anything but our own server."""
        home = urlsplit(self.site.url).netloc
        return [u for u in self.requests if urlsplit(u).scheme in ("http", "https", "ws", "wss") and urlsplit(u).netloc != home]


@pytest.fixture
def visit(browser: object, site: Site) -> Iterator[Callable[..., Visit]]:
    contexts = []

    def make(**options: object) -> Visit:
        context = browser.new_context(**{"reduced_motion": "reduce", "viewport": {"width": 1280, "height": 860}, **options})  # type: ignore[attr-defined]
        context.set_default_timeout(15_000)
        contexts.append(context)
        return Visit(context.new_page(), site)

    yield make
    for context in contexts:
        context.close()
