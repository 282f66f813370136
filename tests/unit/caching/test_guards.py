"""Which questions are never answered with each other's answers, and which never with a similar one's."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.caching.guards import CHARS_MAX, why_different, why_not_similar
from domain.caching.policy import CachePolicy
from domain.caching.reading import read

POLICY = CachePolicy()

DIFFERENT = [
    ("number", "How do I fit 3 people in a tent?", "How do I fit 4 people in a tent?"),
    ("number", "Is a fever of 38.5 dangerous?", "Is a fever of 39.5 dangerous?"),
    ("number", "What changed in version 3.11?", "What changed in version 3.12?"),
    ("number", "Is -5 a natural number?", "Is 5 a natural number?"),
    ("number", "What happened on 01/05/2020?", "What happened on 05/01/2020?"),
    ("number", "What do three dozen eggs cost?", "What do four dozen eggs cost?"),
    ("unit", "How much is 5 kg of rice?", "How much is 5 lb of rice?"),
    ("negation", "Should I drink milk at night?", "Should I not drink milk at night?"),
    ("negation", "Why can people fly?", "Why can't people fly?"),
    ("opposite", "What should I eat before running?", "What should I eat after running?"),
    ("opposite", "How do I enable the firewall?", "How do I disable the firewall?"),
    ("opposite", "what is the capital of france", "what is the capital of germany"),
    ("opposite", "How do I sort a list in python?", "How do I sort a list in java?"),
    ("opposite", "Is it legal to fish here?", "Is it illegal to fish here?"),
    ("opposite", "How do I become happy?", "How do I become unhappy?"),
    ("name", "Is Anna Berg a good lawyer?", "Is Maria Berg a good lawyer?"),
    (
        "name",
        "Which shops are in Norway? Do Norwegian buyers like them?",
        "Which shops are in Serbia? Do Norwegian buyers like them?",
    ),
    ("role", "Did Anna hire Maria?", "Did Maria hire Anna?"),
    ("role", "Did the dog bite the man?", "Was the dog bitten by the man?"),
    ("role", "Do cats chase mice?", "Do mice chase cats?"),
    ("pronoun", "If they met, would he like her?", "If they met, would she like him?"),
    ("question", "Who wrote the first novel?", "When was the first novel written?"),
    ("question", "How many moons are there?", "Why are there moons?"),
    ("time", "Is Mr Smith an editor?", "Did Mr Smith use to be an editor?"),
    ("narrower", "Is she a lawyer?", "Is she an accredited lawyer?"),
    ("particular", "What does `len(a)` do?", "What does `sum(a)` do?"),
    ("particular", "Who runs https://one.example?", "Who runs https://two.example?"),
    ("particular", "What is in /etc/hosts?", "What is in /etc/passwd?"),
    (
        "particular",
        "Write a polite mail to <EMAIL_ADDRESS_bcdfghjk> about it.",
        "Write a polite mail to <EMAIL_ADDRESS_zxwvtsrq> about it.",
    ),
    ("quotation", 'Who said "to be or not"?', 'Who said "all is well"?'),
    ("script", "What is this?", "Что это такое?"),
]


@pytest.mark.parametrize(("why", "one", "other"), DIFFERENT)
def test_what_matters_is_told_apart_both_ways(why: str, one: str, other: str) -> None:
    assert why_different(one, other) == why
    assert why_different(other, one) == why


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is the best way to learn chess?", "What's the best way to learn chess?"),
        ("Which phone is best under 15k?", "Which phone is best under 15000?"),
        ("Does Anna like Maria?", "Is Maria liked by Anna?"),
        ("Is it really raining?", "Is it raining?"),
        ("Is the cat in fact on the sofa?", "Is the cat on the sofa?"),
        ("How do I install the printer?", "How can I install a printer?"),
        ("Is India's economy growing?", "Is the Indian economy growing?"),
        ("Is Google or Apple bigger?", "Is Apple or Google bigger?"),
        ("Which is the best book?", "Which book is the best?"),
    ],
)
def test_what_does_not_matter_is_left_to_the_verified_decision(one: str, other: str) -> None:
    assert why_different(one, other) == ""
    assert why_different(one, one) == ""


@pytest.mark.parametrize(
    ("why", "text"),
    [
        ("long", "word " * 121),
        ("long", "x" * (CHARS_MAX + 1)),
        ("empty", "  \n"),
        ("template", "a\nb\nc\nd\ne\nf\ng"),
        ("template", "Fill in [name], [street], [city] and [country] for me."),
        ("code", "What does ```x = 1``` do?"),
        ("code", "Explain foo(bar) to me."),
        ("digits", "17 22 31 8 99 12 4"),
        ("time", "What is the weather like?"),
        ("time", "Who is the current president?"),
        ("personal", "Where is my last order?"),
        ("personal", "What is my name?"),
        ("script", "Что делать сегодня вечером?"),
        ("language", "Wie kann ich das Passwort für das Konto wieder ändern?"),
    ],
)
def test_these_are_only_answered_from_equal_questions(why: str, text: str) -> None:
    assert why_not_similar(text, 0, POLICY) == why


def test_a_plain_question_may_be_answered_from_similar_ones() -> None:
    assert why_not_similar("How do I boil an egg?", 2, POLICY) == ""
    assert why_not_similar("How do I boil an egg?", 3, POLICY) == "history"


def test_answers_that_are_kept_for_minutes_may_be_about_now() -> None:
    assert why_not_similar("What is the latest release?", 0, CachePolicy(ttl_s=60.0)) == ""


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=120), st.text(max_size=120))
def test_any_texts_are_told_apart_the_same_way_round(one: str, other: str) -> None:
    assert bool(why_different(one, other)) == bool(why_different(other, one))
    assert why_different(one, one) == ""


@pytest.mark.parametrize(
    "piece", ["(", "a", "1,", "/a", '"', "\u00e9\u2019x ", "a.", "x@", "$a", "[<", "not "]
)
def test_endless_texts_are_only_answered_from_equal_ones(piece: str) -> None:
    assert why_not_similar(piece * 50_000, 0, POLICY) == "long"
    assert why_different(piece * 50_000, piece * 50_000) == ""
    read(piece * 50_000)
