"""What wraps every request: the kill switch, security headers, and an access log without addresses."""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.settings import Settings

log = logging.getLogger("lantern.access")

# What the page needs of Gradio. Uploads, files, proxying, run history and the rest of its API stay closed.
GRADIO = re.compile(
    r"^/(?:|config|theme\.css|assets/[\w./-]+|static/[\w./-]+|"
    r"gradio_api/(?:info|config|startup-events|heartbeat/[\w-]+|app_id|theme\.css|component_server/?))$"
)
# Still answered while the widget is off.
STAYS_UP = re.compile(r"^/(?:static-help|privacy|policy|healthz|readyz|metrics|ui/[\w./-]+|lantern\.js|favicon\.ico)$")
OPEN_TO_ALL = re.compile(r"^/(?:lantern\.js)$")


def path_of(scope: Scope) -> str:
    """The path without the sub-path, whether or not the proxy took it off already."""
    path, root = str(scope["path"]), str(scope.get("root_path", "")).rstrip("/")
    return (path[len(root) :] or "/") if root and (path == root or path.startswith(root + "/")) else path


class SubPath:
    """Puts the app below `root`, whether the proxy passes the sub-path on or takes it off."""

    def __init__(self, app: ASGIApp, root: str) -> None:
        self._app, self._root = app, root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Mark the sub-path as the ASGI specification wants it: in `root_path`, and at the start of `path`."""
        if self._root and scope["type"] in ("http", "websocket"):
            path = str(scope["path"])
            within = path == self._root or path.startswith(self._root + "/")
            scope = {**scope, "root_path": self._root, "path": path if within else self._root + path}
        await self._app(scope, receive, send)


class AccessLog:
    """One line a request: method, route, status, milliseconds. No address, no query, no unknown path."""

    def __init__(self, app: ASGIApp, routes: Callable[[], set[str]]) -> None:
        self._app, self._routes = app, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Time the request and log it."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started, status = time.perf_counter(), 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            path = path_of(scope)
            if path not in ("/healthz", "/readyz", "/metrics") and not path.startswith(("/assets/", "/ui/", "/static/")):
                known = path if path in self._routes() else "/gradio_api/*" if path.startswith("/gradio_api/") else "other"
                log.info("request", extra={"fields": {
                    "method": scope["method"], "path": known, "status": status, "ms": round((time.perf_counter() - started) * 1000, 1)}})


class Headers:
    """Security headers for all, and for pages a content policy with a fresh nonce in scope["nonce"]."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._ancestors = re.sub(r"[;,\r\n]", " ", settings.frame_ancestors).strip() or "'none'"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        nonce = scope["nonce"] = secrets.token_urlsafe(16)
        path = path_of(scope)

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
                headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=(), interest-cohort=(), browsing-topics=()"
                headers["Content-Security-Policy"] = self._policy(nonce, path)
                headers["Cross-Origin-Resource-Policy"] = "cross-origin" if OPEN_TO_ALL.match(path) else "same-origin"
                if "html" in headers.get("content-type", "") or path.startswith(("/api/", "/gradio_api/")):
                    headers["Cache-Control"] = "no-store"
                if "access-control-allow-origin" in headers:
                    del headers["access-control-allow-origin"]  # Gradio's; nobody else's page may call us
            await send(message)

        await self._app(scope, receive, add)

    def _policy(self, nonce: str, path: str) -> str:
        # Gradio compiles component scripts with Function(), which needs 'unsafe-eval', and writes inline styles.
        # Scripts themselves still need the nonce, so injected markup cannot run.
        evaluate = " 'unsafe-eval'" if path == "/" else ""
        return (
            f"default-src 'none'; script-src 'self' 'nonce-{nonce}'{evaluate}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
            f"connect-src 'self'; frame-src 'self'; base-uri 'self'; form-action 'none'; object-src 'none'; frame-ancestors {self._ancestors}"
        )


class Switch:
    """The kill switch, asked at each request, and the closed doors of Gradio.

    Args:
        off_page: makes the answer to everything that is down while the widget is off.
        ours: the paths this app serves itself.
    """

    def __init__(self, app: ASGIApp, settings: Settings, off_page: Callable[[Scope], Response], ours: Callable[[], set[str]]) -> None:
        self._app, self._settings, self._off_page, self._ours = app, settings, off_page, ours

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, answer with the static page, or say 404."""
        if scope["type"] == "websocket":
            return await _Closed()(scope, receive, send)
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        path = path_of(scope)
        if self._settings.switched_off and not STAYS_UP.match(path):
            return await self._off_page(scope)(scope, receive, send)
        if not (path in self._ours() or STAYS_UP.match(path) or GRADIO.match(path)):
            return await Response('{"detail":"Not Found"}', 404, media_type="application/json")(scope, receive, send)
        await self._app(scope, receive, send)


class _Closed:
    async def __call__(self, scope: Scope, receive: Receive, send: Callable[[Message], Awaitable[None]]) -> None:
        await send({"type": "websocket.close", "code": 1008})


class JsonLines(logging.Formatter):
    """Structured logs. An exception is named with its place in the code, never with its message, which could quote a visitor."""

    def format(self, record: logging.LogRecord) -> str:
        """One JSON object."""
        row: dict[str, object] = {"time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"), "level": record.levelname.lower(), "name": record.name}
        row["event"] = record.getMessage() if record.name.startswith(("lantern", "uvicorn")) else record.name
        row.update(getattr(record, "fields", {}))
        if record.exc_info and record.exc_info[0]:
            trace = record.exc_info[2]
            while trace and trace.tb_next:
                trace = trace.tb_next
            row["error"] = record.exc_info[0].__name__
            if trace:
                row["at"] = f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}"
        return json.dumps(row, ensure_ascii=False)
