"""Which guardrails hold, in which order, and what an unknown one means."""

import pytest

from application.guardrails.book import GuardrailBook
from domain.errors import GuardrailUnavailable
from domain.guardrails.terms import Action, Guardrail, Kind, SizeRule
from domain.privacy.policy import Where


def named(name: str, *, everywhere: bool = False) -> Guardrail:
    return Guardrail(
        name=name, kind=Kind.SIZE, rule=SizeRule(chars_max=1), where=frozenset({Where.PROMPTS}),
        action=Action.BLOCK, everywhere=everywhere,
    )  # fmt: skip


def test_they_come_in_the_order_of_the_file_each_once() -> None:
    book = GuardrailBook()
    book.use([named("a"), named("b", everywhere=True), named("c"), named("d")])
    assert [each.name for each in book.of(("d", "a"), ("a", "b")).all] == ["a", "b", "d"]
    assert [each.name for each in book.of((), ()).all] == ["b"]


def test_without_any_nothing_is_asked() -> None:
    book = GuardrailBook()
    assert book.of((), ()).all == ()
    assert book.of((), ()).digest == ""


def test_one_that_nobody_defined_lets_nothing_through() -> None:
    book = GuardrailBook()
    with pytest.raises(GuardrailUnavailable, match="'ghost'"):
        book.of((), ("ghost",))
    book.use([named("ghost")])
    before = book.of((), ("ghost",)).digest
    book.use([named("ghost", everywhere=True), named("more", everywhere=True)])
    assert book.of((), ("ghost",)).digest != before
