"""The published wire exchanges, replayed."""

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.wire import completions, openai_pivot
from adapters.wire.heads import DialectReader
from adapters.wire.registry import codec_for
from application.ports.llm import UpstreamCall
from contracts.ports.stream_rules import assert_valid_stream
from domain.catalog.offering import Offering
from domain.llm.capabilities import Capability
from domain.llm.usage import Usage
from domain.routing.target import Target
from domain.time import Timeouts

FOLDER = Path(__file__).parents[2] / "contracts" / "wire"
EXCHANGES = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}


@pytest.fixture(autouse=True)
def _still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (openai_pivot, completions):
        monkeypatch.setattr(module, "wall_clock", lambda: 1_700_000_000.0)


def call_of(exchange: dict[str, Any]) -> UpstreamCall:
    reasons = Capability.REASONING if exchange["reasons"] else Capability(0)
    known = Offering(provider="acme", model=exchange["model"], capabilities=Capability.TEXT | reasons)
    target = Target(index=0, id=known.id, provider="acme", model=known.model, offering=known, wire="openai")
    request = DialectReader().read(exchange["dialect"], json.dumps(exchange["request"]).encode())
    return UpstreamCall(request, target, Timeouts(), 600.0)


@pytest.mark.parametrize("name", EXCHANGES)
def test_the_provider_gets_what_is_published(name: str) -> None:
    exchange = EXCHANGES[name]
    codec = codec_for(exchange["dialect"], exchange["upstream_dialect"])
    encoded = codec.request(call_of(exchange))
    assert json.loads(encoded.body) == exchange["upstream_request"]
    assert list(encoded.dropped) == exchange["dropped"]


@pytest.mark.parametrize("name", [name for name, found in EXCHANGES.items() if "response" in found])
def test_the_caller_gets_the_published_answer(name: str) -> None:
    exchange = EXCHANGES[name]
    codec = codec_for(exchange["dialect"], exchange["upstream_dialect"])
    answer = codec.response(json.dumps(exchange["upstream_response"]).encode(), call_of(exchange))
    assert json.loads(answer.body) == exchange["response"]
    assert answer.finish_reason == exchange["finish_reason"]
    published = exchange["usage"]
    assert answer.usage == (None if published is None else Usage(**published))


@pytest.mark.parametrize("name", [name for name, found in EXCHANGES.items() if "stream" in found])
def test_the_caller_gets_the_published_stream(name: str) -> None:
    exchange = EXCHANGES[name]
    decoder = codec_for(exchange["dialect"], exchange["upstream_dialect"]).stream(call_of(exchange))
    block = decoder.feed("".join(exchange["upstream_stream"]).encode())
    assert decoder.end().raw == b""
    assert block.raw.decode() == "".join(exchange["stream"])
    assert_valid_stream(exchange["dialect"], block.raw, block.events)
