"""Put the optional language models together: the writer, the rewriter and the second opinion of the screen."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from bot.conversation import Conversation
from bot.encoder import Encoder, Floats
from bot.guardrails.gate import Gate
from bot.guardrails.second_opinion import Judge
from bot.settings import Settings
from bot.writers.breaker import Breaker
from bot.writers.budget import Budget
from bot.writers.cache import Cache
from bot.writers.chat import CallFailed, Chat, ModelFault, open_chat
from bot.writers.generative import Caller, Generative, NotWritten, Patience, Rewriter
from bot.writers.lines import Malformed
from bot.writers.prompting import Prompt
from bot.writers.store import Store

log = logging.getLogger("lantern")

GUARD_SECONDS = 2.0
GUARD_TOKENS = 60
REMEMBERED = 3


@dataclass(frozen=True)
class Models:
    """What a language model does, as far as one is set up."""

    writer: Generative | None = None
    rewriter: Rewriter | None = None
    judge: Judge | None = None


def open_models(settings: Settings) -> Models:
    """Open the models that the settings name. One that cannot be opened is logged and left out: visitors are still answered."""
    store = Store(settings.model_file) if settings.model_file else None
    budget = budget_of(settings, store)
    writer, rewriter, judge = None, None, None
    if settings.model and (chat := _opened(settings, settings.model, settings.model_tokens, settings.model_whole)):
        writer = writer_of(settings, chat, budget, store)
        if settings.model_rewrite:
            rewriter = Rewriter(writer.caller, Prompt.load(settings.prompts_dir / "rewrite.md"))
    if settings.guard_model and (chat := _opened(settings, settings.guard_model, GUARD_TOKENS, GUARD_SECONDS)):
        judge = judge_of(Caller(chat, Breaker(), budget, settings.model_at_once, GUARD_TOKENS), Prompt.load(settings.prompts_dir / "guard.md"))
    return Models(writer, rewriter, judge)


def budget_of(settings: Settings, store: Store | None = None) -> Budget:
    """The day's spend limit as the settings say."""
    return Budget(settings.model_daily_limit, settings.model_price_in, settings.model_price_out, store)


def writer_of(settings: Settings, chat: Chat, budget: Budget | None = None, store: Store | None = None) -> Generative:
    """A writer around an open model."""
    caller = Caller(chat, Breaker(), budget or budget_of(settings, store), settings.model_at_once, settings.model_tokens)
    patience = Patience(settings.model_first, settings.model_whole)
    return Generative(caller, Prompt.load(settings.prompts_dir / "system.md"), Cache(settings.model_cache, store=store), patience)


def _opened(settings: Settings, name: str, tokens: int, seconds: float) -> Chat | None:
    try:
        return open_chat(settings, name, tokens, seconds)
    except ModelFault as err:
        log.error("no language model: %s", err)
        return None


def judge_of(caller: Caller, prompt: Prompt) -> Judge:
    """A second opinion of one message; None when the model does not give one in time."""

    def judge(conversation: Conversation) -> str | None:
        value = {"earlier_messages": [t[-400:] for t in conversation.earlier[-REMEMBERED:]], "message": conversation.last[:2_000]}
        try:
            kind = caller.brief(prompt, value, GUARD_SECONDS).get("kind")
        except (NotWritten, CallFailed, Malformed):
            return None
        return kind if isinstance(kind, str) else None

    return judge


def reworded_gate(gate: Gate, encoder: Encoder) -> Gate:
    """The gate with what it needs to judge reworded sentences: the served encoder and the list of known words."""
    from bot.guardrails.grounding import Grounding, known_words  # its patterns take a tenth of a second; without a model nobody needs them

    vector = lru_cache(maxsize=4_000)(encoder.encode_one)

    def likeness(sentence: str, texts: Sequence[str]) -> list[float]:
        mine: Floats = encoder.encode_one(sentence)
        return [float(mine @ vector(text)) for text in texts]

    words = (Path(__file__).parent / "guardrails" / "words.txt").read_text(encoding="utf-8").splitlines()
    return gate.with_grounding(Grounding(likeness, known_words(words)))


def try_model(settings: Settings, name: str) -> str:
    """Ask a model for one word, for `lantern doctor`.

    Raises:
        ModelFault: saying what is wrong.
    """
    from bot.writers.chat import Usage

    chat = open_chat(settings, name, 20, settings.model_first)
    usage = Usage()
    try:
        text = "".join(chat.stream([("system", "Answer with the one word: ready"), ("human", "Are you there?")], usage))
    except CallFailed as err:
        raise ModelFault(f"{name} does not answer ({err.kind}). Check the address, the key and the model's name.") from err
    return text.strip()[:40]
