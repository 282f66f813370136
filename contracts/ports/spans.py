"""What every SpanExporter promises."""

import asyncio

import pytest

from application.ports.spans import SpanExporter, SpansNotTaken
from contracts.ports._base import PortContract
from domain.tracing.span import Span, SpanKind

ROOT = Span(
    "0af7651916cd43dd8448eb211c80319c",
    "b7ad6b7169203331",
    "00f067aa0ba902b7",
    "chat assistant",
    SpanKind.SERVER,
    1_760_000_000_000_000,
    1_760_000_000_250_000,
    (("gen_ai.operation.name", "chat"), ("interchange.attempts", 2), ("interchange.cost_usd", 0.25)),
    remote_parent=True,
    trace_state="vendor=1",
)
CHILD = Span(
    ROOT.trace_id,
    "53995c3f42cd8ad8",
    ROOT.span_id,
    "chat small",
    SpanKind.CLIENT,
    ROOT.start_us + 1_000,
    ROOT.end_us - 1_000,
    (
        ("gen_ai.response.finish_reasons", ("stop",)),
        ("interchange.cost_estimated", False),
        ("interchange.cost_nano_usd", 2**70),
        ("error.type", "half a pair: \ud83d"),
    ),
    failed=True,
)


class SpanExporterContract(PortContract):
    """Bind `exporter`, `unreachable_exporter`, and `overloaded_exporter` (its collector says: later)."""

    @pytest.fixture
    def exporter(self) -> SpanExporter:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_exporter(self) -> SpanExporter:
        raise NotImplementedError

    @pytest.fixture
    def overloaded_exporter(self) -> SpanExporter:
        raise NotImplementedError

    async def test_spans_are_taken(self, exporter: SpanExporter) -> None:
        assert await exporter.export([ROOT, CHILD]) == 0

    async def test_nothing_is_taken_without_a_word(self, exporter: SpanExporter) -> None:
        assert await exporter.export([]) == 0

    async def test_several_at_once_are_all_taken(self, exporter: SpanExporter) -> None:
        assert await asyncio.gather(*(exporter.export([ROOT, CHILD]) for _ in range(5))) == [0] * 5

    async def test_who_cannot_be_reached_may_be_asked_again(self, unreachable_exporter: SpanExporter) -> None:
        with pytest.raises(SpansNotTaken) as refused:
            await unreachable_exporter.export([ROOT])
        assert refused.value.again

    async def test_who_has_too_much_to_do_says_when_to_come_again(
        self, overloaded_exporter: SpanExporter
    ) -> None:
        with pytest.raises(SpansNotTaken) as refused:
            await overloaded_exporter.export([ROOT])
        assert refused.value.again
        assert refused.value.retry_after_s == 7.0
