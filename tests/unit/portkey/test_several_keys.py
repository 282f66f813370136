"""Several keys of one provider through the gateway: each call shows its own, and limits come back."""

from dataclasses import replace

import pytest

from adapters.portkey.endpoint import PortkeyTarget
from adapters.portkey.gateway import PortkeyGateway
from application.ports.llm import UpstreamFailed
from domain.resilience.key_pool import Headroom
from tests.contract.portkey.calls import HELLO, call_to
from tests.unit.portkey.test_gateway import A, ManualClock, ScriptedTransport

TOLD = [
    ("x-ratelimit-limit-requests", "60"),
    ("x-ratelimit-remaining-requests", "0"),
    ("x-ratelimit-reset-requests", "12s"),
]


async def test_each_call_shows_the_key_it_names() -> None:
    transport, call = ScriptedTransport(), call_to("openai", **HELLO)
    target = PortkeyTarget(slug="openai", api_key="first", keys={"one": "first", "two": "second"})
    gateway = PortkeyGateway(transport, ManualClock(), [A], {"openai": target})

    for credential in ("", "one", "two"):
        await gateway.complete(call._replace(credential=credential))

    shown = [dict(request.headers)["authorization"] for request in transport.requests]
    assert shown == ["Bearer first", "Bearer first", "Bearer second"]


async def test_what_a_provider_tells_of_a_keys_limits_comes_through() -> None:
    transport, call = ScriptedTransport(), call_to("openai", **HELLO)
    target = PortkeyTarget(slug="openai", api_key="first", keys={"one": "first"})
    gateway = PortkeyGateway(transport, ManualClock(), [A], {"openai": target})
    transport.headers = TOLD

    answer = await gateway.complete(call._replace(credential="one"))
    alone = await gateway.complete(call)

    assert answer.headroom == Headroom(60, 0, 12.0)
    assert alone.headroom is None


async def test_a_refusal_without_retry_after_takes_the_limits_reset() -> None:
    transport, call = ScriptedTransport(), call_to("openai", **HELLO)
    target = PortkeyTarget(slug="openai", api_key="first", keys={"one": "first"})
    gateway = PortkeyGateway(transport, ManualClock(), [A], {"openai": target})
    transport.headers, transport.status = TOLD, 429
    transport.body = b'{"error":{"message":"slow down","code":"rate_limit_exceeded"},"provider":"openai"}'

    with pytest.raises(UpstreamFailed) as caught:
        await gateway.complete(call._replace(credential="one"))

    assert caught.value.failure.retry_after_s == 12.0
    assert "first" not in repr(replace(target))
