"""Headers: credentials in order, demands with their names, bounded attribution."""

import pytest

from domain.errors import InvalidRequest, InvalidRequirements, Unauthenticated
from domain.llm.capabilities import Capability
from entrypoints.http.callers import (
    CREDENTIAL_HEADERS,
    credential,
    read_attribution,
    read_headers,
    read_requirements,
)


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({b"authorization": b"Bearer k1"}, "k1"),
        ({b"authorization": b"bearer  k1 "}, "k1"),
        ({b"x-api-key": b"k2"}, "k2"),
        ({b"api-key": b"k3"}, "k3"),
        ({b"x-goog-api-key": b"k4"}, "k4"),
        ({b"x-portkey-api-key": b"k5"}, "k5"),
        ({b"x-interchange-key": b"ours", b"authorization": b"Bearer theirs"}, "ours"),
        ({b"authorization": b"Basic abc", b"x-api-key": b"k6"}, "k6"),
        ({b"authorization": b"Bearer of-a-provider", b"x-portkey-api-key": b"k7"}, "k7"),
    ],
)
def test_a_key_is_found_in_any_of_its_headers(headers: dict[bytes, bytes], key: str) -> None:
    assert credential(headers) == key


def test_without_a_key_the_accepted_headers_are_named() -> None:
    with pytest.raises(Unauthenticated, match="x-interchange-key"):
        credential({b"authorization": b"Basic abc"})


def test_demands_are_read() -> None:
    wanted = read_requirements(
        {
            b"x-interchange-capabilities": b"vision, function_calling",
            b"x-interchange-max-cost-per-token": b"0.000001",
            b"x-interchange-max-cost-usd": b"0.05",
            b"x-interchange-max-latency-ms": b"1500",
            b"x-interchange-residency": b"eu-west",
            b"x-interchange-quality-floor": b"0.7",
            b"x-interchange-strategy": b"cost",
        }
    )
    assert wanted.capabilities == Capability.VISION | Capability.FUNCTION_CALLING
    assert wanted.max_cost_nano_usd_per_mtok == 1_000_000_000
    assert wanted.max_cost_nano_usd == 50_000_000
    assert wanted.max_latency_ms == 1500
    assert wanted.residency == "eu-west"
    assert wanted.quality_floor == 0.7
    assert wanted.strategy == "cost"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"x-interchange-capabilities", b"telepathy"),
        (b"x-interchange-max-cost-per-token", b"free"),
        (b"x-interchange-max-cost-usd", b"-1"),
        (b"x-interchange-max-cost-usd", b"nan"),
        (b"x-interchange-max-latency-ms", b"1.5"),
        (b"x-interchange-max-latency-ms", b"0"),
        (b"x-interchange-quality-floor", b"2"),
    ],
)
def test_a_demand_that_cannot_be_read_names_its_header(name: bytes, value: bytes) -> None:
    with pytest.raises(InvalidRequirements) as caught:
        read_requirements({name: value})
    assert caught.value.param == name.decode()


def test_a_callers_headers_travel_and_ours_are_noticed() -> None:
    call = read_headers(
        [
            (b"anthropic-beta", b"x"),
            (b"x-stainless-lang", b"python"),
            (b"x-interchange-trace", b"1"),
            (b"a", b"b"),
        ]
    )
    assert call.vendor_headers == (("anthropic-beta", "x"), ("x-stainless-lang", "python"), ("a", "b"))
    assert call.has_wishes


@pytest.mark.parametrize(
    "name",
    [
        *CREDENTIAL_HEADERS,
        b"openai-organization",
        b"openai-project",
        b"cookie",
        b"host",
        b"transfer-encoding",
        b"content-length",
        b"x-forwarded-for",
        b"cf-connecting-ip",
        b"x-portkey-config",
        b"x-interchange-agent-id",
        b"traceparent",
    ],
)
def test_what_is_ours_the_operators_or_the_connections_never_travels(name: bytes) -> None:
    assert read_headers([(name, b"v")]).vendor_headers == ()


def test_attribution_is_bounded_and_claude_codes_session_counts() -> None:
    who = read_attribution({b"x-interchange-agent-id": b"a" * 999, b"x-claude-code-session-id": b"s1"})
    assert len(who.agent_id) == 256
    assert who.session_id == "s1"


@pytest.mark.parametrize("value", [b"[1]", b"{", b'{"a":"' + b"x" * 5000 + b'"}'])
def test_metadata_must_be_a_small_json_object(value: bytes) -> None:
    with pytest.raises(InvalidRequest, match="x-interchange-metadata"):
        read_attribution({b"x-interchange-metadata": value})


def test_a_callers_own_id_is_kept_beside_ours() -> None:
    assert read_attribution({b"x-request-id": b"abc-1"}).client_request_id == "abc-1"
    both = {b"x-request-id": b"abc-1", b"x-client-request-id": b"c" * 999}
    assert read_attribution(both).client_request_id == "c" * 256
