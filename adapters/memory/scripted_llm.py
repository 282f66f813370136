"""A provider whose answers are written beforehand: late, short, refused, broken off, or perfectly fine.

For tests and simulations. A fake that is always quick, whole and in a good mood hides the faults that
failover exists for, so this one has all of them. It waits with `asyncio.sleep` alone, keeps the bounds of
each call as a real adapter does, ends when it is cancelled, and remembers every call.
"""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from application.ports.llm import (
    Block,
    LlmProvider,
    UpstreamAnswer,
    UpstreamCall,
    UpstreamFailed,
    UpstreamStream,
)
from application.ports.system import Clock
from application.ports.wire import FrameWriter
from domain.llm.failures import Failure, FailureKind
from domain.llm.request import LlmRequest
from domain.llm.stream import (
    ContentKind,
    Delta,
    Faulted,
    Finished,
    Opened,
    Pinged,
    StreamEvent,
    Terminated,
    UsageReported,
)
from domain.llm.usage import Usage
from domain.routing.target import Target

_TOKEN = re.compile(r"\S+\s*|\s+")


class Break(Enum):
    """How an answer ends before its end."""

    CUT = "cut"
    """The connection is reset."""
    END = "end"
    """The connection ends in order, without a finish reason."""
    STALL = "stall"
    """Nothing more comes, and the connection stays open."""
    MALFORMED = "malformed"
    """What comes next cannot be read."""
    ERROR_FRAME = "error_frame"
    """The provider reports an error inside the stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """How one call is answered. A token is a word with the white space behind it; times are seconds.

    `text` is the whole answer: asked to continue a text, the provider says what follows that many
    characters of it (after the given text once more, with `echo`). `latency_s` passes before the headers,
    `first_token_s` before the first token, `token_s` before each further one, `trailer_s` before the usage.
    `failure` refuses the call after `latency_s`. `broken` strikes after `broken_after` tokens. Without
    `finish_reason` or `terminator` these are left out; `tokens_max` ends the answer early with `length`.
    """

    text: str = "ok"
    latency_s: float = 0.0
    first_token_s: float = 0.0
    token_s: float = 0.0
    trailer_s: float = 0.0
    failure: Failure | None = None
    silent: bool = False
    broken: Break | None = None
    broken_after: int = 0
    tokens_max: int | None = None
    finish_reason: str | None = "stop"
    terminator: bool = True
    cut_after_finish: bool = False
    """Whether the connection is reset when everything but the end marker was said."""
    usage: Usage | None = None
    kind: ContentKind = ContentKind.TEXT
    echo: bool = False
    pings_every_s: float | None = None
    """How often a stream says that it is alive while its next token is due; None: never."""


@dataclass(slots=True, kw_only=True)
class ScriptedCall:
    """One call as the provider saw it. `outcome` is `open` until it is `answered`, `failed` or `left`."""

    target: Target
    request_id: str
    streamed: bool
    continue_from: str | None
    started_s: float
    ended_s: float | None = None
    outcome: str = "open"
    said: str = ""
    failure: Failure | None = None
    tokens: list[str] = field(default_factory=list)


class ScriptedLlm(LlmProvider):
    """Answers each call as `script` says. Speaks OpenAI's chat shape, streams in whatever `frames` writes.

    `reaches` and `would_drop` make it a gateway that is down, or one that loses fields. `calls` grows with
    every call.
    """

    def __init__(
        self,
        script: Callable[[UpstreamCall], Script],
        *,
        clock: Clock,
        frames: FrameWriter,
        reaches: Callable[[Target], bool] | None = None,
        would_drop: tuple[str, ...] = (),
    ) -> None:
        self._script = script
        self._clock = clock
        self._frames = frames
        self._reaches = reaches
        self._dropped = would_drop
        self.calls: list[ScriptedCall] = []
        self.in_flight = 0

    def would_drop(self, request: LlmRequest, target: Target) -> tuple[str, ...]:  # noqa: ARG002
        return self._dropped

    def reaches(self, target: Target) -> bool:
        return self._reaches is None or self._reaches(target)

    async def complete(self, call: UpstreamCall) -> UpstreamAnswer:
        script, seen = self._begin(call)
        limit = _Limit(self._clock, seen.started_s + call.total_timeout_s)
        try:
            await self._accept(script, limit)
            tokens = _tokens(script, call)
            whole_s = script.first_token_s + script.token_s * max(0, len(tokens) - 1)
            await limit.sleep(whole_s)
            if script.broken is not None:
                await _break(script.broken, limit)
        except UpstreamFailed as error:
            self.end(seen, "failed", error.failure)
            raise
        except BaseException:
            self.end(seen, "left")
            raise
        seen.said = "".join(tokens)
        self.end(seen, "answered")
        reason = _reason(script)
        message = {"role": "assistant", "content": seen.said}
        body = {"choices": [{"index": 0, "message": message, "finish_reason": reason}]}
        return UpstreamAnswer(json.dumps(body).encode(), "application/json", script.usage, reason)

    async def open_stream(self, call: UpstreamCall) -> UpstreamStream:
        script, seen = self._begin(call)
        limit = _Limit(self._clock, seen.started_s + call.total_timeout_s)
        headers_s = seen.started_s + call.timeouts.headers_s
        try:
            await self._accept(script, _Limit(self._clock, min(limit.at_s, headers_s)))
        except UpstreamFailed as error:
            self.end(seen, "failed", error.failure)
            raise
        except BaseException:
            self.end(seen, "left")
            raise
        return _ScriptedStream(self, script, call, seen, limit, self._frames)

    def end(self, seen: ScriptedCall, outcome: str, failure: Failure | None = None) -> None:
        """The call is over; the first word about it holds."""
        if seen.outcome == "open":
            seen.outcome, seen.failure, seen.ended_s = outcome, failure, self._clock.monotonic()
            self.in_flight -= 1

    def _begin(self, call: UpstreamCall) -> tuple[Script, ScriptedCall]:
        seen = ScriptedCall(
            target=call.target,
            request_id=call.request_id,
            streamed=call.request.stream,
            continue_from=call.continue_from,
            started_s=self._clock.monotonic(),
        )
        self.calls.append(seen)
        self.in_flight += 1
        return self._script(call), seen

    async def _accept(self, script: Script, limit: "_Limit") -> None:
        await limit.sleep(None if script.silent else script.latency_s)
        if script.failure is not None:
            raise UpstreamFailed(script.failure)


class _Limit:
    """The moment when a call's time is over."""

    __slots__ = ("_clock", "at_s")

    def __init__(self, clock: Clock, at_s: float) -> None:
        self._clock = clock
        self.at_s = at_s

    async def sleep(self, seconds: float | None) -> None:
        """Waits so long, None for ever; raises UpstreamFailed when the time is over before."""
        left_s = self.at_s - self._clock.monotonic()
        if seconds is not None and seconds < left_s:
            if seconds > 0:
                await asyncio.sleep(seconds)
            return
        await asyncio.sleep(max(0.0, left_s))
        raise UpstreamFailed(Failure(kind=FailureKind.TIMEOUT, message="the provider did not answer in time"))


class _ScriptedStream(UpstreamStream):
    """A stream told block by block: an opening, the tokens, the end."""

    __slots__ = (
        "_call",
        "_closed",
        "_frames",
        "_limit",
        "_owner",
        "_script",
        "_seen",
        "_step",
        "_tokens",
        "_waited_s",
        "dropped",
        "headers",
    )

    def __init__(
        self,
        owner: ScriptedLlm,
        script: Script,
        call: UpstreamCall,
        seen: ScriptedCall,
        limit: _Limit,
        frames: FrameWriter,
    ) -> None:
        self._owner = owner
        self._script = script
        self._call = call
        self._seen = seen
        self._limit = limit
        self._frames = frames
        self._tokens = _tokens(script, call)
        self._step = 0
        self._waited_s = 0.0
        self._closed = False
        self.headers: tuple[tuple[str, str], ...] = ()
        self.dropped: tuple[str, ...] = ()

    async def next_block(self) -> Block | None:
        if self._closed:
            return None
        try:
            return await self._next()
        except UpstreamFailed as error:
            self._closed = True
            self._owner.end(self._seen, "failed", error.failure)
            raise

    def close(self) -> None:
        self._closed = True
        self._owner.end(self._seen, "left")

    async def _next(self) -> Block | None:
        script, step = self._script, self._step
        if step == 0:
            self._step = 1
            return Block(b"", (Opened(),))
        at = step - 1
        if script.broken is not None and at >= min(script.broken_after, len(self._tokens)):
            return await self._broken(script.broken)
        if at < len(self._tokens):
            if (ping := await self._wait(script.token_s if at else script.first_token_s)) is not None:
                return ping
            self._step += 1
            return self._said(self._tokens[at])
        if at == len(self._tokens):
            await self._limit.sleep(script.trailer_s)
            self._step += 1
            if (end := self._finish()).events:
                return end
        if script.cut_after_finish:
            await _break(Break.CUT, self._limit)
        self._closed = True
        self._owner.end(self._seen, "answered")
        return None

    async def _wait(self, seconds: float) -> Block | None:
        """Waits, or returns a ping first when the wait is longer than the pings are apart."""
        left_s, every_s = seconds - self._waited_s, self._script.pings_every_s
        if every_s is not None and left_s > every_s:
            await self._limit.sleep(every_s)
            self._waited_s += every_s
            return Block(b"", (Pinged(),))
        await self._limit.sleep(left_s)
        self._waited_s = 0.0
        return None

    async def _broken(self, how: Break) -> Block | None:
        if how is Break.END:
            self._closed = True
            self._owner.end(self._seen, "failed")
            return None
        try:
            await _break(how, self._limit)
        except UpstreamFailed as error:
            if how in (Break.MALFORMED, Break.ERROR_FRAME):
                self._closed = True
                self._owner.end(self._seen, "failed", error.failure)
                return Block(b"", (Faulted(error.failure),))
            raise
        return None

    def _said(self, token: str) -> Block:
        self._seen.said += token
        self._seen.tokens.append(token)
        request = self._call.request
        raw = self._frames.text_frame(
            request.dialect, token, request_id=self._call.request_id, model=self._call.target.model
        )
        return Block(raw, (Delta(self._script.kind, token),))

    def _finish(self) -> Block:
        script, request = self._script, self._call.request
        events: list[StreamEvent] = []
        raw = b""
        if (reason := _reason(script)) is not None:
            raw = self._frames.finish_frames(
                request.dialect,
                reason,
                script.usage,
                request_id=self._call.request_id,
                model=self._call.target.model,
                include_usage=request.include_usage,
            )
            events.append(Finished(reason))
        if script.usage is not None:
            events.append(UsageReported(script.usage))
        if script.terminator and not script.cut_after_finish:
            events.append(Terminated())
        return Block(raw, tuple(events))


def _tokens(script: Script, call: UpstreamCall) -> list[str]:
    text = script.text
    if call.continue_from is not None:
        text = text[len(call.continue_from) :]
        if script.echo:
            text = call.continue_from + text
    return _TOKEN.findall(text)[: script.tokens_max]


def _reason(script: Script) -> str | None:
    short = script.tokens_max is not None and script.tokens_max < len(_TOKEN.findall(script.text))
    return "length" if short else script.finish_reason


async def _break(how: Break, limit: _Limit) -> None:
    """Raises what the break is to an adapter; a stall lasts until the call's time is over."""
    match how:
        case Break.CUT | Break.END:
            kind, message = FailureKind.NETWORK, "the connection was cut"
        case Break.MALFORMED:
            kind, message = FailureKind.BAD_RESPONSE, "a stream chunk cannot be read"
        case Break.ERROR_FRAME:
            kind, message = FailureKind.SERVER_ERROR, "the provider reported an error"
        case Break.STALL:
            await limit.sleep(None)
            return
    raise UpstreamFailed(Failure(kind=kind, message=message))
