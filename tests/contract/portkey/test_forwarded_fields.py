"""The table of forwarded fields against the real gateway: every provider, every field, one look each.

Each field carries a value found nowhere else, and the provider looks for it in what arrives, under
whatever name. Fields whose value is no fingerprint (booleans, small counts) are looked up by their name
where Portkey keeps it.
"""

import json
from typing import Any

import pytest

from adapters.http.transport import StreamlinedTransport
from adapters.portkey.endpoint import GatewayAddress, PortkeyTarget
from adapters.portkey.forwarded_fields import GatewayRoute, forwarded_fields, known_slugs
from adapters.portkey.headers import TargetHeaders
from application.ports.http import HttpRequest
from tests.contract.portkey.calls import HELLO, KEY
from tests.contract.portkey.recording import RecordingServer

pytestmark = pytest.mark.portkey

FINGERPRINTS: dict[GatewayRoute, dict[str, tuple[Any, str]]] = {
    GatewayRoute.CHAT: {
        "frequency_penalty": (0.517, "0.517"),
        "presence_penalty": (0.418, "0.418"),
        "temperature": (0.313, "0.313"),
        "top_p": (0.719, "0.719"),
        "seed": (7654321, "7654321"),
        "max_tokens": (4711, "4711"),
        "stop": (["HALT-7"], "HALT-7"),
        "user": ("user-8812", "user-8812"),
        "logit_bias": ({"50256": -97}, "50256"),
        "metadata": ({"a": "meta-331"}, "meta-331"),
        "prompt_cache_key": ("pck-551", "pck-551"),
        "prompt_cache_retention": ("pcr-77h", "pcr-77h"),
        "safety_identifier": ("sid-992", "sid-992"),
        "service_tier": ("flex-tier", "flex-tier"),
        "verbosity": ("verb-low", "verb-low"),
        "prediction": ({"type": "content", "content": "pred-120"}, "pred-120"),
        "audio": ({"voice": "voice-66", "format": "wav"}, "voice-66"),
        "web_search_options": ({"search_context_size": "wso-3"}, "wso-3"),
        "tools": (
            [{"type": "function", "function": {"name": "fn_881", "parameters": {"type": "object"}}}],
            "fn_881",
        ),
        "functions": ([{"name": "legacy_992", "parameters": {"type": "object"}}], "legacy_992"),
        "min_p": (0.0917, "0.0917"),
        "repetition_penalty": (1.113, "1.113"),
        "frobnicate": ("frob-1", "frob-1"),
    },
    GatewayRoute.COMPLETIONS: {
        "frequency_penalty": (0.517, "0.517"),
        "presence_penalty": (0.418, "0.418"),
        "temperature": (0.313, "0.313"),
        "top_p": (0.719, "0.719"),
        "seed": (7654321, "7654321"),
        "suffix": ("suf-19", "suf-19"),
        "user": ("user-8812", "user-8812"),
        "stop": (["HALT-7"], "HALT-7"),
        "frobnicate": ("frob-1", "frob-1"),
    },
    GatewayRoute.EMBEDDINGS: {
        "user": ("user-8812", "user-8812"),
        "dimensions": (1371, "1371"),
        "encoding_format": ("enc-b64", "enc-b64"),
        "frobnicate": ("frob-1", "frob-1"),
    },
    GatewayRoute.MESSAGES: {
        "temperature": (0.313, "0.313"),
        "top_p": (0.719, "0.719"),
        "top_k": (9137, "9137"),
        "system": ("sys-661", "sys-661"),
        "stop_sequences": (["HALT-7"], "HALT-7"),
        "metadata": ({"user_id": "meta-331"}, "meta-331"),
        "service_tier": ("flex-tier", "flex-tier"),
        "container": ("cont-4", "cont-4"),
        "mcp_servers": ([{"type": "url", "url": "https://mcp.example", "name": "mcp-8"}], "mcp-8"),
        "thinking": ({"type": "enabled", "budget_tokens": 10247}, "10247"),
        "tools": ([{"name": "fn_881", "input_schema": {"type": "object"}}], "fn_881"),
        "output_config": ({"effort": "eff-2"}, "eff-2"),
        "context_management": ({"edits": [{"type": "cm-5"}]}, "cm-5"),
        "frobnicate": ("frob-1", "frob-1"),
    },
    GatewayRoute.RESPONSES: {
        "conversation": ("conv-17", "conv-17"),
        "include": (["incl-8"], "incl-8"),
        "instructions": ("inst-66", "inst-66"),
        "max_output_tokens": (4711, "4711"),
        "max_tool_calls": (5713, "5713"),
        "metadata": ({"a": "meta-331"}, "meta-331"),
        "previous_response_id": ("resp-99x", "resp-99x"),
        "prompt": ({"id": "pmpt-4"}, "pmpt-4"),
        "prompt_cache_key": ("pck-551", "pck-551"),
        "prompt_cache_retention": ("pcr-77h", "pcr-77h"),
        "reasoning": ({"effort": "eff-2"}, "eff-2"),
        "safety_identifier": ("sid-992", "sid-992"),
        "service_tier": ("flex-tier", "flex-tier"),
        "temperature": (0.313, "0.313"),
        "text": ({"verbosity": "verb-low"}, "verb-low"),
        "tools": ([{"type": "custom", "name": "fn_881"}], "fn_881"),
        "tool_choice": ({"type": "custom", "name": "choice-3"}, "choice-3"),
        "top_logprobs": (17, "17"),
        "top_p": (0.719, "0.719"),
        "truncation": ("trunc-1", "trunc-1"),
        "user": ("user-8812", "user-8812"),
        "context_management": ([{"type": "cm-5"}], "cm-5"),
        "frobnicate": ("frob-1", "frob-1"),
    },
}
BASE: dict[GatewayRoute, dict[str, Any]] = {
    GatewayRoute.CHAT: {"messages": HELLO["messages"]},
    GatewayRoute.COMPLETIONS: {"prompt": "hi", "max_tokens": 5},
    GatewayRoute.EMBEDDINGS: {"input": "hi"},
    GatewayRoute.MESSAGES: HELLO,
    GatewayRoute.RESPONSES: {"input": "hi", "background": False, "store": False},
}
MODELS = {
    "bedrock": ("anthropic.m", "amazon.m", "cohere.m", "other"),
    "vertex-ai": ("gemini-m", "anthropic.m"),
}
CLOUD_HEADERS = {
    "bedrock": {"aws-access-key-id": "AK", "aws-secret-access-key": "SK", "aws-region": "eu-west-1"},
    "vertex-ai": {"vertex-region": "eu-west1", "vertex-project-id": "p"},
    "azure-openai": {
        "azure-resource-name": "r",
        "azure-deployment-id": "d",
        "azure-api-version": "2024-10-21",
    },
    "azure-ai": {"azure-foundry-url": "https://f.example", "azure-api-version": "2024-10-21"},
    "workers-ai": {"workers-ai-account-id": "acc"},
}
SIGNS_ITS_BODY = frozenset({"oracle"})
"""Its request cannot be made without a real private key; its row comes from the source alone."""


def offered(route: GatewayRoute) -> list[tuple[str, str]]:
    """Every provider and model family that the table knows for a route."""
    return [
        (slug, model)
        for slug in sorted(known_slugs() - SIGNS_ITS_BODY)
        for model in MODELS.get(slug, ("model-x",))
        if forwarded_fields(route, slug, model) is not None
    ]


async def arriving(
    gateway_url: str,
    provider: RecordingServer,
    transport: StreamlinedTransport,
    route: GatewayRoute,
    slug: str,
    model: str,
) -> str:
    """The body the provider gets when every field of the route is set."""
    extra = [(f"x-portkey-{name}", value) for name, value in CLOUD_HEADERS.get(slug, {}).items()]
    target = PortkeyTarget(slug=slug, api_key=KEY, custom_host=provider.url, headers=extra)
    fields = {name: value for name, (value, _) in FINGERPRINTS[route].items()}
    gateway = GatewayAddress(url=gateway_url)
    seen = len(provider.requests)
    response = await transport.send(
        HttpRequest(
            "POST",
            gateway.endpoint,
            route.value,
            TargetHeaders(target).for_call(timeout_s=5, request_id="r"),
            json.dumps({"model": model, **BASE[route], **fields}).encode(),
            total_timeout_s=5,
        )
    )
    answer = await response.read()
    assert len(provider.requests) > seen, f"{slug} was not called: {answer.decode()[:300]}"
    return provider.last.body.decode()


@pytest.mark.parametrize("route", list(FINGERPRINTS), ids=lambda route: route.name.lower())
async def test_the_table_says_what_arrives(
    gateway_url: str, provider: RecordingServer, transport: StreamlinedTransport, route: GatewayRoute
) -> None:
    wrong: list[str] = []
    for slug, model in offered(route):
        body = await arriving(gateway_url, provider, transport, route, slug, model)
        arrived = {name for name, (_, mark) in FINGERPRINTS[route].items() if mark in body}
        table = forwarded_fields(route, slug, model)
        assert table is not None
        if difference := arrived ^ (table & FINGERPRINTS[route].keys()):
            wrong.append(f"{slug} {model}: {sorted(difference)}")
    assert not wrong, "\n".join(wrong)
