"""Binds the exporters of spans."""

from collections.abc import AsyncIterator, Iterator

import pytest

from adapters.http.tls import TlsPolicy
from adapters.http.transport import StreamlinedTransport
from adapters.memory.spans import InMemorySpanExporter
from adapters.otlp.exporter import OtlpHttpExporter
from adapters.system.clock import SystemClock
from application.ports.http import HttpTransport
from application.ports.spans import SpanExporter, SpansNotTaken
from contracts.ports.spans import CHILD, ROOT, SpanExporterContract
from tests.otlp_collector import OtlpCollector

LATER = SpansNotTaken("later", again=True, retry_after_s=7.0)


class TestInMemorySpanExporter(SpanExporterContract):
    @pytest.fixture
    def exporter(self) -> SpanExporter:
        return InMemorySpanExporter()

    @pytest.fixture
    def unreachable_exporter(self) -> SpanExporter:
        exporter = InMemorySpanExporter()
        exporter.refusing = SpansNotTaken("away", again=True)
        return exporter

    @pytest.fixture
    def overloaded_exporter(self) -> SpanExporter:
        exporter = InMemorySpanExporter()
        exporter.refusing = LATER
        return exporter


@pytest.fixture
def collector() -> Iterator[OtlpCollector]:
    with OtlpCollector() as running:
        yield running


@pytest.fixture
async def transport() -> AsyncIterator[HttpTransport]:
    made = StreamlinedTransport(tls=TlsPolicy())
    yield made
    await made.aclose()


def exporter_to(
    url: str, transport: HttpTransport, *, timeout_s: float = 5.0, compressed: bool = True
) -> OtlpHttpExporter:
    return OtlpHttpExporter(
        url,
        transport,
        SystemClock(),
        resource={"service.name": "interchange-test"},
        version="1.2.3",
        headers={"X-Api-Key": "collector-secret"},
        timeout_s=timeout_s,
        compressed=compressed,
    )


class TestOtlpHttpExporter(SpanExporterContract):
    @pytest.fixture
    def exporter(self, collector: OtlpCollector, transport: HttpTransport) -> SpanExporter:
        return exporter_to(f"{collector.url}/v1/traces", transport)

    @pytest.fixture
    def unreachable_exporter(self, transport: HttpTransport) -> SpanExporter:
        with OtlpCollector() as gone:
            url = gone.url
        return exporter_to(f"{url}/v1/traces", transport)

    @pytest.fixture
    def overloaded_exporter(self, collector: OtlpCollector, transport: HttpTransport) -> SpanExporter:
        collector.status, collector.retry_after = 429, "7"
        return exporter_to(f"{collector.url}/v1/traces", transport)


@pytest.mark.parametrize("compressed", [True, False])
async def test_what_a_collector_decodes_is_what_was_sent(
    collector: OtlpCollector, transport: HttpTransport, compressed: bool
) -> None:
    exporter = exporter_to(f"{collector.url}/v1/traces", transport, compressed=compressed)

    await exporter.export([ROOT, CHILD])

    root, child = collector.spans
    path, headers = collector.messages[0]
    assert path == "/v1/traces"
    assert headers["x-api-key"] == "collector-secret"
    assert headers["content-type"] == "application/x-protobuf"
    assert (root.trace_id, root.span_id, root.parent_span_id) == ROOT[:3]
    assert (root.start_ns, root.end_ns) == (ROOT.start_us * 1000, ROOT.end_us * 1000)
    assert root.kind == 2
    assert child.kind == 3
    assert not root.failed
    assert child.failed
    assert root.flags == 0x301
    assert child.flags == 0x101
    assert root.trace_state == "vendor=1"
    assert root.attributes == dict(ROOT.attributes)
    assert child.attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert child.attributes["interchange.cost_nano_usd"] == float(2**70)
    assert child.attributes["error.type"] == "half a pair: ?"
    assert root.resource == {"service.name": "interchange-test"}


async def test_spans_that_a_collector_did_not_want_are_counted(
    collector: OtlpCollector, transport: HttpTransport
) -> None:
    collector.rejecting = 1

    assert await exporter_to(f"{collector.url}/v1/traces", transport).export([ROOT, CHILD]) == 1


@pytest.mark.parametrize(
    ("status", "again"), [(400, False), (404, False), (500, False), (502, True), (503, True)]
)
async def test_only_what_the_protocol_allows_is_sent_again(
    collector: OtlpCollector, transport: HttpTransport, status: int, again: bool
) -> None:
    collector.status = status

    with pytest.raises(SpansNotTaken) as refused:
        await exporter_to(f"{collector.url}/v1/traces", transport).export([ROOT])

    assert refused.value.again is again
    assert "collector-secret" not in refused.value.message


async def test_a_silent_collector_is_not_waited_for_longer_than_said(
    collector: OtlpCollector, transport: HttpTransport
) -> None:
    collector.silent = True

    with pytest.raises(SpansNotTaken) as refused:
        await exporter_to(f"{collector.url}/v1/traces", transport, timeout_s=0.2).export([ROOT])

    assert refused.value.again


async def test_a_compressed_message_is_much_smaller(
    collector: OtlpCollector, transport: HttpTransport
) -> None:
    for compressed in (True, False):
        exporter = exporter_to(f"{collector.url}/v1/traces", transport, compressed=compressed)
        await exporter.export([ROOT, CHILD] * 50)

    small, large = (int(headers["content-length"]) for _, headers in collector.messages)
    assert small * 5 < large
