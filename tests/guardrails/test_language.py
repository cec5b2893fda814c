"""The language of a message: English unless there is good reason to think otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.guardrails.language import SUPPORTED, detect

FOREIGN = {
    "es": "Hola, ¿qué es la ketamina y para qué sirve?",
    "fr": "Bonjour, est-ce que la kétamine est dangereuse pour la vessie ?",
    "de": "Ich möchte wissen, ob Ketamin gegen Angst hilft und wie lange die Wirkung anhält.",
    "pt": "Eu quero saber se a ketamina ajuda com a ansiedade e quanto tempo dura.",
    "it": "Vorrei sapere se la ketamina aiuta contro l'ansia e quanto dura l'effetto.",
    "pl": "Chcę wiedzieć, czy ketamina pomaga na lęk i jak długo działa.",
    "ru": "Помогает ли кетамин при тревоге?",
    "uk": "Чи допомагає кетамін при тривозі? Мені потрібна її порада.",
    "zh": "氯胺酮能治疗焦虑吗？",
    "ja": "ケタミンは不安に効きますか？",
    "ko": "케타민이 불안에 효과가 있나요?",
    "hi": "क्या केटामाइन चिंता में मदद करता है?",
    "ar": "هل يساعد الكيتامين في علاج القلق؟",
    "el": "Βοηθάει η κεταμίνη στο άγχος;",
    "nl": "Ik wil graag weten hoe lang ketamine werkt en of het niet gevaarlijk is.",
    "sv": "Jag vill veta om ketamin hjälper mot ångest och hur länge det varar.",
    "vi": "Tôi muốn biết ketamine có giúp giảm lo âu không và tác dụng bao lâu.",
}


@pytest.mark.parametrize("language", FOREIGN)
def test_clear_sentences_are_told(language: str) -> None:
    assert detect(FOREIGN[language]) == language


def test_every_language_told_is_supported() -> None:
    assert set(FOREIGN) <= set(SUPPORTED)


@pytest.mark.parametrize("text", [
    "What is ketamine?", "does ketamine help", "hi", "ok", "", "?", "😀", "Spravato", "GAD-7", "thanks", "pls help me im so anxious", "wat r teh side efects of ketamin",
    "i wanna no if it workz 4 anxiety", "Is esketamine (Spravato) approved by the FDA?", "yo whats good", "my abuela takes it, is she safe?", "café or tea before a session?",
    "what is the Schwindel my German doctor mentioned", "Dr. Müller said no", "NMDA, AMPA, BDNF and mTOR?", "12345", "ketamine ketamine ketamine", "lol",
])
def test_english_is_never_taken_for_another_language(text: str) -> None:
    assert detect(text) == "en"


@given(st.text(max_size=200))
@settings(deadline=None)
def test_any_text_has_a_language(text: str) -> None:
    assert detect(text) in ("en", *SUPPORTED)
