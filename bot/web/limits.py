"""Two limits: messages a minute for each visitor, and bytes a request. Neither silences a crisis (R-27)."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

WINDOW = 60.0
MOST_CLIENTS = 10_000


class RateLimit:
    """A sliding minute for each client, in memory only.

    Addresses are kept as a digest salted with a secret that dies with the process, for a minute at most.

    Args:
        per_minute: messages allowed; 0 allows any number.
        clock: seconds, for tests.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = per_minute, clock
        self._salt = secrets.token_bytes(16)
        self._seen: OrderedDict[bytes, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def allow(self, client: str) -> bool:
        """Count one message and say whether it is within the limit."""
        if not self._most:
            return True
        now = self._clock()
        key = hashlib.blake2b(client.encode(), key=self._salt, digest_size=12).digest()
        with self._lock:
            self._forget(now)
            times = self._seen.setdefault(key, deque())
            self._seen.move_to_end(key)
            while times and now - times[0] >= WINDOW:
                times.popleft()
            if len(times) >= self._most:
                return False
            times.append(now)
            return True

    def _forget(self, now: float) -> None:
        while self._seen:
            times = next(iter(self._seen.values()))
            if len(self._seen) <= MOST_CLIENTS and times and now - times[-1] < WINDOW:
                return
            self._seen.popitem(last=False)


class BodyLimit:
    """ASGI middleware: 413 for a body above `most` bytes, whether or not its length was declared.

    Args:
        text: makes what a person may be shown; it names human help, because nobody read whether the message was a crisis.
    """

    def __init__(self, app: ASGIApp, most: int, text: Callable[[], str]) -> None:
        self._app, self._most, self._text = app, most, text

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 413."""
        if scope["type"] != "http" or scope["method"] not in ("POST", "PUT", "PATCH"):
            return await self._app(scope, receive, send)
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self._most:
            return await self._refuse(scope, receive, send)
        # Bodies are small, so the whole is read first: a refusal can then still be a proper response.
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > self._most:
                return await self._refuse(scope, receive, send)
            if not message.get("more_body"):
                break
        pending: list[Message] = [{"type": "http.request", "body": b"".join(chunks), "more_body": False}]

        async def replay() -> Message:
            return pending.pop() if pending else await receive()

        return await self._app(scope, replay, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = f"The request is larger than {self._most} bytes. Please send a shorter message."
        await JSONResponse({"detail": detail, "text": self._text()}, 413)(scope, receive, send)
