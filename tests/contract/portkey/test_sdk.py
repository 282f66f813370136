"""Our requests against those of Portkey's own SDK: the same headers, the same body, the same path.

The SDK is far too slow and too fond of retrying to be used for calls; it is the reference here.
"""

import subprocess
import sys
from typing import Any

import pytest

from adapters.http.transport import StreamlinedTransport
from adapters.portkey.endpoint import GatewayAddress, PortkeyTarget
from adapters.portkey.gateway import PortkeyGateway
from adapters.portkey.headers import TargetHeaders
from adapters.system.clock import SystemClock
from application.ports.llm import UpstreamFailed
from tests.contract.portkey.calls import HELLO, KEY, call_to
from tests.contract.portkey.recording import Recorded, RecordingServer

SDK_ONLY = frozenset({"x-portkey-package-version", "x-portkey-runtime", "x-portkey-runtime-version"})
"""What the SDK says about itself."""
CONNECTION = frozenset(
    {"host", "content-length", "accept", "accept-encoding", "connection", "user-agent", "content-type"}
)


def sdk_headers(**options: Any) -> dict[str, str]:
    from portkey_ai import createHeaders

    return {name.lower(): value for name, value in createHeaders(**options).items()}  # type: ignore[no-untyped-call]


def ours(target: PortkeyTarget, **call: Any) -> dict[str, str]:
    headers = dict(TargetHeaders(target).for_call(timeout_s=30.05, request_id="req_1", **call))
    del headers["content-type"]
    return headers


COMMON: dict[str, Any] = {
    "Authorization": "sk-1",
    "request_timeout": 30000,
    "strict_open_ai_compliance": True,
    "trace_id": "req_1",
}


def test_a_provider_at_a_host_of_its_own() -> None:
    target = PortkeyTarget(slug="openai", api_key="sk-1", custom_host="http://127.0.0.1:9/v1")
    assert ours(target) == sdk_headers(provider="openai", custom_host="http://127.0.0.1:9/v1", **COMMON)


def test_a_key_that_says_bearer_already() -> None:
    target = PortkeyTarget(slug="groq", api_key="Bearer sk-1")
    assert ours(target) == sdk_headers(provider="groq", **{**COMMON, "Authorization": "Bearer sk-1"})


def test_anthropic_with_forwarded_headers() -> None:
    theirs = sdk_headers(
        provider="anthropic",
        anthropic_beta="tools-2024",
        forward_headers=["anthropic-beta"],
        **COMMON,
    )
    target = PortkeyTarget(slug="anthropic", api_key="sk-1")
    assert ours(target, vendor_headers=[("anthropic-beta", "tools-2024")]) == theirs


def test_azure_with_its_resource() -> None:
    options = {"azure_resource_name": "r", "azure_deployment_id": "d", "azure_api_version": "2024-10-21"}
    target = PortkeyTarget(
        slug="azure-openai",
        api_key="sk-1",
        headers=[("x-portkey-" + name.replace("_", "-"), value) for name, value in options.items()],
    )
    assert ours(target) == sdk_headers(provider="azure-openai", **options, **COMMON)


def test_bedrock_without_a_bearer_key() -> None:
    options = {"aws_access_key_id": "AK", "aws_secret_access_key": "SK", "aws_region": "eu-west-1"}
    target = PortkeyTarget(
        slug="bedrock",
        headers=[("x-portkey-" + name.replace("_", "-"), value) for name, value in options.items()],
    )
    common = {name: value for name, value in COMMON.items() if name != "Authorization"}
    assert ours(target) == sdk_headers(provider="bedrock", **options, **common)


def test_hosted_portkey_with_its_key() -> None:
    target = PortkeyTarget(slug="openai", api_key="sk-1")
    assert ours(target, gateway_key="pk-1") == sdk_headers(provider="openai", api_key="pk-1", **COMMON)


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
async def test_the_sdks_whole_request_and_ours_are_the_same(
    provider: RecordingServer, transport: StreamlinedTransport, stream: bool
) -> None:
    """A recording server stands where the gateway would be."""
    base = provider.url.removesuffix("/v1")
    theirs = await request_of_the_sdk(provider, stream)
    gateway = GatewayAddress(url=base, api_key="pk-1")
    target = PortkeyTarget(slug="openai", api_key=KEY, custom_host="http://127.0.0.1:9/v1")
    portkey = PortkeyGateway(transport, SystemClock(), [gateway], {"openai": target})
    if stream:
        with pytest.raises(UpstreamFailed, match="one JSON document"):
            await portkey.open_stream(call_to("openai", total_timeout_s=10.05, stream=True, **HELLO))
    else:
        await portkey.complete(call_to("openai", total_timeout_s=10.05, **HELLO))
    mine = provider.last
    assert (mine.method, mine.path) == (theirs.method, theirs.path)
    assert told(mine) == told(theirs)
    body = {**mine.json}
    if stream:
        # Money is counted, so usage is always asked for.
        assert body.pop("stream_options") == {"include_usage": True}
    assert body == {name: value for name, value in theirs.json.items() if value is not False}


async def request_of_the_sdk(provider: RecordingServer, stream: bool) -> Recorded:
    import httpx
    from portkey_ai import AsyncPortkey

    client = AsyncPortkey(
        base_url=provider.url,
        api_key="pk-1",
        provider="openai",
        Authorization=KEY,
        custom_host="http://127.0.0.1:9/v1",
        request_timeout=10000,
        trace_id="req_0123",
        strict_open_ai_compliance=True,
    )
    client.openai_client.max_retries = 0
    answer: Any = await client.chat.completions.create(
        model="model-x", stream=stream, timeout=httpx.Timeout(5.0), **HELLO
    )
    if stream:
        await answer.response.aclose()
    await client.openai_client.close()
    return provider.last


def told(request: Recorded) -> dict[str, str]:
    """Headers that mean something to the gateway."""
    return {
        name: value
        for name, value in request.headers.items()
        if name not in CONNECTION | SDK_ONLY and not name.startswith("x-stainless")
    }


def test_the_sdk_is_not_imported_by_the_adapter() -> None:
    code = "import sys, adapters.portkey.gateway; print('portkey_ai' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "False"
