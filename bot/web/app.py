"""The server: the widget, the JSON API, health, metrics and the pages that stay up when all else is off."""

from __future__ import annotations

import hashlib
import logging
import sys
from functools import lru_cache
from typing import Any

import gradio as gr
import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.assistant import Assistant
from bot.batch import contract
from bot.conversation import Action, Category, Citation, Conversation
from bot.conversation import Message as Turn
from bot.load import link_hosts, load_assistant
from bot.settings import Settings
from bot.web import static_page
from bot.web.brand import brand_css
from bot.web.limits import BodyLimit, RateLimit
from bot.web.metrics import Metrics
from bot.web.middleware import AccessLog, Headers, JsonLines, SubPath, Switch, path_of
from bot.web.service import Chat
from bot.web.view import View
from bot.web.widget import STATIC, build_widget, theme

log = logging.getLogger("lantern.web")


class ChatRequest(BaseModel):
    """A conversation; the last message is the visitor's."""

    model_config = ConfigDict(extra="ignore")

    messages: list[Turn] = Field(min_length=1, max_length=200, description="turns, oldest first; the last has role user")
    country: str | None = Field(None, pattern=r"^[A-Za-z]{2}$", description="ISO 3166-1 code the visitor chose, for help lines")
    id: str | None = Field(None, max_length=200, description="returned as it came")


class ChatReply(BaseModel):
    """One reply; the fields of the batch contract."""

    id: str | None = Field(None, description="the id of the request")
    action: Action = Field(description="what the turn does")
    category: Category = Field(description="why")
    text: str = Field(description="the reply in Markdown; [n] marks refer to citations")
    citations: list[Citation] = Field(description="the numbered sources")
    cards: list[str] = Field(description="ids of the cards used")
    latency_ms: float = Field(description="time to make the reply")


class Problem(BaseModel):
    """What was wrong with a request."""

    detail: Any = Field(description="a sentence, or a list of fields and what is wrong with them")


def create_app(settings: Settings, assistant: Assistant | None = None) -> FastAPI:
    """The whole server as an ASGI app.

    Args:
        assistant: for tests; default: what the settings describe. Without an index it still handles crises and refusals.
    """
    assistant = assistant or load_assistant(settings, need_index=False)
    metrics = Metrics(settings.crisis_counts)
    chat = Chat(assistant, RateLimit(settings.rate_limit), metrics)
    helplines = assistant.replies.helplines
    cards = dict(assistant.knowledge.cards)
    sources = dict(assistant.knowledge.sources)
    view = View(cards, sources, link_hosts(sources, helplines), frozenset(helplines.numbers()))
    version = version_of(settings)

    app = FastAPI(
        title="Lantern", version="1", description="Answers about anxiety and ketamine from vetted, cited cards.",
        docs_url=None, redoc_url=None,
    )
    _api(app, chat, settings)
    _operations(app, assistant, metrics, settings, version)
    _pages(app, assistant, view, settings)

    def off_page(scope: Scope) -> Response:
        if scope["method"] == "POST":
            text = assistant.replies.text("error", country=settings.country)
            return JSONResponse({"detail": "Lantern is switched off.", "text": text}, 503)
        return HTMLResponse(static_page.help_page(helplines, cards, view, settings, off=True))

    ours = frozenset(r.path for r in app.routes if hasattr(r, "path") and "{" not in r.path) | {"/"}
    stamp = hashlib.sha256(b"".join((STATIC / n).read_bytes() for n in ("widget.js", "widget.css"))).hexdigest()[:8]

    blocks = build_widget(chat, view, metrics, settings, version)
    gr.mount_gradio_app(
        app, blocks, path="", root_path=settings.root_path.rstrip("/") or None, theme=theme(), footer_links=[], run_history=False, show_error=False,
        ssr_mode=False, pwa=False, enable_monitoring=False, mcp_server=False, app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
    )
    # The last added is the outermost.
    app.add_middleware(FirstPaint, paint=lambda html, nonce: static_page.first_paint(html, nonce, helplines, settings, (version, stamp)))
    app.add_middleware(BodyLimit, most=settings.max_body, text=lambda: assistant.replies.text("error", country=settings.country))
    app.add_middleware(Switch, settings=settings, off_page=off_page, ours=lambda: set(ours))
    app.add_middleware(Headers, settings=settings)
    app.add_middleware(AccessLog, routes=lambda: set(ours))
    app.add_middleware(SubPath, root=settings.root_path.rstrip("/"))
    return app


def version_of(settings: Settings) -> str:
    """A short name for the index that answers, shown on the page (R-85)."""
    current = settings.index_dir / "current"
    return current.resolve().name.removeprefix("build-")[:8] if current.exists() else "no index"


def _api(app: FastAPI, chat: Chat, settings: Settings) -> None:
    @app.post(
        "/api/chat", response_model=ChatReply, summary="Answer a conversation",
        responses={
            413: {"model": Problem, "description": "The body is too large."}, 422: {"model": Problem, "description": "The conversation cannot be read."},
            429: {"model": ChatReply, "description": "Too many messages; the text asks to wait. A crisis is never answered so."},
            503: {"model": Problem, "description": "Lantern is switched off."},
        },
    )
    def answer(body: ChatRequest, request: Request) -> Response:
        """Answer the last message of a conversation. Nothing is stored."""
        if body.messages[-1].role != "user":
            return JSONResponse({"detail": [{"loc": ["body", "messages"], "msg": "the last message must have role 'user'", "type": "value_error"}]}, 422)
        country = body.country.upper() if body.country else settings.country
        given = chat.answer(Conversation(messages=tuple(body.messages), country=country), request.client.host if request.client else "", "api")
        content = {"id": body.id, **contract(given.reply), "latency_ms": given.milliseconds}
        return JSONResponse(content, 429, {"Retry-After": "60"}) if given.limited else JSONResponse(content)

    @app.exception_handler(RequestValidationError)
    def unreadable(_request: Request, fault: RequestValidationError) -> JSONResponse:
        # The default answer repeats the input, which may be unencodable and is nobody's to log.
        detail = [{"loc": [str(p) for p in e["loc"]], "msg": _encodable(str(e["msg"])), "type": e["type"]} for e in fault.errors()]
        for row in detail:
            row["loc"] = [_encodable(p) for p in row["loc"]]
        return JSONResponse({"detail": detail}, 422)


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _operations(app: FastAPI, assistant: Assistant, metrics: Metrics, settings: Settings, version: str) -> None:
    @app.get("/healthz", summary="Is the process alive?")
    def healthz() -> dict[str, str]:
        """Always answers while the process runs."""
        return {"status": "ok"}

    @app.get("/readyz", summary="Can it answer?", responses={503: {"description": "No index; only crisis and refusal replies work."}})
    def readyz() -> JSONResponse:
        """200 when the index is open, also while switched off: the static pages are then the service."""
        ready = assistant.retriever is not None
        return JSONResponse({"ready": ready, "off": settings.switched_off, "version": version}, 200 if ready or settings.switched_off else 503)

    @app.get("/metrics", include_in_schema=False)
    def counts() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _pages(app: FastAPI, assistant: Assistant, view: View, settings: Settings) -> None:
    helplines, cards = assistant.replies.helplines, dict(assistant.knowledge.cards)

    @app.get("/static-help", include_in_schema=False)
    def static_help() -> HTMLResponse:
        return HTMLResponse(static_page.help_page(helplines, cards, view, settings, off=settings.switched_off))

    @app.get("/privacy", include_in_schema=False)
    @app.get("/policy", include_in_schema=False)
    def notice(request: Request) -> Response:
        name = request.url.path.rstrip("/").rsplit("/", 1)[-1]
        try:
            return HTMLResponse(static_page.document(name, settings))
        except FileNotFoundError:
            return PlainTextResponse(f"docs/{name}.md is missing from this installation.", 404)

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(static_page.api_page(app.openapi(), settings))

    @app.get("/demo", include_in_schema=False)
    def demo() -> HTMLResponse:
        return HTMLResponse(_demo().replace("%ROOT%", settings.root_path.rstrip("/")))

    @app.get("/lantern.js", include_in_schema=False)
    def launcher() -> FileResponse:
        return FileResponse(STATIC / "lantern.js", media_type="text/javascript", headers={"Cache-Control": "public, max-age=3600"})

    @app.get("/ui/brand.css", include_in_schema=False)
    def brand() -> Response:
        return Response(brand_css(settings.brand_color), media_type="text/css")

    @app.get("/favicon.ico", include_in_schema=False)
    def icon() -> FileResponse:
        return FileResponse(STATIC / "icon.svg", media_type="image/svg+xml")

    app.mount("/ui", StaticFiles(directory=STATIC))


@lru_cache
def _demo() -> str:
    return (STATIC / "demo.html").read_text(encoding="utf-8")


class FirstPaint:
    """Rewrites the one HTML page that Gradio serves; everything else streams through untouched."""

    def __init__(self, app: ASGIApp, paint: Any) -> None:
        self._app, self._paint = app, paint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Collect the page, rewrite it, send it."""
        if scope["type"] != "http" or path_of(scope) != "/":
            return await self._app(scope, receive, send)
        start: dict[str, Any] = {}
        body = b""

        async def collect(message: Message) -> None:
            nonlocal body
            if message["type"] == "http.response.start":
                start.update(message)
                return
            if message["type"] != "http.response.body":
                return await send(message)
            body += message.get("body", b"")
            if message.get("more_body"):
                return
            if body.lstrip()[:9].lower() == b"<!doctype":
                body = self._paint(body.decode(), scope["nonce"]).encode()
            start["headers"] = [(k, v) for k, v in start["headers"] if k.lower() != b"content-length"] + [(b"content-length", str(len(body)).encode())]
            await send(start)
            await send({"type": "http.response.body", "body": body})

        await self._app(scope, receive, collect)


def configure_logs() -> None:
    """JSON lines on standard error, from Lantern and from warnings of the rest."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("lantern").setLevel(logging.INFO)
    logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets itself to debug
    logging.getLogger("uvicorn.error").setLevel(logging.INFO)


def serve(settings: Settings) -> None:
    """Run the server until it is told to stop; requests under way get a few seconds to finish."""
    configure_logs()
    app = create_app(settings)
    log.info("ready", extra={"fields": {"address": f"http://{settings.host}:{settings.port}{settings.root_path}", "version": version_of(settings)}})
    uvicorn.run(
        app, host=settings.host, port=settings.port, access_log=False, log_config=None, server_header=False, proxy_headers=True,
        forwarded_allow_ips=settings.trusted_proxies, timeout_graceful_shutdown=5,
    )
