"""Which language a message is written in, told cautiously: English unless there is good reason to think otherwise."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from bot.guardrails.normalize import known_words

SUPPORTED = ("es", "fr", "de", "pt", "it", "pl", "ru", "zh", "hi", "ar", "nl", "tr", "uk", "ja", "ko", "vi", "tl", "sw", "ro", "sv", "el")
_SCRIPTS: tuple[tuple[str, str], ...] = (
    ("ja", "[\u3040-\u30ff]"), ("ko", "[\uac00-\ud7af\u1100-\u11ff]"), ("zh", "[\u4e00-\u9fff]"), ("hi", "[\u0900-\u097f]"),
    ("ar", "[\u0600-\u06ff]"), ("el", "[\u0370-\u03ff]"), ("ru", "[\u0400-\u04ff]"),
)
_UKRAINIAN = re.compile("[іїєґ]", re.I)
# Frequent function words that are not English ones; two of them settle a short text that the model is unsure of.
_FUNCTION_WORDS = {
    "es": "que como donde cuanto cuanta para estoy tengo quiero puedo una los las del por mi me con esta muy hola gracias sin ayuda soy",
    "fr": "je est que pour une des les dans avec pas suis comment combien puis mon ma mes sur vous du et bonjour merci sans prendre",
    "de": "ich ist nicht und wie viel kann mir mein meine der die das ein eine ohne mit auf bin wo hallo danke muss wieviel nehmen",
    "pt": "que como onde quanto para estou tenho quero posso uma meu minha com sem muito eu voce você nao não ola obrigado tomar",
    "it": "che come dove quanto quanta per sono ho voglio posso una mio mia con senza molto non ciao grazie di devo prendere",
    "pl": "nie jak ile czy moge mogę gdzie chce chcę jest mam sie się bez dla moja mój czesc cześć dziekuje bardzo juz już",
    "nl": "ik het een niet hoe veel kan mijn van waar zonder met ben hallo dank moet je wil dood geen",
    "tr": "bir ne kadar nasil nasıl ben icin için ile nerede istiyorum yok var merhaba almak miyim mıyım çok cok",
    "ro": "eu este ce cum cat cât unde pentru sunt vreau pot fara fără si și nu mai buna bună sa să",
    "sv": "jag är inte hur mycket kan min var utan med och hej tack vill det ett många ar",
    "vi": "tôi toi không khong là bao nhiêu nhieu muốn muon có co cho và ở dau đâu chết thuốc",
    "tl": "ako ang ng mga hindi paano magkano saan gusto ko po ba na sa lang mamatay ito",
    "sw": "ni na ya kwa gani mimi nataka wapi kiasi ninaweza je kufa dawa habari sana",
    "hi": "hai kya kaise mujhe main nahi kitna kitni kahan chahiye raha hoon hun mera meri karna bhai aur",
}
_FUNCTION_SETS = {lang: frozenset(words.split()) for lang, words in _FUNCTION_WORDS.items()}


@lru_cache(maxsize=1)
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(["en", *SUPPORTED])
    return identifier


def detect(text: str) -> str:
    """ISO 639-1 code of the message's language; 'en' when unsure."""
    text = text[:600]
    letters = re.findall(r"[^\W\d_]", text)
    if len(letters) < 3:
        return "zh" if re.search(_SCRIPTS[2][1], text) else "en"
    for lang, script in _SCRIPTS:
        share = len(re.findall(script, text)) / len(letters)
        if share > (0.15 if lang == "ja" else 0.4):
            return "uk" if lang == "ru" and _UKRAINIAN.search(text) else lang
    words = re.findall(r"[^\W\d_]+", text.lower())
    known = known_words()
    english = sum(w in known for w in words) / len(words)
    counts = {lang: sum(w in s for w in words) for lang, s in _FUNCTION_SETS.items()}
    best = max(counts, key=counts.__getitem__)
    if counts[best] >= 2 and counts[best] / len(words) >= 0.25 and english < 0.85:
        guess, sure = _identifier().classify(text)
        return str(guess) if guess != "en" and sure > 0.8 and counts.get(guess, 0) >= counts[best] - 1 else best
    if english >= 0.6 or len(words) < 3:
        return "en"
    guess, sure = _identifier().classify(text)
    return str(guess) if sure > 0.9 and guess in SUPPORTED else "en"
