"""Rules as data: every rule's own examples, through all rules compiled together."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.conversation import ACTION_OF, Action, Category
from bot.guardrails.rules import FOLDER, Rule, RuleError, RuleSet, load_rules

RULES = load_rules()
LANGUAGES = ("es", "fr", "de", "pt", "it", "pl", "ru", "zh", "hi", "ar")


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.id)
def test_a_rule_matches_its_examples_and_spares_the_others(rules: RuleSet, rule: Rule) -> None:
    missed = [t for t in rule.matches if rule.id not in {r.id for r in rules(t)}]
    caught = [t for t in rule.spares if rule.id in {r.id for r in rules(t)}]
    assert missed == []
    assert caught == []


@pytest.mark.parametrize("text", [
    "I want to kill myself", "i am going to end my life tonight", "I'm suicidal", "I am thinking about suicide", "i don't want to be alive anymore"])
def test_a_known_crisis_phrase_fires_in_the_full_set(rules: RuleSet, text: str) -> None:
    """RE2 silently reports nothing when its memory budget is too small for all rules at once; this would show it (R-11)."""
    assert any(r.category is Category.SELF_HARM for r in rules(text))


@pytest.mark.parametrize("padding", ["hello there, ", "x ", "Wie geht es dir? ", "这是什么 ", "1234 "])
def test_it_fires_at_the_end_of_a_long_message_too(rules: RuleSet, padding: str) -> None:
    assert any(r.category is Category.SELF_HARM for r in rules((padding * 20_000)[:19_000] + ". I want to kill myself."))


def test_all_rules_together_find_what_each_finds_alone(rules: RuleSet) -> None:
    """No rule is lost in the company of the others."""
    for rule in RULES[:: max(1, len(RULES) // 40)]:
        text = rule.matches[0]
        assert (rule.id in {r.id for r in rules(text)}) == bool(RuleSet([rule])(text))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("action", [Action.CRISIS, Action.REFUSE])
def test_ten_languages_have_crisis_and_refusal_rules(language: str, action: Action) -> None:
    assert any(r.lang == language and ACTION_OF[r.category] is action for r in RULES)


@pytest.mark.parametrize("category", [Category.SELF_HARM, Category.HARM_TO_OTHERS, Category.MEDICAL_EMERGENCY, Category.DOSING, Category.SOURCING, Category.MISUSE,
    Category.INJECTION])
def test_every_dangerous_category_has_english_rules(category: Category) -> None:
    assert any(r.lang == "en" and r.category is category for r in RULES)


BENIGN = [
    "What is ketamine?", "Can ketamine damage the bladder?", "Does ketamine work for anxiety?", "How do I find a qualified provider?", "What does treatment cost?",
    "Is it legal?", "What are the side effects?", "this traffic is killing me", "I nearly died laughing", "I'm dying to know how it works", "my deadline is killing me",
    "I want to kill some time before my session", "Does ketamine reduce suicidal thoughts in studies?", "What is 988?", "Can you overdose on ketamine?",
    "Why do doctors individualize the dose?",
    "Is ketamine addictive?", "What happened to Matthew Perry?", "How long do the benefits last?", "hello", "thank you", "Is this private?", "is ketamine used on horses?",
    "what does exposure therapy involve", "I'd kill for a good night's sleep", "my phone died", "dead tired today", "What should I ask a clinic before I start?",
]


@pytest.mark.parametrize("text", BENIGN)
def test_benign_words_start_neither_crisis_nor_refusal(rules: RuleSet, text: str) -> None:
    """R-24 and R-33."""
    assert [r.id for r in rules(text) if ACTION_OF[r.category] in (Action.CRISIS, Action.REFUSE)] == []


def test_curly_apostrophes_read_like_straight_ones(rules: RuleSet) -> None:
    assert [r.id for r in rules("I don’t want to be alive anymore")] == [r.id for r in rules("I don't want to be alive anymore")]


def test_an_unless_pattern_spares(tmp_path: Path) -> None:
    rule = Rule(id="x", category=Category.SELF_HARM, pattern=r"\bdie\b", unless=r"\blaughing\b", matches=("die",))
    made = RuleSet([rule])
    assert made("I will die")
    assert not made("I will die laughing")


@pytest.mark.parametrize(("text", "words"), [
    ("- {id: a, category: dosing, pattern: '(', matches: [x]}", "rule a"),
    ("- {id: a, category: nonsense, pattern: x, matches: [x]}", "rule a"),
    ("- {id: a, category: dosing, pattern: x}", "matches"),
    ("- {id: a, category: dosing, pattern: x, matches: [x], color: red}", "color"),
    ("- {id: a, category: dosing, pattern: '(?=x)y', matches: [x]}", "rule a"),
    ("- {id: b, category: dosing, pattern: z, matches: [z]}\n- {id: a, category: dosing, pattern: x, unless: '(', matches: [x]}", "rule a"),
    ("- {id: a, category: dosing, pattern: x, matches: [x]}\n- {id: a, category: dosing, pattern: y, matches: [y]}", "used twice"),
    ("- just text", "just text"),
])
def test_a_bad_rule_names_its_file_and_itself(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(RuleError, match=r"bad\.yaml") as caught:
        RuleSet(load_rules(tmp_path))
    assert words in str(caught.value)


def test_the_rule_files_are_packaged() -> None:
    assert len(list(FOLDER.glob("*.yaml"))) >= 11
    assert len(RULES) == len({r.id for r in RULES})
