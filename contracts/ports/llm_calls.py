"""Calling an LlmProvider within a bound, and collecting what a stream said before it ended or broke."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import pytest

from application.ports.llm import LlmProvider, UpstreamAnswer, UpstreamCall, UpstreamFailed
from domain.llm.failures import Failure
from domain.llm.stream import ContentKind, Delta, StreamEvent, StreamMachine

CALL_BOUND_S = 10.0
"""No call of this suite takes longer; a hang is a failure, not a wait."""


class Collected(NamedTuple):
    """A stream read to its end, or to where it broke."""

    raw: bytes
    events: tuple[StreamEvent, ...]
    machine: StreamMachine
    failure: Failure | None


async def complete(provider: LlmProvider, call: UpstreamCall) -> UpstreamAnswer:
    """A unary answer within the suite's bound."""
    async with asyncio.timeout(CALL_BOUND_S):
        return await provider.complete(call)


async def collect(provider: LlmProvider, call: UpstreamCall) -> Collected:
    """The whole stream, also when it breaks."""
    machine = StreamMachine(keep_text=True)
    raws: list[bytes] = []
    events: list[StreamEvent] = []
    failure: Failure | None = None
    async with asyncio.timeout(CALL_BOUND_S):
        stream = await provider.open_stream(call)
        try:
            while (block := await stream.next_block()) is not None:
                raws.append(block.raw)
                events += block.events
                for event in block.events:
                    machine.feed(event)
        except UpstreamFailed as error:
            failure = error.failure
        finally:
            stream.close()
    machine.interrupt(failure)
    return Collected(b"".join(raws), tuple(events), machine, failure)


async def failed(provider: LlmProvider, call: UpstreamCall) -> Failure:
    """The failure of a call that must fail before any content."""
    with pytest.raises(UpstreamFailed) as caught:
        async with asyncio.timeout(CALL_BOUND_S):
            if call.request.stream:
                (await provider.open_stream(call)).close()
            else:
                await provider.complete(call)
    return caught.value.failure


async def until(condition: Callable[[], bool]) -> None:
    """Waits, bounded, for something the other end notices a moment later."""
    async with asyncio.timeout(CALL_BOUND_S):
        while not condition():  # noqa: ASYNC110 - the other end counts, it signals nothing
            await asyncio.sleep(0.01)


def text_of(events: tuple[StreamEvent, ...]) -> str:
    return "".join(e.text for e in events if isinstance(e, Delta) and e.kind is ContentKind.TEXT)


def kinds_of(events: tuple[StreamEvent, ...]) -> set[ContentKind]:
    return {event.kind for event in events if isinstance(event, Delta)}
