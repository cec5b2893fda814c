"""Put the assistant together from what is on disk."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from bot.assistant import Assistant, Knowledge
from bot.build import Built, IndexFault, open_build, open_collection
from bot.conversation import Conversation
from bot.encoder import Encoder
from bot.guardrails.gate import Gate, allowed_hosts
from bot.guardrails.router import Router
from bot.guardrails.rules import RuleSet, load_rules
from bot.guardrails.screen import Screen, Thresholds, Verdict
from bot.guardrails.second_opinion import SecondOpinion
from bot.helplines import Helplines, load_helplines
from bot.models import Models, open_models, reworded_gate
from bot.retrieval import shelf
from bot.retrieval.card import UNCOVERED, Card, Source, load_cards, load_sources
from bot.retrieval.confidence import Confidence
from bot.retrieval.lexical import LexicalIndex
from bot.retrieval.querybank import QueryBank
from bot.retrieval.retriever import Hit, Retriever
from bot.settings import Settings
from bot.writers.replies import Replies

log = logging.getLogger("lantern")


def link_hosts(sources: dict[str, Source], helplines: Helplines) -> frozenset[str]:
    """Hosts that a reply may link to: those of the sources and of the help lines, nothing else (R-39)."""
    urls = [s.url for s in sources.values()] + [helplines.finder.url]
    for country in helplines.countries.values():
        urls += [u for line in country.lines for u in (line.chat, line.source) if u]
    return allowed_hosts(urls) | {"988lifeline.org", "findahelpline.com", "findtreatment.gov", "clinicaltrials.gov", "thetrevorproject.org"}


def built_cards(cards: dict[str, Card], built: Built) -> dict[str, Card]:
    """The cards whose text is the one that was indexed."""
    same = {i: c for i, c in cards.items() if built.manifest["cards"].get(i) == c.content_hash}
    if stale := len(cards) - len(same):
        log.warning("%d cards changed since the index was built and are left out. Run:  lantern build", stale)
    return same


def load_assistant(settings: Settings, need_index: bool = True) -> Assistant:
    """The assistant as the settings describe it.

    Args:
        need_index: when False, a missing index gives an assistant that still handles crisis, refusal and small talk.

    Raises:
        IndexFault: when the index is needed and unusable.
        KnowledgeError: for a malformed card.
    """
    gc.disable()  # what is loaded stays: looking it over for garbage again and again took a tenth of the start
    try:
        return _load(settings, need_index)
    finally:
        gc.freeze()
        gc.enable()


def _load(settings: Settings, need_index: bool) -> Assistant:
    with ThreadPoolExecutor(2) as pool:  # ONNX Runtime opens the models while the texts are read
        try:
            found = open_build(settings)
            encoder = pool.submit(Encoder, found.folder)
            routing = pool.submit(Router, found.folder) if (found.folder / "router.onnx").exists() else None
            collection = open_collection(settings, found)
            built: Built | None = found
        except IndexFault as err:
            if need_index:
                raise
            log.error("%s", err)
            built = None
        helplines = load_helplines(settings.knowledge_dir / "helplines.yaml")
        replies = Replies(settings.prompts_dir / "replies", helplines)
        sources = load_sources(settings.knowledge_dir / "sources.yaml")
        gate = Gate(link_hosts(sources, helplines), helplines.numbers())
        rules = RuleSet(load_rules())
        if built is None:
            return Assistant(Screen(rules, None), None, replies, gate, Knowledge({}, {}, sources), lambda _verdict, _hits: 0.0)
        cards = built_cards(load_cards(settings.knowledge_dir / "cards", shelf.load(built.folder)), built)
    knowledge = Knowledge.on(settings.day, cards, sources, settings.require_signoff)
    bank = QueryBank.load(built.folder).of({*knowledge.cards, UNCOVERED})
    retriever = Retriever(knowledge.cards, encoder.result(), collection, bank, LexicalIndex.load(built.folder, list(knowledge.cards)))
    router = routing.result() if routing else None
    calibrated = Confidence.load()

    def confidence(verdict: Verdict, hits: Sequence[Hit]) -> float:
        return calibrated(hits, verdict.uncovered, verdict.topics)

    thresholds = Thresholds(**router.thresholds) if router else None
    screen: Callable[[Conversation], Verdict] = Screen(rules, router, thresholds)
    models = open_models(settings) if settings.model or settings.guard_model else Models()
    if models.writer:
        gate = reworded_gate(gate, retriever.encoder)
    if models.judge:
        screen = SecondOpinion(screen, models.judge)
    return Assistant(screen, retriever, replies, gate, knowledge, confidence, models.writer, models.rewriter)
