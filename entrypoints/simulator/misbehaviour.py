"""Faults carried out on the socket, and streams told frame by frame."""

import asyncio

from entrypoints.simulator.bill import Bill
from entrypoints.simulator.connection import JSON, Connection
from entrypoints.simulator.conversation import Frame, FrameKind, Tokens
from entrypoints.simulator.faults import Fault, FaultKind, LatencyProfile, headers_of, message_of
from entrypoints.simulator.routes import Route
from entrypoints.simulator.shapes import ERRORS

_BEFORE_ANSWER = frozenset(
    {
        FaultKind.STATUS,
        FaultKind.RESET_BEFORE_HEADERS,
        FaultKind.CLOSE_BEFORE_HEADERS,
        FaultKind.DOWN,
        FaultKind.SILENCE,
        FaultKind.EMPTY_200,
        FaultKind.HTML_200,
        FaultKind.WRONG_JSON,
    }
)
_AFTER_TOKENS = frozenset(
    {
        FaultKind.CUT_AFTER,
        FaultKind.STALL_AFTER,
        FaultKind.MALFORMED_CHUNK_AFTER,
        FaultKind.BAD_CHUNKING_AFTER,
        FaultKind.ERROR_FRAME_AFTER,
        FaultKind.TRUNCATED_BODY,
    }
)
_BEFORE_RESET_S = 0.005
"""A reset may discard what the peer has not read yet; this lets it read first."""


class Account:
    """What one answer costs: everything once its usage is told, else what was produced so far.

    Without tokens it costs nothing and stays off the bill.
    """

    __slots__ = (
        "_bill",
        "_caller",
        "_model",
        "_provider",
        "_settled",
        "_tokens",
        "produced",
        "started",
        "told",
    )

    def __init__(self, bill: Bill, route: Route, model: str, tokens: Tokens | None) -> None:
        self._bill = bill
        self._provider = route.provider
        self._caller = route.caller
        self._model = model
        self._tokens = tokens
        self._settled = False
        self.told = False
        self.started = False
        self.produced = 0

    def settle(self) -> None:
        """Puts it on the bill, once."""
        if self._settled:
            return
        self._settled = True
        tokens = self._tokens
        if tokens is None:
            return
        if not self.told and not self._bill.cut_counts_in_full:
            produced = min(self.produced, tokens.output)
            reasoning = min(produced, tokens.reasoning)
            tokens = tokens._replace(output=produced, reasoning=reasoning)
        self._bill.charge(self._provider, self._model, tokens, told=self.told, caller=self._caller)


def strikes_before_answer(fault: Fault) -> bool:
    """Whether the fault leaves nothing of the answer, so that none is made or billed."""
    return fault.kind in _BEFORE_ANSWER


async def broken_answer(connection: Connection, route: Route, fault: Fault) -> None:
    """Carries out a fault that strikes before the answer."""
    match fault.kind:
        case FaultKind.STATUS:
            _respond_status(connection, route, fault)
        case FaultKind.RESET_BEFORE_HEADERS | FaultKind.DOWN:
            connection.reset()
        case FaultKind.CLOSE_BEFORE_HEADERS:
            connection.close()
        case FaultKind.SILENCE:
            await _forever()
        case FaultKind.EMPTY_200:
            connection.respond(200, JSON, b"")
        case FaultKind.HTML_200:
            page = b"<!doctype html><html><body><h1>Simulated maintenance page</h1></body></html>"
            connection.respond(200, b"content-type: text/html; charset=utf-8\r\n", page)
        case _:
            connection.respond(200, JSON, b'{"status":"ok","simulated":true}')


def _respond_status(connection: Connection, route: Route, fault: Fault) -> None:
    shape = ERRORS[route.shape]
    if fault.body is not None:
        body = fault.body.encode()
    else:
        body = shape.body(fault.status, message_of(fault), kind=fault.type, code=fault.code, param=None)
    extra = "".join(f"{name}: {value}\r\n" for name, value in headers_of(fault).items()).encode("latin-1")
    content_type = b"" if b"content-type:" in extra.lower() else JSON
    connection.respond(fault.status, content_type + shape.request_id_header % b"0" + extra, body)


async def send_unary(
    connection: Connection, headers: bytes, body: bytes, fault: Fault | None, account: Account
) -> None:
    """A whole answer, late or short where the fault says so. Stream faults do not touch it."""
    kind = None if fault is None else fault.kind
    if fault is not None and kind is FaultKind.TRUNCATED_BODY:
        connection.respond(200, headers, body[: len(body) // 2], declared_bytes=len(body))
        return
    if fault is not None and kind is FaultKind.SLOW_HEADERS:
        await asyncio.sleep(fault.delay_s)
    if fault is not None and kind is FaultKind.SLOW_FIRST_TOKEN:
        connection.begin_body(headers, len(body))
        await asyncio.sleep(fault.delay_s)
        account.told = True
        await connection.write(body)
        return
    account.told = True
    connection.respond(200, headers, body)


async def emit(
    connection: Connection,
    route: Route,
    headers: bytes,
    frames: list[Frame],
    fault: Fault | None,
    profile: LatencyProfile | None,
    account: Account,
) -> None:
    """A stream frame by frame, with its latency and its fault."""
    kind = None if fault is None else fault.kind
    if fault is not None and kind is FaultKind.SLOW_HEADERS:
        await asyncio.sleep(fault.delay_s)
    if profile is not None:
        await asyncio.sleep(profile.first_token_s())
    connection.begin_chunks(headers)
    pending = fault if kind in _AFTER_TOKENS else None
    usage_to_come = any(frame.kind == FrameKind.USAGE for frame in frames)
    for frame in frames:
        starts_content = frame.kind in (FrameKind.CALL, FrameKind.CONTENT)
        if starts_content and not account.started:
            account.started = True
            if fault is not None and kind is FaultKind.SLOW_FIRST_TOKEN:
                await asyncio.sleep(fault.delay_s)
        if pending is not None and _due(pending, frame, account.produced):
            if await _strike(connection, route, pending):
                return
            pending = None
        if (kind is FaultKind.NO_FINISH and frame.kind >= FrameKind.FINISH) or (
            kind is FaultKind.NO_DONE and frame.kind == FrameKind.DONE
        ):
            continue
        if profile is not None and frame.kind == FrameKind.CONTENT and account.produced:
            await asyncio.sleep(profile.token_s())
        await connection.chunk(frame.data)
        if frame.kind == FrameKind.CONTENT:
            account.produced += 1
        elif frame.kind == FrameKind.USAGE or (frame.kind == FrameKind.FINISH and not usage_to_come):
            account.told = True
    connection.end_chunks()


def _due(fault: Fault, frame: Frame, produced: int) -> bool:
    """After `tokens`, or before the end when the answer is shorter than that."""
    at_content = frame.kind in (FrameKind.CALL, FrameKind.CONTENT)
    return (at_content and produced >= fault.tokens) or frame.kind >= FrameKind.FINISH


async def _strike(connection: Connection, route: Route, fault: Fault) -> bool:
    """Carries out a fault inside a stream; True when the stream is over."""
    match fault.kind:
        case FaultKind.STALL_AFTER:
            await _forever()
        case FaultKind.MALFORMED_CHUNK_AFTER:
            await connection.chunk(b'data: {"simulated": "malformed\n\n')
            return False
        case FaultKind.BAD_CHUNKING_AFTER:
            await connection.write(b"zz\r\nnot a chunk\r\n")
            connection.close()
        case FaultKind.ERROR_FRAME_AFTER:
            frame = ERRORS[route.shape].frame(
                fault.status, message_of(fault), kind=fault.type, code=fault.code
            )
            await connection.chunk(frame)
            connection.end_chunks()
        case _:
            if fault.kind is FaultKind.CUT_AFTER and fault.how == "reset":
                await asyncio.sleep(_BEFORE_RESET_S)
                connection.reset()
            else:
                if fault.terminator:
                    connection.end_chunks()
                connection.close()
    return True


async def _forever() -> None:
    """Until the peer leaves or the server stops, which cancels the task."""
    await asyncio.get_running_loop().create_future()
