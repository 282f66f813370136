"""Who is shadowed, what is never copied, and when there is neither room nor money."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.wire.heads import DialectReader
from adapters.wire.unstreamed import WireUnstreamed
from application.ports.wire import (
    ANTHROPIC_MESSAGES,
    OPENAI_CHAT,
    OPENAI_EMBEDDINGS,
    OPENAI_RESPONSES,
)
from domain.errors import InvalidRequest
from domain.experiments.assignment import assigned_arm
from domain.experiments.experiment import Arm, Experiment, Shadow
from domain.experiments.shadowing import (
    BILL_UNKNOWN_NANO_USD,
    BODY_BYTES_MAX,
    affords,
    counted_nano_usd,
    drawn,
    has_room,
    unfit,
)
from domain.llm.capabilities import Capability
from domain.llm.request import Home, LlmRequest
from tests.unit.experiments.made import experiment

NOW = Arm(name="now", route="chat")
MESSAGES = [{"role": "user", "content": "hi"}]
READER = DialectReader()


def with_shadows(*shadows: Shadow, arms: tuple[Arm, ...] = (NOW,)) -> Experiment:
    return experiment(arms=(*arms, *shadows))


def shadow(share: float = 0.1, name: str = "mirror", **said: float) -> Shadow:
    return Shadow(name=name, route="small", share=share, **said)


def request(dialect: str = OPENAI_CHAT, **fields: object) -> LlmRequest:
    body: dict[str, object] = {"model": "m", "messages": MESSAGES, "max_tokens": 5}
    if dialect == OPENAI_RESPONSES:
        body = {"model": "m", "input": "hi"}
    if dialect == OPENAI_EMBEDDINGS:
        body = {"model": "m", "input": "hi"}
    return READER.read(dialect, json.dumps({**body, **fields}).encode())


@given(st.text(max_size=30), st.text(max_size=30), st.floats(0.0, 1.0, exclude_min=True))
def test_the_same_unit_is_always_shadowed_or_never(tenant: str, unit: str, share: float) -> None:
    one, other = with_shadows(shadow(share)), with_shadows(shadow(share))
    assert drawn(one, tenant, unit) == drawn(other, tenant, unit)


@given(st.text(max_size=30), st.floats(0.01, 1.0), st.floats(0.01, 1.0))
def test_a_larger_share_keeps_whoever_was_in_the_smaller_one(unit: str, one: float, other: float) -> None:
    small, large = sorted((one, other))
    if drawn(with_shadows(shadow(small)), "acme", unit):
        assert drawn(with_shadows(shadow(large)), "acme", unit)


@given(st.text(max_size=30))
def test_a_share_of_one_is_everybody(unit: str) -> None:
    assert drawn(with_shadows(shadow(1.0)), "acme", unit)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_the_share_is_met(share: float) -> None:
    tried = with_shadows(shadow(share))
    found = sum(bool(drawn(tried, "acme", f"user-{number}")) for number in range(20_000))
    # Five standard deviations of a binomial.
    assert abs(found - 20_000 * share) < 5 * (20_000 * share * (1 - share)) ** 0.5


def test_shadows_are_drawn_independently_of_each_other_and_of_arms() -> None:
    arms = (NOW, Arm(name="half", route="small"))
    tried = with_shadows(shadow(0.5, "one"), shadow(0.5, "two"), arms=arms)
    users = [f"user-{number}" for number in range(8000)]
    both = [tuple(each.name for each in drawn(tried, "acme", user)) for user in users]
    assert abs(both.count(("one", "two")) - 2000) < 5 * (8000 * 0.25 * 0.75) ** 0.5
    control = [user for user in users if assigned_arm(tried.arms, tried.salt, "acme", user) == 0]
    in_control = sum(bool(drawn(tried, "acme", user)) for user in control)
    assert abs(in_control - 0.75 * len(control)) < 5 * (len(control) * 0.25 * 0.75) ** 0.5


def test_arms_are_the_same_with_shadows_and_without() -> None:
    arms = (NOW, Arm(name="half", route="small"))
    plain, tried = with_shadows(arms=arms), with_shadows(shadow(), arms=arms)
    for number in range(300):
        user = f"user-{number}"
        assert assigned_arm(plain.arms, "s", "acme", user) == assigned_arm(tried.arms, "s", "acme", user)


def test_a_stopped_shadow_gets_nothing() -> None:
    assert drawn(with_shadows(shadow(1.0)), "acme", "u", {"mirror"}) == ()


def test_control_alone_with_a_shadow_is_an_experiment_and_a_shadow_alone_is_none() -> None:
    assert with_shadows(shadow()).shadows == (shadow(),)
    for arms in ((NOW,), (shadow(), NOW), (shadow(), shadow(name="b"))):
        with pytest.raises(InvalidRequest):
            experiment(arms=arms)
    for wrong in (shadow(0.0), shadow(1.1), shadow(usd_per_day=0.0), shadow(usd_per_day=float("nan"))):
        with pytest.raises(InvalidRequest):
            with_shadows(wrong)


def test_plain_requests_may_be_copied() -> None:
    for fit in (
        request(),
        request(stream=True),
        request(ANTHROPIC_MESSAGES),
        request(OPENAI_RESPONSES, store=False),
        request(tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}]),
    ):
        assert unfit(fit) == ""


def test_what_leaves_something_behind_or_refers_to_it_is_never_copied() -> None:
    home = Home(target_id="a/big", provider="a", credential="")
    for wrong, why in (
        (request(OPENAI_EMBEDDINGS), "operation"),
        (request(store=True), "kept at the provider"),
        (request(OPENAI_RESPONSES), "kept at the provider"),
        (request(OPENAI_RESPONSES, store=True), "kept at the provider"),
        (replace(request(), background=True), "kept at the provider"),
        (
            request(OPENAI_RESPONSES, store=False, previous_response_id="resp_1"),
            "continues a kept answer",
        ),
        (replace(request(), home=home), "continues a kept answer"),
        (replace(request(), own_credential=("authorization", "mine")), "own credential"),
        (replace(request(), native_only=("tools.0.type", "web_search")), "tools of the provider"),
        (replace(request(), body=b" " * (BODY_BYTES_MAX + 1)), "too long"),
    ):
        assert unfit(wrong) == why
    image = {"type": "image_url", "image_url": {"url": "https://pictures.example/a.png"}}
    document = {"type": "file", "file": {"file_id": "file-1"}}
    assert unfit(request(messages=[{"role": "user", "content": [document]}])) == "files or addresses"
    assert unfit(request(messages=[{"role": "user", "content": [image]}])) == ""


@given(st.integers(1, 10_000), st.integers(0, 10_000))
def test_nothing_is_sent_while_half_of_the_slots_are_taken(slots: int, taken: int) -> None:
    assert has_room(slots, taken) == (taken < max(1, slots // 2))


@given(st.integers(0, 10**9), st.lists(st.integers(1, 10**8), max_size=60))
def test_a_cap_is_kept_when_no_call_costs_more_than_expected(cap: int, bills: list[int]) -> None:
    dearest, spent = max(bills, default=0), 0
    for bill in bills:
        if affords(cap, spent, 0, dearest):
            spent += bill
    assert spent <= cap


@given(st.integers(1, 10**9), st.integers(1, 10**8), st.integers(0, 20))
def test_calls_that_run_are_counted_before_their_bills_come(cap: int, expected: int, running: int) -> None:
    if affords(cap, 0, running, expected):
        assert (running + 1) * expected <= cap


def test_a_bill_that_nobody_knows_counts_something() -> None:
    assert counted_nano_usd(None, 0) == BILL_UNKNOWN_NANO_USD
    assert counted_nano_usd(None, 10**9) == 10**9
    assert counted_nano_usd(0, 10**9) == 0


def test_a_stream_is_asked_whole_and_the_rest_stays_byte_for_byte() -> None:
    body = b'{"model":"m", "stream" : true,"temperature":1.50,"stream_options":{"include_usage":true},'
    body += b'"messages":[{"role":"user","content":"\\u00fc stream"}]}'
    asked = READER.read(OPENAI_CHAT, body)
    found = WireUnstreamed().whole(asked)
    assert found is not None
    assert asked.stream and not found.stream and not found.include_usage
    assert found.body == (
        b'{"model":"m","temperature":1.50,"messages":[{"role":"user","content":"\\u00fc stream"}]}'
    )
    assert not int(found.needs) & int(Capability.STREAMING)
    assert READER.read(OPENAI_CHAT, found.body).stream is False
    assert asked.body == body


def test_a_whole_request_is_asked_as_it_is() -> None:
    asked = request()
    found = WireUnstreamed().whole(asked)
    assert found == asked and found is not asked
