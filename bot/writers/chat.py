"""The one module that knows LangChain's chat models. It imports them when a model is opened, never before."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from bot.settings import Settings
from bot.writers.prompting import Messages

log = logging.getLogger("lantern")

# A tracing switch in the environment would send every conversation to another company.
_TRACING = ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2")
EXTRAS = {"openai": "openai", "anthropic": "anthropic", "ollama": "ollama"}


class ModelFault(RuntimeError):
    """The model cannot be used; the message says what to do."""


class CallFailed(RuntimeError):
    """One call failed.

    Attributes:
        kind: a word for counts: rate limit, timeout, server, connection, rejected.
        retry_after: seconds that the provider asks to be left alone, if it said so.
    """

    def __init__(self, kind: str, retry_after: float | None = None) -> None:
        super().__init__(kind)
        self.kind, self.retry_after = kind, retry_after


@dataclass
class Usage:
    """Tokens of one call, as far as the provider says."""

    tokens_in: int = 0
    tokens_out: int = 0
    finish: str = ""
    chars_out: int = field(default=0)


class Chat(Protocol):
    """What the writer needs of a model."""

    name: str

    def stream(self, messages: Messages, usage: Usage) -> Iterator[str]:
        """Text as it arrives. Raises CallFailed."""
        ...


class LangChainChat:
    """A LangChain chat model behind `Chat`."""

    def __init__(self, name: str, model: Any) -> None:
        self.name, self._model = name, model

    def stream(self, messages: Messages, usage: Usage) -> Iterator[str]:
        """Text as it arrives; `usage` is filled on the way.

        Raises:
            CallFailed: whatever went wrong, without the visitor's words in it.
        """
        try:
            with contextlib.closing(self._model.stream(messages)) as chunks:
                for chunk in chunks:
                    if meta := getattr(chunk, "usage_metadata", None):
                        usage.tokens_in = max(usage.tokens_in, int(meta.get("input_tokens") or 0))
                        usage.tokens_out = max(usage.tokens_out, int(meta.get("output_tokens") or 0))
                    extra = getattr(chunk, "response_metadata", None) or {}
                    usage.finish = str(extra.get("finish_reason") or extra.get("stop_reason") or usage.finish)
                    text = chunk.text if isinstance(chunk.text, str) else chunk.text()
                    if text:
                        usage.chars_out += len(text)
                        yield str(text)
        except GeneratorExit:
            raise
        except Exception as err:
            raise _failure(err) from None


def _failure(err: Exception) -> CallFailed:
    response = getattr(err, "response", None)
    status = getattr(err, "status_code", None) or getattr(response, "status_code", None)
    name = type(err).__name__.lower()
    if status == 429:
        return CallFailed("rate limit", _seconds(getattr(response, "headers", None)))
    if "timeout" in name:
        return CallFailed("timeout")
    if isinstance(status, int):
        return CallFailed("server" if status >= 500 else "rejected", _seconds(getattr(response, "headers", None)))
    return CallFailed("connection")


def _seconds(headers: Any) -> float | None:
    try:
        return max(0.0, float(headers["retry-after"]))
    except (KeyError, TypeError, ValueError):
        return None


def open_chat(settings: Settings, name: str, most_tokens: int, seconds: float) -> LangChainChat:
    """Open the model that `name` says ("openai:gpt-…", "ollama:llama…").

    Raises:
        ModelFault: when its package is missing or it cannot be set up.
    """
    for switch in _TRACING:
        os.environ[switch] = "false"
    provider, _, model = name.partition(":")
    if not model:
        raise ModelFault(f'LANTERN_MODEL is "{name}". Write the provider and the model, such as "openai:gpt-5-mini" or "ollama:llama3.1".')
    options: dict[str, Any] = {"temperature": 0, "max_retries": 0, "timeout": seconds, "max_tokens": most_tokens}
    if provider == "ollama":
        options = {"temperature": 0, "num_predict": most_tokens, "client_kwargs": {"timeout": seconds}}
    if provider == "openai":
        options["stream_usage"] = True
    if settings.model_url:
        options["base_url"] = settings.model_url
    if settings.model_key:
        options["api_key"] = settings.model_key.get_secret_value()
    elif settings.model_url and provider == "openai" and not os.environ.get("OPENAI_API_KEY"):
        options["api_key"] = "none"  # a local server asks for none, the client insists on one
    options |= settings.model_options
    try:
        from langchain.chat_models import init_chat_model

        return LangChainChat(name, init_chat_model(model, model_provider=provider, **options))
    except ImportError as err:
        extra = EXTRAS.get(provider)
        remedy = f'pip install "lantern-psychoeducation[{extra}]"' if extra else f"install LangChain's package for {provider}"
        raise ModelFault(f"The package for {provider} is missing ({err.name or err}). Run:  {remedy}") from err
    except Exception as err:
        raise ModelFault(f"{name} could not be set up: {type(err).__name__}: {str(err)[:200]}") from err
