"""Replicate's predictions bound to the providers' suite: text and no more."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from adapters.providers import replicate
from application.ports.llm import LlmProvider, UpstreamCall
from application.ports.wire import ANTHROPIC_MESSAGES, OPENAI_CHAT
from contracts.ports.llm import TextProviderContract
from contracts.ports.llm_calls import CALL_BOUND_S, collect, complete, failed, text_of, until
from contracts.ports.llm_dialects import WEATHER, image_in, schema_in, seen_in, thinking_in, tools_in
from contracts.ports.stream_rules import assert_valid_stream
from domain.catalog.offering import Offering
from domain.llm.capabilities import Capability
from domain.llm.failures import FailureKind
from domain.llm.stream import Faulted
from domain.routing.target import Target
from entrypoints.simulator.server import SimulatedProvider
from tests.contract.test_llm_providers import DirectBinding


class ReplicateBinding(DirectBinding):
    wire = "replicate"
    version_path = "/acme/v1"

    @pytest.fixture(params=[OPENAI_CHAT, ANTHROPIC_MESSAGES])
    def dialect(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def target(self) -> Callable[[str], Target]:
        def target(model: str) -> Target:
            name = model if "/" in model else f"meta/{model}"
            known = Offering(provider="acme", model=name, capabilities=Capability.TEXT)
            return Target(index=0, id=known.id, provider="acme", model=name, offering=known, wire=self.wire)

        return target


class TestReplicate(ReplicateBinding, TextProviderContract):
    """Tools, pictures, schemas and thinking are not among its abilities: see below."""

    @pytest.mark.parametrize("ability", ["tools", "pictures"])
    async def test_what_it_cannot_do_is_refused_before_anything_is_sent(
        self,
        provider: LlmProvider,
        ask: Callable[..., UpstreamCall],
        simulated: SimulatedProvider,
        dialect: str,
        ability: str,
    ) -> None:
        call = ask(image_in(dialect)) if ability == "pictures" else ask(**tools_in(dialect, WEATHER))
        failure = await failed(provider, call)
        assert failure.kind is FailureKind.CALLER_FAULT
        assert simulated.requests == []

    async def test_a_schema_and_thinking_are_named_as_dropped(
        self, provider: LlmProvider, ask: Callable[..., UpstreamCall], dialect: str
    ) -> None:
        answer = await complete(provider, ask(**schema_in(dialect)))
        assert seen_in(dialect, answer).text and answer.dropped
        answer = await complete(provider, ask(**thinking_in(dialect)))
        assert seen_in(dialect, answer).text and answer.dropped

    async def test_what_still_runs_is_looked_at_until_it_ends(
        self,
        provider: LlmProvider,
        ask: Callable[..., UpstreamCall],
        simulated: SimulatedProvider,
        dialect: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(replicate, "POLL_S_FIRST", 0.01)
        answer = await complete(provider, ask(model="meta/slow"))
        assert seen_in(dialect, answer).text and answer.usage is not None
        assert asked(simulated) == ["POST /v1/models/meta/slow/predictions", "GET /v1/predictions/ID"]
        first = simulated.requests[0]["headers"]
        assert first["prefer"].startswith("wait=") and first["cancel-after"].endswith("s")

    async def test_what_runs_too_long_is_a_timeout_and_cancelled(
        self,
        provider: LlmProvider,
        ask: Callable[..., UpstreamCall],
        simulated: SimulatedProvider,
    ) -> None:
        failure = await failed(provider, ask(model="meta/slow", total_s=0.2))
        assert failure.kind is FailureKind.TIMEOUT
        await until(lambda: asked(simulated)[-1] == "POST /v1/predictions/ID/cancel")

    async def test_a_caller_who_leaves_while_it_runs_cancels_it(
        self, provider: LlmProvider, ask: Callable[..., UpstreamCall], simulated: SimulatedProvider
    ) -> None:
        task = asyncio.ensure_future(provider.complete(ask(model="meta/slow")))
        await until(lambda: simulated.stats["answered"] == 1)
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: asked(simulated)[-1] == "POST /v1/predictions/ID/cancel")

    async def test_a_stream_that_is_closed_cancels_its_prediction(
        self, provider: LlmProvider, ask: Callable[..., UpstreamCall], simulated: SimulatedProvider
    ) -> None:
        simulated.fault({"kind": "stall_after", "tokens": 1}, times=1)
        stream = await provider.open_stream(ask(stream=True))
        async with asyncio.timeout(CALL_BOUND_S):
            assert await stream.next_block() is not None
        stream.close()
        await until(lambda: asked(simulated)[-1] == "POST /v1/predictions/ID/cancel")

    async def test_a_stream_heard_to_its_end_cancels_nothing(
        self, provider: LlmProvider, ask: Callable[..., UpstreamCall], simulated: SimulatedProvider
    ) -> None:
        streamed = await collect(provider, ask(stream=True))
        assert streamed.machine.complete
        await asyncio.sleep(0.05)
        ways = [one.rpartition("/v1")[2] for one in asked(simulated)]
        assert ways == ["/models/meta/small/predictions", "/streams/ID", "/predictions/ID"]

    @pytest.mark.parametrize(
        ("model", "kind"),
        [("meta/fails", FailureKind.SERVER_ERROR), ("meta/ctx1", FailureKind.CONTEXT_LENGTH)],
    )
    async def test_a_prediction_that_failed_is_a_typed_failure(
        self, provider: LlmProvider, ask: Callable[..., UpstreamCall], model: str, kind: FailureKind
    ) -> None:
        assert (await failed(provider, ask(model=model))).kind is kind
        streamed = await collect(provider, ask(model=model, stream=True))
        last = streamed.events[-1]
        assert isinstance(last, Faulted) and last.failure.kind is kind
        assert not streamed.machine.complete

    async def test_a_model_without_streams_is_a_bad_response_and_cancelled(
        self, provider: LlmProvider, ask: Callable[..., UpstreamCall], simulated: SimulatedProvider
    ) -> None:
        assert (await failed(provider, ask(model="meta/mute", stream=True))).kind is FailureKind.BAD_RESPONSE
        await until(lambda: asked(simulated)[-1] == "POST /v1/predictions/ID/cancel")

    async def test_tokens_that_are_not_counted_are_unknown(
        self, provider: LlmProvider, ask: Callable[..., UpstreamCall], dialect: str
    ) -> None:
        assert (await complete(provider, ask(model="meta/uncounted"))).usage is None
        streamed = await collect(provider, ask(model="meta/uncounted", stream=True))
        assert streamed.machine.complete and streamed.machine.usage is None
        assert assert_valid_stream(dialect, streamed.raw, streamed.events).text == text_of(streamed.events)

    async def test_a_version_is_asked_for_in_the_body(
        self, provider: LlmProvider, ask: Callable[..., UpstreamCall], simulated: SimulatedProvider
    ) -> None:
        await complete(provider, ask(model="someone/model:5c7d"))
        (request,) = simulated.requests
        assert (request["path"], request["body"]["version"]) == ("/v1/predictions", "5c7d")


def asked(simulated: SimulatedProvider) -> list[str]:
    """What was asked of the provider, without the ids of predictions."""
    said: list[dict[str, Any]] = simulated.requests
    lines = [f"{one['method']} {one['path']}" for one in said]
    return ["/".join("ID" if part.startswith("sim0") else part for part in line.split("/")) for line in lines]
