"""The direct adapters against real providers; runs only for those whose key is in the environment.

A model is named by `<VENDOR>_LIVE_MODEL`; `<VENDOR>_BASE_URL` leads elsewhere, as the vendors' SDKs have it.
Clouds run when their own tools' variables are set: AZURE_OPENAI_ENDPOINT with a key or an Entra application,
GOOGLE_CLOUD_PROJECT with GOOGLE_APPLICATION_CREDENTIALS (and GOOGLE_CLOUD_LOCATION),
AWS_REGION with AWS_ACCESS_KEY_ID or AWS_BEARER_TOKEN_BEDROCK.
"""

import json
import os
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from adapters.http.transport import StreamlinedTransport
from adapters.providers.direct import DirectProviders
from adapters.providers.endpoint import ProviderEndpoint
from adapters.providers.families import FAMILIES
from adapters.providers.identities import Authenticators
from adapters.system.clock import SystemClock
from adapters.wire.heads import DialectReader
from application.ports.llm import UpstreamCall
from application.ports.wire import ANTHROPIC_MESSAGES, OPENAI_CHAT
from contracts.ports.llm_calls import collect, complete
from contracts.ports.llm_dialects import WEATHER, seen_in, tools_in
from contracts.ports.stream_rules import assert_valid_stream
from domain.catalog.offering import Offering
from domain.routing.target import Target
from domain.time import Timeouts

pytestmark = pytest.mark.live


class Vendor(NamedTuple):
    wire: str
    variable: str
    base_url: str
    model: str
    identity: str = ""
    """Proves itself so; `variable` then only says whether it is set up."""


VENDORS = {
    "OPENAI": Vendor("openai", "OPENAI_API_KEY", "https://api.openai.com/v1", "gpt-4o-mini"),
    "ANTHROPIC": Vendor("anthropic", "ANTHROPIC_API_KEY", "https://api.anthropic.com", "claude-haiku-4-5"),
    "GEMINI": Vendor(
        "gemini", "GEMINI_API_KEY", "https://generativelanguage.googleapis.com", "gemini-2.5-flash"
    ),
    "COHERE": Vendor("cohere", "CO_API_KEY", "https://api.cohere.com/v2", "command-a-03-2025"),
    "REPLICATE": Vendor(
        "replicate", "REPLICATE_API_TOKEN", "https://api.replicate.com/v1", "meta/meta-llama-3-8b-instruct"
    ),
    "AZURE_OPENAI": Vendor("azure", "AZURE_OPENAI_API_KEY", "", "gpt-4o-mini"),
    "AZURE_ENTRA": Vendor("azure", "AZURE_CLIENT_SECRET", "", "gpt-4o-mini", "entra_client_secret"),
    "VERTEX_GEMINI": Vendor(
        "vertex", "GOOGLE_APPLICATION_CREDENTIALS", "", "gemini-2.5-flash", "google_credentials"
    ),
    "VERTEX_CLAUDE": Vendor(
        "vertex", "GOOGLE_APPLICATION_CREDENTIALS", "", "claude-haiku-4-5", "google_credentials"
    ),
    "BEDROCK_KEY": Vendor("bedrock", "AWS_BEARER_TOKEN_BEDROCK", "", "us.amazon.nova-lite-v1:0"),
    "BEDROCK_SIGNED": Vendor("bedrock", "AWS_ACCESS_KEY_ID", "", "us.amazon.nova-lite-v1:0", "aws"),
}
IDENTITY_VARIABLES = {
    "entra_client_secret": {
        "tenant_id": "AZURE_TENANT_ID",
        "client_id": "AZURE_CLIENT_ID",
        "client_secret": "AZURE_CLIENT_SECRET",
    },
    "google_credentials": {"credentials_file": "GOOGLE_APPLICATION_CREDENTIALS"},
    "aws": {
        "region": "AWS_REGION",
        "access_key_id": "AWS_ACCESS_KEY_ID",
        "secret_access_key": "AWS_SECRET_ACCESS_KEY",
        "session_token": "AWS_SESSION_TOKEN",
    },
}


def options() -> dict[str, str]:
    named = {
        "api_version": "OPENAI_API_VERSION",
        "project": "GOOGLE_CLOUD_PROJECT",
        "location": "GOOGLE_CLOUD_LOCATION",
        "region": "AWS_REGION",
    }
    return {name: os.environ[variable] for name, variable in named.items() if os.environ.get(variable)}


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    name = str(request.param)
    found = VENDORS[name]
    if not os.environ.get(found.variable):
        pytest.skip(f"{found.variable} is not set")
    return found._replace(
        base_url=os.environ.get(f"{name}_BASE_URL", found.base_url),
        model=os.environ.get(f"{name}_LIVE_MODEL", found.model),
    )


@pytest.fixture
async def provider(vendor: Vendor) -> AsyncIterator[DirectProviders]:
    transport = StreamlinedTransport()
    given = vendor.base_url or (os.environ.get("AZURE_OPENAI_ENDPOINT", "") if vendor.wire == "azure" else "")
    if vendor.wire == "bedrock" and "region" not in options():
        pytest.skip("AWS_REGION is not set")
    base_url = FAMILIES[vendor.wire].address(given, options())
    if base_url is None or (vendor.wire == "vertex" and "project" not in options()):
        pytest.skip("where it is asked is not set")
    identity = None
    if vendor.identity:
        variables = IDENTITY_VARIABLES[vendor.identity]
        values = {
            name: os.environ[variable] for name, variable in variables.items() if os.environ.get(variable)
        }
        identity = Authenticators(transport, SystemClock()).of(vendor.identity, values)
    endpoint = ProviderEndpoint(
        wire=vendor.wire,
        base_url=base_url,
        api_key=None if identity else os.environ[vendor.variable],
        options=options(),
        authenticator=identity,
    )
    yield DirectProviders(transport, SystemClock(), {"live": endpoint})
    await transport.aclose()


def asked(vendor: Vendor, dialect: str, content: str, **fields: Any) -> UpstreamCall:
    body = {"model": "x", "max_tokens": 200, "messages": [{"role": "user", "content": content}], **fields}
    known = Offering(provider="live", model=vendor.model)
    target = Target(
        index=0, id=known.id, provider="live", model=vendor.model, offering=known, wire=vendor.wire
    )
    return UpstreamCall(DialectReader().read(dialect, json.dumps(body).encode()), target, Timeouts(), 60.0)


@pytest.mark.parametrize("dialect", [OPENAI_CHAT, ANTHROPIC_MESSAGES])
async def test_a_short_answer_has_text_and_usage(
    provider: DirectProviders, vendor: Vendor, dialect: str
) -> None:
    answer = await complete(provider, asked(vendor, dialect, "Answer with one word: hello."))
    assert seen_in(dialect, answer).text
    assert answer.usage is not None and answer.usage.input_tokens > 0


@pytest.mark.parametrize("dialect", [OPENAI_CHAT, ANTHROPIC_MESSAGES])
async def test_a_short_stream_is_valid_and_complete(
    provider: DirectProviders, vendor: Vendor, dialect: str
) -> None:
    call = asked(vendor, dialect, "Answer with one word: hello.", stream=True)
    streamed = await collect(provider, call)
    assert streamed.machine.complete and streamed.machine.usage is not None
    assert assert_valid_stream(dialect, streamed.raw, streamed.events).text


@pytest.mark.parametrize("dialect", [OPENAI_CHAT, ANTHROPIC_MESSAGES])
async def test_a_tool_is_called(provider: DirectProviders, vendor: Vendor, dialect: str) -> None:
    if vendor.wire == "replicate":
        pytest.skip("the models of this provider call no tools; that they are refused is tested elsewhere")
    question = f"Use {WEATHER} for Bern; degrees: 0."
    answer = await complete(provider, asked(vendor, dialect, question, **tools_in(dialect, WEATHER)))
    assert [name for name, _ in seen_in(dialect, answer).tools] == [WEATHER]
