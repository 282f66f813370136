"""What the gateway is told, and what is known of what it forwards."""

import pytest

from adapters.portkey.endpoint import GatewayAddress, PortkeyTarget, gateway_address, portkey_target
from adapters.portkey.forwarded_fields import (
    GatewayRoute,
    forwarded_fields,
    known_slugs,
    model_family,
)
from adapters.portkey.headers import TargetHeaders, timeout_ms

OPENAI = PortkeyTarget(slug="openai", api_key="sk-1", custom_host="http://127.0.0.1:9/v1/")


def test_a_call_names_provider_key_host_timeout_and_trace() -> None:
    headers = dict(TargetHeaders(OPENAI).for_call(timeout_s=30.0, request_id="req_1"))
    assert headers == {
        "content-type": "application/json",
        "x-portkey-provider": "openai",
        "authorization": "Bearer sk-1",
        "x-portkey-custom-host": "http://127.0.0.1:9/v1",
        "x-portkey-request-timeout": "29950",
        "x-portkey-strict-open-ai-compliance": "true",
        "x-portkey-trace-id": "req_1",
    }


def test_policy_is_never_handed_over() -> None:
    target = PortkeyTarget(slug="openai", api_key="k", headers=[("X-Extra", "1")])
    names = {
        name for name, _ in TargetHeaders(target).for_call(timeout_s=1, request_id="r", gateway_key="pk")
    }
    assert not names & {"x-portkey-config", "x-portkey-retry-count", "x-portkey-cache", "x-portkey-mode"}


def test_a_provider_without_a_key_gets_no_authorization() -> None:
    headers = dict(TargetHeaders(PortkeyTarget(slug="ollama")).for_call(timeout_s=1, request_id=""))
    assert "authorization" not in headers
    assert "x-portkey-trace-id" not in headers


def test_vendor_headers_reach_the_provider_but_cannot_speak_to_the_gateway() -> None:
    caller = [
        ("Anthropic-Beta", "x"),
        ("x-portkey-custom-host", "http://evil.example"),
        ("X-Portkey-Config", "{}"),
        ("authorization", "Bearer theirs"),
    ]
    headers = TargetHeaders(OPENAI).for_call(timeout_s=1, request_id="r", vendor_headers=caller)
    assert ("anthropic-beta", "x") in headers
    assert ("x-portkey-forward-headers", "anthropic-beta") in headers
    assert [value for name, value in headers if name == "authorization"] == ["Bearer sk-1"]
    assert [value for name, value in headers if name == "x-portkey-custom-host"] == ["http://127.0.0.1:9/v1"]
    assert not [name for name, _ in headers if name == "x-portkey-config"]


def test_the_operators_headers_go_to_the_gateway_or_on_to_the_provider_by_their_name() -> None:
    target = PortkeyTarget(
        slug="bedrock", headers=[("x-portkey-aws-region", "eu-west-1"), ("X-Team", "blue")]
    )
    headers = dict(TargetHeaders(target).for_call(timeout_s=1, request_id="r"))
    assert headers["x-portkey-aws-region"] == "eu-west-1"
    assert headers["x-team"] == "blue"
    assert headers["x-portkey-forward-headers"] == "x-team"


@pytest.mark.parametrize(("timeout_s", "expected"), [(0.0, 1), (0.05, 1), (0.1, 50), (600.0, 599_950)])
def test_the_gateway_gives_up_a_little_before_we_do(timeout_s: float, expected: int) -> None:
    assert timeout_ms(timeout_s) == expected


def test_the_portkey_key_goes_to_portkeys_own_host_only() -> None:
    assert gateway_address("https://api.portkey.ai/v1", api_key="pk").api_key == "pk"
    assert gateway_address("http://127.0.0.1:8787", api_key="pk").api_key is None
    assert gateway_address("https://api.portkey.ai.evil.example", api_key="pk").api_key is None
    own = GatewayAddress(url="https://gateway.example", api_key="pk-2")
    assert gateway_address(own, api_key="pk") is own


@pytest.mark.parametrize(
    ("url", "prefix"),
    [("http://h:1", ""), ("http://h:1/", ""), ("http://h:1/v1", ""), ("http://h:1/llm/v1/", "/llm")],
)
def test_a_gateways_url_may_end_in_v1_or_have_a_path_in_front(url: str, prefix: str) -> None:
    assert GatewayAddress(url=url).path_prefix == prefix


@pytest.mark.parametrize("url", ["127.0.0.1:8787", "ftp://h", "http://", ""])
def test_a_gateway_without_scheme_or_host_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="Portkey gateway"):
        _ = GatewayAddress(url=url).endpoint


def test_no_representation_shows_a_key() -> None:
    assert "sk-1" not in repr(OPENAI)
    assert "pk" not in repr(GatewayAddress(url="https://h", api_key="pk"))


def test_openai_loses_what_openai_does_not_know() -> None:
    fields = forwarded_fields(GatewayRoute.CHAT, "openai", "m")
    assert fields is not None
    assert {"model", "messages", "stream", "stream_options", "tools", "reasoning_effort"} <= fields
    assert not fields & {"top_k", "min_p", "thinking", "prompt_cache_retention"}


@pytest.mark.parametrize(
    ("slug", "model", "family"),
    [
        ("openai", "anthropic.x", "openai"),
        ("bedrock", "anthropic.claude", "bedrock/anthropic"),
        ("bedrock", "eu.anthropic.claude", "bedrock/anthropic"),
        ("bedrock", "amazon.nova", "bedrock/amazon"),
        ("bedrock", "deepseek.r1", "bedrock"),
        ("vertex-ai", "anthropic.claude", "vertex-ai/anthropic"),
        ("vertex-ai", "gemini-2.0-flash", "vertex-ai"),
    ],
)
def test_a_models_family_is_told_by_its_name(slug: str, model: str, family: str) -> None:
    assert model_family(slug, model) == family


def test_a_route_a_provider_does_not_have_is_not_offered() -> None:
    assert forwarded_fields(GatewayRoute.EMBEDDINGS, "anthropic", "m") is None
    assert forwarded_fields(GatewayRoute.CHAT, "nobody", "m") is None
    assert forwarded_fields(GatewayRoute.MESSAGES, "openai", "m") is None
    assert forwarded_fields(GatewayRoute.MESSAGES, "vertex-ai", "anthropic.claude") is not None


def test_every_row_of_every_table_forwards_its_essential_field() -> None:
    essential = {
        GatewayRoute.CHAT: {"messages"},
        GatewayRoute.COMPLETIONS: {"prompt"},
        GatewayRoute.EMBEDDINGS: {"input"},
        GatewayRoute.MESSAGES: {"messages"},
        GatewayRoute.COUNT_TOKENS: {"messages"},
    }
    assert len(known_slugs()) > 55
    for route, needed in essential.items():
        for slug in known_slugs():
            fields = forwarded_fields(route, slug, "m")
            if fields is not None:
                assert needed <= fields, (route, slug)


@pytest.mark.parametrize(
    ("slug", "base_url", "own_host", "wire", "told"),
    [
        ("openai", "https://api.openai.com/v1", False, "openai", ("openai", None)),
        ("openai", "http://127.0.0.1:9/v1", True, "openai", ("openai", "http://127.0.0.1:9/v1")),
        ("deepseek", "https://api.deepseek.com", False, "openai", ("openai", "https://api.deepseek.com")),
        ("deepseek", None, False, "openai", ("deepseek", None)),
        ("x-ai", "https://api.x.ai/v1", False, "openai", ("x-ai", None)),
        ("no-such-slug", "http://h/v1", True, "openai", ("openai", "http://h/v1")),
        ("anthropic", "https://api.anthropic.com/v1", False, "anthropic", ("anthropic", None)),
        ("google", "http://h:1/v1beta", True, "gemini", ("google", "http://h:1")),
    ],
)
def test_a_provider_is_told_in_the_way_that_loses_least(
    slug: str, base_url: str | None, own_host: bool, wire: str, told: tuple[str, str | None]
) -> None:
    target = portkey_target(slug, base_url=base_url, own_host=own_host, wire=wire)
    assert (target.slug, target.custom_host) == told
