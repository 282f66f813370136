"""What is told of measured errors was measured, under the rule that serves, and asking changes nothing."""

import asyncio
from dataclasses import replace

from adapters.memory.scripted_llm import Script
from application.caching.verified_book import Standing, VerifiedBook
from domain.caching.intervals import exact_interval
from domain.caching.policy import CacheMode, CachePolicy
from domain.caching.priors import prior_of
from domain.llm.usage import Usage
from domain.tenancy.role import local_operator
from tests.unit.application.upstreams import virtually
from tests.unit.caching.similar_world import SimilarBench

A = "alpha/m"
TOLD = Script(text="Paris is the capital", usage=Usage(10, 3))
WRONG = replace(TOLD, text="Rome")
LONG = "There is a very long and winding answer to that which nobody could compare by its words alone "
THRESHOLD = CachePolicy(mode=CacheMode.THRESHOLD, similarity_threshold=0.8, audit_share=1.0)
VERIFIED = CachePolicy(mode=CacheMode.VERIFIED, similarity_threshold=0.8)
ONE, OTHER = "what is the capital city of france", "what is the capital city of france then"
SUBJECT = local_operator().tenant_id, "auto"


async def audited(world: SimilarBench) -> Standing:
    """After one hit on a similar question and its audit."""
    await world.start()
    running = asyncio.create_task(world.beside.run())
    await world.ask(ONE)
    await world.tick()
    await world.ask(OTHER)
    await asyncio.sleep(5)
    await world.tick()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    standing = world.book.standing(SUBJECT)
    assert standing is not None
    return standing


@virtually
async def test_errors_of_mode_threshold_are_measured_and_do_not_teach_the_other_mode_caution() -> None:
    standing = await audited(SimilarBench({A: [TOLD, WRONG]}, THRESHOLD))
    rates = standing.rates
    assert (rates.hits, rates.audited, rates.wrong) == (1, 1, 1)
    assert rates.error_interval == exact_interval(1, 1)
    assert standing.model.strictness == 0 and standing.model.labels == 1


@virtually
async def test_what_nobody_could_judge_is_told_and_is_neither_right_nor_wrong() -> None:
    answers = [replace(TOLD, text=LONG + "yes"), replace(TOLD, text=LONG + "no")]
    rates = (await audited(SimilarBench({A: answers}, THRESHOLD))).rates
    assert (rates.hits, rates.audited, rates.wrong, rates.unjudged) == (1, 0, 0, 1)


def judge(book: VerifiedBook, policy: CachePolicy, **more: bool) -> None:
    book.judge(SUBJECT, policy, new=OTHER, kept=ONE, similarity=0.95, margin=None, **more)


def test_under_another_rule_measuring_begins_anew() -> None:
    book = VerifiedBook(prior_of("hashing"))
    for policy in (VERIFIED, replace(VERIFIED, error_rate=0.05), THRESHOLD, VERIFIED):
        judge(book, policy)
        standing = book.standing(SUBJECT)
        assert standing is not None and standing.rates.audited == 0
        book.served(SUBJECT)
        book.learn(SUBJECT, (), same=False, audit=True)
        assert standing.rates.audited == standing.rates.wrong == 1
        judge(book, policy)
        judge(book, replace(policy, ttl_s=7.0))
        assert book.standing(SUBJECT) is standing and standing.rates.audited == 1


def test_a_book_that_was_saved_goes_on_with_the_rule_it_measured_under() -> None:
    book, again = VerifiedBook(prior_of("hashing")), VerifiedBook(prior_of("hashing"))
    judge(book, THRESHOLD)
    book.served(SUBJECT)
    book.unjudged(SUBJECT)
    again.take_up(book.learned())
    judge(again, THRESHOLD)
    assert again.learned() == book.learned()
    judge(again, VERIFIED)
    standing = again.standing(SUBJECT)
    assert standing is not None and standing.rates.hits == standing.rates.unjudged == 0


def test_whoever_only_asks_changes_nothing() -> None:
    book = VerifiedBook(prior_of("hashing"))
    judge(book, VERIFIED, only_asking=True)
    assert book.subjects() == ()
    judge(book, VERIFIED)
    before = book.learned()
    for _ in range(200):
        judge(book, replace(VERIFIED, error_rate=0.5), only_asking=True)
    assert book.learned() == before
