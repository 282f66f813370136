"""Texts of callers and of providers, however long and odd, cost a bounded amount of work."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.memory.scripted_llm import Script
from application.runtime import Runtime
from application.use_cases.report_verified_reuse import ReportVerifiedReuse
from domain.caching import reading
from domain.caching.answers_alike import CHARS_MAX, alike_in_words
from domain.caching.guards import why_different, why_not_similar
from domain.caching.policy import CacheMode, CachePolicy
from tests.unit.application.upstreams import virtually
from tests.unit.caching.similar_world import SimilarBench

VERIFIED = CachePolicy(mode=CacheMode.VERIFIED)
ODD = [
    "$",
    "$a",
    "<a",
    "[",
    "{;",
    "'a ",
    "a-",
    "1,",
    "1.",
    " ",
    "\n",
    "`",
    "n't ",
    "a@",
    "/a",
    "\u0130",
    "\ufdfa",
]


@pytest.mark.parametrize("odd", ODD)
def test_a_question_is_read_up_to_a_length_and_never_compared_beyond_it(odd: str) -> None:
    text = odd * 100_000
    assert why_not_similar(text, 0, VERIFIED) in ("long", "empty")
    assert reading.read(text) == reading.read(text[: reading.CHARS_MAX])
    assert why_different(text, text) == ""
    why_different(text, text + " more")


@given(st.text(max_size=400), st.text(max_size=400))
@settings(max_examples=150)
def test_no_text_breaks_the_guards(new: str, kept: str) -> None:
    assert isinstance(why_not_similar(new, 0, VERIFIED), str)
    assert why_different(new, kept) == "" or new != kept


def test_long_answers_are_compared_letter_by_letter_or_not_at_all() -> None:
    text = "a b " * CHARS_MAX
    assert alike_in_words(text, text) is True
    assert alike_in_words(text, text + ".") is None
    assert alike_in_words(text[:CHARS_MAX], text[:CHARS_MAX].upper()) is True


@virtually
async def test_measured_errors_are_worked_out_for_the_most_audited_only() -> None:
    world = SimilarBench({"alpha/m": Script(text="x")}, VERIFIED)
    for number in range(100):
        for _ in range(number % 7):
            world.book.learn(("default", f"route-{number}"), (), same=True, audit=True)
    runtime = Runtime(world.bench._table, world.bench.live)
    shown = ReportVerifiedReuse(runtime, world.book, world.beside).most_audited(10)
    assert len(shown) == 10 and {one.audited for _, one in shown} == {6}
