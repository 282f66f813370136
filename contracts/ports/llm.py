"""What every LlmProvider promises, in both of the callers' chat dialects, unary and streamed.

A binding gives a provider that leads to an upstream whose answers and faults it can script (the simulated
provider, directly or behind a gateway). Each case is told once per dialect and compared by meaning.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Protocol

import pytest

from application.ports.llm import LlmProvider, UpstreamCall, UpstreamFailed
from application.ports.wire import ANTHROPIC_MESSAGES, OPENAI_CHAT, OPENAI_RESPONSES, RequestReader
from contracts.ports._base import PortContract
from contracts.ports.llm_calls import CALL_BOUND_S, collect, complete, failed, kinds_of, text_of, until
from contracts.ports.llm_dialects import (
    CLOCK,
    WEATHER,
    body_in,
    image_in,
    natural_end,
    schema_in,
    seen_in,
    thinking_in,
    tool_conversation,
    tools_in,
)
from contracts.ports.stream_rules import assert_valid_stream
from domain.llm.failures import FailureKind
from domain.llm.stream import (
    ContentKind,
    Delta,
    Faulted,
    UsageReported,
)
from domain.routing.target import Target
from domain.time import Timeouts


class Upstream(Protocol):
    """The scripted other end."""

    def fault(self, fault: dict[str, Any], *, times: int | None = None) -> object: ...

    def heal(self) -> object: ...

    def asked(self) -> int:
        """How many requests for an answer have come."""
        ...

    def client_disconnects(self) -> int:
        """How many callers left before their answer was complete."""
        ...


class TextProviderContract(PortContract):
    """What holds wherever text is made. A wire that has no more than that binds this alone.

    Bind by filling `provider`, `unreachable_provider`, `upstream`, `reader` and `target`.
    """

    @pytest.fixture
    def provider(self) -> LlmProvider:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_provider(self) -> LlmProvider:
        """The same adapter with nobody listening at the other end."""
        raise NotImplementedError

    @pytest.fixture
    def upstream(self) -> Upstream:
        raise NotImplementedError

    @pytest.fixture
    def reader(self) -> RequestReader:
        raise NotImplementedError

    @pytest.fixture
    def target(self) -> Callable[[str], Target]:
        """A target for a model name; a name with `think` in it reasons."""
        raise NotImplementedError

    @pytest.fixture(params=[OPENAI_CHAT, ANTHROPIC_MESSAGES, OPENAI_RESPONSES])
    def dialect(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def ask(
        self, dialect: str, reader: RequestReader, target: Callable[[str], Target]
    ) -> Callable[..., UpstreamCall]:
        def ask(
            content: Any = "hello there",
            *,
            model: str = "small",
            stream: bool = False,
            headers_s: float = 5.0,
            total_s: float = CALL_BOUND_S,
            **fields: Any,
        ) -> UpstreamCall:
            if stream:
                fields["stream"] = True
            body = body_in(dialect, [{"role": "user", "content": content}], **fields)
            request = reader.read(dialect, json.dumps(body).encode())
            timeouts = Timeouts(headers_s=headers_s)
            return UpstreamCall(request, target(model), timeouts, total_s, "req_contract")

        return ask

    # -- behaviour ------------------------------------------------------------------------------------

    async def test_a_text_answer_is_in_the_callers_dialect_with_usage(
        self, provider: LlmProvider, ask: Callable[..., UpstreamCall], dialect: str
    ) -> None:
        answer = await complete(provider, ask())
        said = seen_in(dialect, answer)
        assert said.text and not said.tools and said.reason == natural_end(dialect)
        assert answer.finish_reason == "stop"
        assert answer.usage is not None
        assert answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0
        assert answer.usage.repaired() == answer.usage, "parts never exceed their whole"
        assert answer.content_type.startswith("application/json")

    async def test_a_stream_says_the_same_as_the_unary_answer(
        self, provider: LlmProvider, ask: Callable[..., UpstreamCall], dialect: str
    ) -> None:
        unary = await complete(provider, ask())
        streamed = await collect(provider, ask(stream=True))
        seen = assert_valid_stream(dialect, streamed.raw, streamed.events)
        assert seen.text == seen_in(dialect, unary).text == text_of(streamed.events)
        assert streamed.machine.complete and streamed.machine.finish_reason == "stop"
        assert streamed.machine.usage is not None and unary.usage is not None
        assert streamed.machine.usage.input_tokens == unary.usage.input_tokens
        assert streamed.machine.usage.output_tokens == unary.usage.output_tokens
        assert seen.usage is not None

    async def test_an_answer_cut_by_its_limit_says_so(
        self, provider: LlmProvider, ask: Callable[..., UpstreamCall], dialect: str
    ) -> None:
        answer = await complete(provider, ask(max_tokens=2))
        assert answer.finish_reason == "length"
        streamed = await collect(provider, ask(max_tokens=2, stream=True))
        assert streamed.machine.finish_reason == "length"

    async def test_usage_and_the_frame_that_shows_it_come_in_one_block(
        self, provider: LlmProvider, ask: Callable[..., UpstreamCall]
    ) -> None:
        stream = await provider.open_stream(ask(stream=True))
        blocks = []
        async with asyncio.timeout(CALL_BOUND_S):
            while (block := await stream.next_block()) is not None:
                blocks.append(block)
        stream.close()
        last = [block for block in blocks if b'"usage":{' in block.raw.replace(b'": {', b'":{')][-1]
        assert any(isinstance(event, UsageReported) for event in last.events)

    # -- errors ---------------------------------------------------------------------------------------

    @pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
    @pytest.mark.parametrize(
        ("fault", "kind"),
        [
            ({"status": 429, "retry_after_s": 7}, FailureKind.RATE_LIMIT),
            ({"status": 429, "code": "insufficient_quota"}, FailureKind.QUOTA),
            ({"status": 401}, FailureKind.AUTH),
            ({"status": 400, "code": "context_length_exceeded"}, FailureKind.CONTEXT_LENGTH),
            ({"status": 400, "code": "content_policy_violation"}, FailureKind.CONTENT_POLICY),
            ({"status": 404}, FailureKind.MODEL_MISSING),
            ({"status": 400, "message": "temperature must be a number"}, FailureKind.CALLER_FAULT),
            ({"status": 503}, FailureKind.OVERLOADED),
            ({"status": 500}, FailureKind.SERVER_ERROR),
        ],
        ids=lambda value: value.value if isinstance(value, FailureKind) else "",
    )
    async def test_an_error_answer_is_a_typed_failure(
        self,
        provider: LlmProvider,
        ask: Callable[..., UpstreamCall],
        upstream: Upstream,
        fault: dict[str, Any],
        kind: FailureKind,
        stream: bool,
    ) -> None:
        upstream.fault({"kind": "status", **fault})
        failure = await failed(provider, ask(stream=stream))
        assert failure.kind is kind
        assert failure.status == fault["status"]
        assert failure.message
        assert failure.retry_after_s == fault.get("retry_after_s")

    @pytest.mark.parametrize("fault", ["empty_200", "html_200", "wrong_json"])
    async def test_a_2xx_that_is_no_answer_is_a_bad_response(
        self, provider: LlmProvider, ask: Callable[..., UpstreamCall], upstream: Upstream, fault: str
    ) -> None:
        upstream.fault({"kind": fault})
        assert (await failed(provider, ask())).kind is FailureKind.BAD_RESPONSE

    @pytest.mark.parametrize("fault", ["empty_200", "html_200", "wrong_json"])
    async def test_a_2xx_that_is_no_stream_never_completes(
        self, provider: LlmProvider, ask: Callable[..., UpstreamCall], upstream: Upstream, fault: str
    ) -> None:
        upstream.fault({"kind": fault})
        try:
            streamed = await collect(provider, ask(stream=True))
        except UpstreamFailed as error:
            assert error.failure.kind in (FailureKind.BAD_RESPONSE, FailureKind.NETWORK)
        else:
            assert not streamed.machine.complete and not streamed.machine.committed

    @pytest.mark.parametrize("fault", ["reset_before_headers", "close_before_headers"])
    async def test_a_connection_lost_before_the_answer_is_a_network_failure(
        self, provider: LlmProvider, ask: Callable[..., UpstreamCall], upstream: Upstream, fault: str
    ) -> None:
        upstream.fault({"kind": fault})
        assert (await failed(provider, ask())).kind is FailureKind.NETWORK

    async def test_a_truncated_body_is_a_network_failure(
        self, provider: LlmProvider, ask: Callable[..., UpstreamCall], upstream: Upstream
    ) -> None:
        upstream.fault({"kind": "truncated_body"})
        assert (await failed(provider, ask())).kind is FailureKind.NETWORK

    async def test_silence_is_a_timeout(
        self, provider: LlmProvider, ask: Callable[..., UpstreamCall], upstream: Upstream
    ) -> None:
        upstream.fault({"kind": "silence"})
        assert (await failed(provider, ask(total_s=0.15))).kind is FailureKind.TIMEOUT
        call = ask(stream=True, headers_s=0.15)
        assert (await failed(provider, call)).kind is FailureKind.TIMEOUT

    # -- broken streams -------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "cut_after", "tokens": 2},
            {"kind": "cut_after", "tokens": 2, "how": "close"},
            {"kind": "cut_after", "tokens": 2, "how": "close", "terminator": True},
            {"kind": "no_finish"},
        ],
        ids=["reset", "closed", "closed in order", "no finish"],
    )
    async def test_a_cut_stream_is_never_complete(
        self,
        provider: LlmProvider,
        ask: Callable[..., UpstreamCall],
        upstream: Upstream,
        fault: dict[str, Any],
    ) -> None:
        upstream.fault(fault)
        streamed = await collect(provider, ask(stream=True))
        assert streamed.machine.committed and not streamed.machine.complete
        assert text_of(streamed.events)

    async def test_a_malformed_chunk_is_a_fault_inside_the_stream(
        self, provider: LlmProvider, ask: Callable[..., UpstreamCall], upstream: Upstream
    ) -> None:
        upstream.fault({"kind": "malformed_chunk_after", "tokens": 2})
        streamed = await collect(provider, ask(stream=True))
        assert not streamed.machine.complete
        last = streamed.events[-1]
        assert isinstance(last, Faulted) and last.failure.kind is FailureKind.BAD_RESPONSE

    async def test_an_error_frame_is_a_fault_and_not_passed_on(
        self, provider: LlmProvider, ask: Callable[..., UpstreamCall], upstream: Upstream
    ) -> None:
        upstream.fault({"kind": "error_frame_after", "tokens": 2})
        streamed = await collect(provider, ask(stream=True))
        assert not streamed.machine.complete
        assert isinstance(streamed.events[-1], Faulted)
        assert b'"error":{' not in streamed.raw and b"event: error" not in streamed.raw

    async def test_a_finish_without_the_end_marker_is_complete(
        self,
        provider: LlmProvider,
        ask: Callable[..., UpstreamCall],
        upstream: Upstream,
        dialect: str,
    ) -> None:
        upstream.fault({"kind": "no_done"})
        streamed = await collect(provider, ask(stream=True))
        assert streamed.machine.complete
        assert assert_valid_stream(dialect, streamed.raw, streamed.events).text

    # -- concurrency and cancellation -----------------------------------------------------------------

    async def test_many_calls_at_once_get_their_own_answers(
        self, provider: LlmProvider, ask: Callable[..., UpstreamCall], dialect: str
    ) -> None:
        calls = [ask(f"question number {number}") for number in range(20)]
        answers = await asyncio.gather(*(complete(provider, call) for call in calls))
        for number, answer in enumerate(answers):
            assert f"question number {number}" in seen_in(dialect, answer).text

    async def test_closing_a_stream_ends_the_call_at_the_provider(
        self, provider: LlmProvider, ask: Callable[..., UpstreamCall], upstream: Upstream
    ) -> None:
        # Two, for Portkey reads Gemini's array and holds each element back until the next one begins.
        upstream.fault({"kind": "stall_after", "tokens": 2}, times=1)
        stream = await provider.open_stream(ask(stream=True))
        async with asyncio.timeout(CALL_BOUND_S):
            assert await stream.next_block() is not None
        stream.close()
        stream.close()
        await until(lambda: upstream.client_disconnects() == 1)
        assert await stream.next_block() is None
        assert await complete(provider, ask())

    @pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
    async def test_cancelling_a_call_ends_it_at_the_provider(
        self,
        provider: LlmProvider,
        ask: Callable[..., UpstreamCall],
        upstream: Upstream,
        stream: bool,
    ) -> None:
        upstream.fault({"kind": "silence"}, times=1)
        call = ask(stream=stream)
        before = upstream.asked()
        task = asyncio.ensure_future(provider.open_stream(call) if stream else provider.complete(call))
        await until(lambda: upstream.asked() > before)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: upstream.client_disconnects() == 1)
        assert await complete(provider, ask())

    # -- unreachable ----------------------------------------------------------------------------------

    @pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
    async def test_an_unreachable_provider_is_a_network_failure(
        self, unreachable_provider: LlmProvider, ask: Callable[..., UpstreamCall], stream: bool
    ) -> None:
        failure = await failed(unreachable_provider, ask(stream=stream))
        assert failure.kind is FailureKind.NETWORK


class LlmProviderContract(TextProviderContract, PortContract):
    """The same of a wire that also has tools, pictures, schemas and thinking of its own."""

    async def test_a_tool_call_comes_with_its_name_and_arguments(
        self, provider: LlmProvider, ask: Callable[..., UpstreamCall], dialect: str
    ) -> None:
        fields = tools_in(dialect, WEATHER)
        answer = await complete(provider, ask(f"call {WEATHER}", **fields))
        said = seen_in(dialect, answer)
        assert [name for name, _ in said.tools] == [WEATHER]
        assert set(said.tools[0][1]) == {"city", "degrees"}
        assert answer.finish_reason == "tool_calls"

    async def test_parallel_tool_calls_are_streamed_in_pieces(
        self, provider: LlmProvider, ask: Callable[..., UpstreamCall], dialect: str
    ) -> None:
        fields = tools_in(dialect, WEATHER, CLOCK)
        wanted = f"call {WEATHER} and {CLOCK}"
        unary = await complete(provider, ask(wanted, **fields))
        streamed = await collect(provider, ask(wanted, stream=True, **fields))
        seen = assert_valid_stream(dialect, streamed.raw, streamed.events)
        assert [name for name, _ in seen.tools] == [WEATHER, CLOCK]
        assert seen.tools == seen_in(dialect, unary).tools
        assert streamed.machine.finish_reason == "tool_calls"
        assert ContentKind.TOOL_CALL in kinds_of(streamed.events)

    async def test_the_result_of_a_tool_reaches_the_model(
        self,
        provider: LlmProvider,
        reader: RequestReader,
        target: Callable[[str], Target],
        dialect: str,
    ) -> None:
        body = body_in(dialect, tool_conversation(dialect), **tools_in(dialect, WEATHER))
        request = reader.read(dialect, json.dumps(body).encode())
        call = UpstreamCall(request, target("small"), Timeouts(), CALL_BOUND_S)
        assert "17 degrees" in seen_in(dialect, await complete(provider, call)).text

    async def test_an_image_reaches_the_model(
        self, provider: LlmProvider, ask: Callable[..., UpstreamCall], dialect: str
    ) -> None:
        answer = await complete(provider, ask(image_in(dialect)))
        assert "1x1" in seen_in(dialect, answer).text

    async def test_structured_output_follows_the_schema(
        self, provider: LlmProvider, ask: Callable[..., UpstreamCall], dialect: str
    ) -> None:
        answer = await complete(provider, ask("weather as json", **schema_in(dialect)))
        assert set(json.loads(seen_in(dialect, answer).text)) == {"city", "degrees"}

    async def test_thinking_is_kept_apart_from_the_text(
        self, provider: LlmProvider, ask: Callable[..., UpstreamCall], dialect: str
    ) -> None:
        fields = thinking_in(dialect)
        unary = await complete(provider, ask(model="thinker", **fields))
        assert seen_in(dialect, unary).reasoning and seen_in(dialect, unary).text
        streamed = await collect(provider, ask(model="thinker", stream=True, **fields))
        seen = assert_valid_stream(dialect, streamed.raw, streamed.events)
        assert seen.reasoning == seen_in(dialect, unary).reasoning
        first = next(event for event in streamed.events if isinstance(event, Delta))
        assert first.kind is ContentKind.REASONING
