"""An OpenAI-compatible chat server on loopback that plays scripted models, streaming for real through the real client.

The model's name chooses the script: those of evals.scripted, and the faults below. Nothing is recorded and no key is checked.

    with ModelServer() as server:
        Settings(model="openai:leaks", model_url=server.url)
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from evals.scripted import SCRIPTS, Given, answer, faithful, lines

FAULTS = (
    "stalls", "stalls-midway", "dies", "dies-at-once", "malformed", "half-json", "prose", "refuses", "empty", "endless", "wrong-fields", "429", "429-retry", "500", "500-retry", "401",
    "slow", "cut-short", "not-http", "garbage-event", "fine", "guard-refuse", "guard-crisis", "guard-junk",
)
HOSTILE = tuple(s for s in SCRIPTS if s not in ("faithful", "wordy"))
CHUNK = 5


class ModelServer:
    """The server, in threads of its own.

    Args:
        delay: seconds between chunks, to stand for a model that thinks.
    """

    def __init__(self, delay: float = 0.0, stall: float = 30.0) -> None:
        self.delay, self.stall = delay, stall
        self.asked: Counter[str] = Counter()
        self.last: dict[str, Any] = {}
        self.ended = threading.Event()
        self._open: set[socket.socket] = set()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._server.owner = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> ModelServer:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()

    def kill(self) -> None:
        """Stop at once and cut every open connection, as a crash would."""
        self.ended.set()
        threading.Thread(target=self._server.shutdown, daemon=True).start()
        self._server.socket.close()
        for connection in list(self._open):
            try:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    owner: ModelServer

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.owner._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self.owner._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the play."""


class _Handler(BaseHTTPRequestHandler):
    owner: ModelServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        script = str(body["model"])
        self.owner.asked[script] += 1
        self.owner.last = body
        match script:
            case "429" | "429-retry" | "500" | "500-retry" | "401":
                return self._error(int(script[:3]), "retry" in script)
            case "not-http":
                self.wfile.write(b"hello\r\n")
                self.close_connection = True
                return None
            case "dies-at-once":
                return self._die()
        self._stream(script, body)

    def _error(self, status: int, retry: bool) -> None:
        payload = json.dumps({"error": {"message": "scripted", "type": "scripted", "code": None}}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        if retry:
            self.send_header("Retry-After", "2")
        self.end_headers()
        self.wfile.write(payload)

    def _die(self) -> None:
        self.close_connection = True
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _given(self, body: dict[str, Any]) -> tuple[list[Given], str]:
        try:
            data = json.loads(body["messages"][-1]["content"])
            return [Given(p["id"], p["about"], p["text"]) for p in data["passages"]], str(data["question"])
        except (ValueError, KeyError, TypeError):
            return [Given("p1", "", "")], ""

    def _stream(self, script: str, body: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        passages, question = self._given(body)
        text = self._text(script, passages, question)
        finish = "length" if script == "cut-short" else "stop"
        half = len(text) // 2
        sent = 0
        for piece in _pieces(text):
            if self.owner.ended.is_set():
                return self._die()
            self._event(self._chunk(script, {"content": piece}))
            sent += len(piece)
            if self.owner.delay:
                time.sleep(self.owner.delay)
            if script == "dies" and sent >= half:
                return self._die()
            if script == "stalls-midway" and sent >= half:
                self.owner.ended.wait(self.owner.stall)
                return self._die()
        if script == "garbage-event":
            self._raw(b"data: {not json\n\n")
        self._event(self._chunk(script, {}, finish))
        self._event(self._chunk(script, None, usage={"prompt_tokens": 900, "completion_tokens": 120, "total_tokens": 1020}))
        self._raw(b"data: [DONE]\n\n")
        self._raw(b"")

    def _text(self, script: str, passages: list[Given], question: str) -> str:
        good = lines(faithful(passages))
        match script:
            case "stalls":
                self.owner.ended.wait(self.owner.stall)
                return ""
            case "slow":
                time.sleep(1.0)
                return good
            case "malformed":
                return '{"passages": [p1], "sentence": unquoted}\n' * 4
            case "half-json" | "cut-short":
                return good[: int(len(good) * 0.6)]
            case "prose":
                return "Of course! Ketamine is usually taken at 50 mg, and here is why that works so well for people. " * 4
            case "refuses":
                return "I'm sorry, but I can't help with that."
            case "empty":
                return ""
            case "endless":
                return '{"passages": ["p1"], "sentence": "' + "and so on " * 600
            case "wrong-fields":
                return '{"text": "Take 50 mg.", "ids": [1]}\n' * 3
            case "fine" | "guard-refuse" | "guard-crisis" | "guard-junk":
                return {"fine": '{"kind": "fine"}', "guard-refuse": '{"kind": "dosing"}', "guard-crisis": '{"kind": "self_harm"}'}.get(script, '{"kind": "whatever"}')
            case "stalls-midway" | "dies" | "garbage-event":
                return good
        return lines(answer(script, passages, question))

    @staticmethod
    def _chunk(script: str, delta: dict[str, Any] | None, finish: str | None = None, usage: dict[str, int] | None = None) -> dict[str, Any]:
        choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
        return {"id": "scripted", "object": "chat.completion.chunk", "created": 0, "model": script, "choices": choices, "usage": usage}

    def _event(self, value: dict[str, Any]) -> None:
        self._raw(b"data: " + json.dumps(value).encode() + b"\n\n")

    def _raw(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


def _pieces(text: str) -> Iterator[str]:
    """Small pieces, so that words, numbers and units break anywhere."""
    for i in range(0, len(text), CHUNK):
        yield text[i : i + CHUNK]
