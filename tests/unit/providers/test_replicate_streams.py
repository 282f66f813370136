"""Where a prediction's stream may be: what the answer says is an address somebody else chose."""

import asyncio
import json

import pytest

from adapters.providers.replicate import _listening
from adapters.wire.replicate import Prediction, prediction_in
from adapters.wire.sse import FRAME_BYTES_MAX
from application.ports.http import Endpoint, HttpRequest, HttpResponse, HttpTransport
from application.ports.llm import UpstreamFailed
from domain.llm.failures import FailureKind
from domain.llm.stream import Faulted, StreamEvent
from tests.unit.providers.test_direct import ScriptedResponse, provider
from tests.unit.wire.calls import call, target

OWN = "api.replicate.com"


def asked(host: str = OWN) -> HttpRequest:
    headers = [
        ("authorization", "Bearer key"),
        ("x-operators-proof", "secret"),
        ("user-agent", "interchange"),
    ]
    endpoint = Endpoint("https", host, 443)
    return HttpRequest("POST", endpoint, "/v1/models/a/b/predictions", headers, b"{}", 1.0, None, None, 9.0)


def predicted(stream_url: str) -> Prediction:
    body = {"id": "p1", "status": "starting", "urls": {"stream": stream_url}}
    return prediction_in(json.dumps(body).encode())


@pytest.mark.parametrize("host", ["stream.replicate.com", "stream-b.svc.rno2.c.replicate.net"])
def test_a_stream_at_replicates_other_hosts_gets_nothing_of_the_operators(host: str) -> None:
    request = _listening(asked(), predicted(f"https://{host}/v1/streams/x"))

    assert request.endpoint == Endpoint("https", host, 443)
    assert {name for name, _ in request.headers} == {"accept", "cache-control", "user-agent"}


@pytest.mark.parametrize(
    ("own", "url"),
    [
        (OWN, "https://evil.example/v1"),
        (OWN, "https://evilreplicate.com/v1"),
        (OWN, "https://api.replicate.com.evil.example/v1"),
        (OWN, "http://stream.replicate.com/v1"),
        (OWN, "https://169.254.169.254/latest/meta-data"),
        (OWN, "file:///etc/passwd"),
        (OWN, ""),
        ("replicate.corp.co.uk", "https://evil.co.uk/v1"),
        ("10.0.0.5", "https://192.168.0.5/v1"),
    ],
)
def test_a_stream_elsewhere_is_not_listened_to(own: str, url: str) -> None:
    with pytest.raises(UpstreamFailed, match="own address"):
        _listening(asked(own), predicted(url))


class Predictions(HttpTransport):
    """Makes one prediction, and streams what it is given."""

    def __init__(self, *chunks: bytes) -> None:
        self.chunks = chunks
        self.asked: list[str] = []

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.asked.append(request.path)
        if request.path.endswith("/stream"):
            return ScriptedResponse(200, list(self.chunks), "text/event-stream")
        own = {"id": "p1", "status": "starting", "urls": {"stream": "https://up.example/v1/stream"}}
        return ScriptedResponse(201, [json.dumps(own).encode()], "application/json")

    async def aclose(self) -> None:
        pass


async def test_an_event_too_large_is_a_fault_and_ends_the_prediction() -> None:
    transport = Predictions(b"event: output\ndata: a\n\n", b"event: output\ndata: " + b"x" * FRAME_BYTES_MAX)
    asked = call(stream=True, to=target("meta/llama", wire="replicate"))
    stream = await provider(transport, wire="replicate").open_stream(asked)
    events: list[StreamEvent] = []
    while (block := await stream.next_block()) is not None:
        events += block.events
    await asyncio.sleep(0)
    last = events[-1]
    assert isinstance(last, Faulted) and last.failure.kind is FailureKind.BAD_RESPONSE
    assert transport.asked[-1] == "/v1/predictions/p1/cancel"
