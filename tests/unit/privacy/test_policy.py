"""Of two policies the stricter wins, and placeholders lead back to what they stand for, nowhere else."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from application.privacy.policies import PolicyBook
from domain.errors import PrivacyUnavailable
from domain.privacy.kinds import PiiKind
from domain.privacy.placeholders import (
    HELD_CHARS_MAX,
    Placeholders,
    certain_until,
    is_placeholder,
    tenant_key,
)
from domain.privacy.policy import BUILT_IN, Act, EffectivePolicy, PrivacyPolicy, RouteDemand, Where

KINDS = (PiiKind.EMAIL_ADDRESS, PiiKind.CREDIT_CARD, PiiKind.JWT)
ACTS = st.sampled_from(list(Act))


@st.composite
def policies(draw: st.DrawFn, name: str = "a") -> PrivacyPolicy:
    return PrivacyPolicy(
        name=name,
        default=draw(ACTS),
        kinds=draw(st.dictionaries(st.sampled_from(KINDS), ACTS)),
        where=frozenset(draw(st.sets(st.sampled_from(list(Where))))),
        allow=tuple(draw(st.lists(st.sampled_from(["a+", "b"]), max_size=2))),
        route=RouteDemand(tags=frozenset({name})),
    )


def alone(policy: PrivacyPolicy, kind: PiiKind, where: Where, value: str) -> Act:
    if any(re.fullmatch(each, value) for each in policy.allow):
        return Act.OFF
    return policy.act(kind, where)


@given(
    policies("a"), policies("b"), st.sampled_from(KINDS), st.sampled_from(list(Where)), st.sampled_from("abc")
)
@settings(max_examples=300)
def test_two_policies_are_never_looser_than_either(
    one: PrivacyPolicy, other: PrivacyPolicy, kind: PiiKind, where: Where, value: str
) -> None:
    both = EffectivePolicy([one, other])
    strictest = max(alone(one, kind, where, value), alone(other, kind, where, value))
    assert both.act(kind, where, value) == strictest
    assert EffectivePolicy([other, one]).act(kind, where, value) == strictest
    if strictest > Act.OFF:
        assert kind in both.sought[where]
    if strictest > Act.DETECT:
        assert kind in both.enforced[where]
        assert both.enforces
    if strictest is Act.ROUTE:
        assert both.demands(kind, where)


@given(policies("a"), policies("b"))
def test_what_a_policy_does_is_in_its_digest(one: PrivacyPolicy, other: PrivacyPolicy) -> None:
    same = EffectivePolicy([one]).digest == EffectivePolicy([other]).digest
    told = [(p.default, dict(p.kinds), p.where, p.allow, p.route) for p in (one, other)]
    assert same == (told[0] == told[1])


def test_a_route_replaces_the_general_policy_and_a_tenant_only_adds() -> None:
    book = PolicyBook()
    book.use("redact", {"own": PrivacyPolicy(name="own", kinds={PiiKind.JWT: Act.BLOCK})})
    email = (PiiKind.EMAIL_ADDRESS, Where.PROMPTS, "x")
    assert book.effective("", "").act(*email) is Act.REDACT
    assert book.effective("off", "").act(*email) is Act.OFF
    assert book.effective("off", "tokenise").act(*email) is Act.TOKENISE
    assert book.effective("", "tokenise").act(*email) is Act.REDACT
    assert book.effective("own", "").act(PiiKind.JWT, Where.PROMPTS, "x") is Act.BLOCK


def test_a_policy_that_nobody_defined_lets_nothing_pass() -> None:
    with pytest.raises(PrivacyUnavailable, match="'lost'"):
        PolicyBook().effective("", "lost")


def test_built_in_policies_do_one_thing_to_everything() -> None:
    for name, policy in BUILT_IN.items():
        assert {policy.act(kind, where) for kind in PiiKind for where in Where} == {Act[name.upper()]}


VALUES = st.text(min_size=1, max_size=30)


@given(st.lists(st.tuples(st.sampled_from(list(PiiKind)), VALUES), max_size=12), st.text(max_size=20))
@settings(max_examples=200)
def test_placeholders_lead_back(values: list[tuple[PiiKind, str]], between: str) -> None:
    own = Placeholders(b"key")
    tokens = [own.stand_for(kind, value, reversible=True) for kind, value in values]
    assert all(is_placeholder(token) for token in tokens)
    for (kind, value), token in zip(values, tokens, strict=True):
        assert own.stand_for(kind, value, reversible=True) == token
        first = own.values[token[1:-1]]
        assert own.restored(f"{between}\n{token}\n") in (
            f"{between}\n{first}\n",
            f"{own.restored(between)}\n{first}\n",
        )
    again = Placeholders(b"key")
    assert [again.stand_for(kind, value, reversible=True) for kind, value in values] == tokens


@given(st.text(max_size=60), st.integers(0, 60))
def test_whatever_may_become_a_placeholder_is_held(text: str, at: int) -> None:
    own = Placeholders(b"key")
    token = own.stand_for(PiiKind.EMAIL_ADDRESS, "bob@example.com", reversible=True)
    whole = text + token + text
    held, said = "", ""
    for piece in (whole[:at], whole[at : at + 5], whole[at + 5 :]):
        held += piece
        certain = certain_until(held)
        assert len(held) - certain <= HELD_CHARS_MAX
        said, held = said + own.restored(held[:certain]), held[certain:]
    assert said + own.restored(held) == text + "bob@example.com" + text


def test_spellings_of_one_value_share_a_placeholder_and_tenants_do_not() -> None:
    one, other = Placeholders(tenant_key(b"s", "a")), Placeholders(tenant_key(b"s", "b"))
    card = [one.stand_for(PiiKind.CREDIT_CARD, text, reversible=True) for text in ("4111 1111", "4111-1111")]
    assert len(set(card)) == 1
    assert one.restored(card[0]) == "4111 1111"
    assert other.stand_for(PiiKind.CREDIT_CARD, "4111 1111", reversible=True) != card[0]
    assert one.stand_for(PiiKind.EMAIL_ADDRESS, "A@b.c", reversible=True) == one.stand_for(
        PiiKind.EMAIL_ADDRESS, "a@b.c", reversible=True
    )


def test_a_placeholder_for_good_leads_nowhere_and_a_strangers_neither() -> None:
    own = Placeholders(b"key")
    token = own.stand_for(PiiKind.EMAIL_ADDRESS, "a@b.c", reversible=False)
    strange = Placeholders(b"other").stand_for(PiiKind.EMAIL_ADDRESS, "a@b.c", reversible=True)
    assert own.restored(f"{token} {strange}") == f"{token} {strange}"


def test_two_values_with_the_same_letters_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    from domain.privacy import placeholders

    letters = {"a": "bbbbbbbbcccccccc", "b": "bbbbbbbbdddddddd"}
    monkeypatch.setattr(placeholders, "_letters", lambda _key, _kind, value: letters[value])
    own = Placeholders(b"key")
    one, other = (own.stand_for(PiiKind.JWT, value, reversible=True) for value in "ab")
    assert (one, other) == ("<JWT_bbbbbbbb>", "<JWT_bbbbbbbbd>")
    assert own.restored(f"{one}{other}") == "ab"
