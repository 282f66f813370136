"""Faults as a caller sees them on the socket."""

import asyncio
import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from entrypoints.simulator.faults import fault_from, headers_of
from entrypoints.simulator.server import SimulatedProvider
from tests.unit.simulator.conftest import Caller

PATHS = {
    "openai": "/v1/chat/completions",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/small:generateContent",
}
BODY = {
    "model": "small",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "hello there"}],
    "contents": [{"parts": [{"text": "hello there"}]}],
}


class Seen:
    """Everything that came back on one connection, and how it ended: `open`, `closed` or `reset`."""

    def __init__(self, data: bytes, end: str) -> None:
        self.data = data
        self.end = end

    @property
    def contents(self) -> list[str]:
        texts = []
        for line in self.data.decode().splitlines():
            if line.startswith("data: {") and '"choices"' in line:
                choices = json.loads(line[6:])["choices"]
                texts += [choice["delta"]["content"] for choice in choices if choice["delta"].get("content")]
        return texts


async def talk(provider: SimulatedProvider, body: dict[str, Any], *, patience_s: float = 0.1) -> Seen:
    """Sends one chat request on a plain socket and reads until it ends or goes quiet."""
    reader, writer = await asyncio.open_connection("127.0.0.1", provider.port)
    content = json.dumps(body).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nauthorization: Bearer k\r\ncontent-length: %d\r\n\r\n"
    writer.write(head % len(content) + content)
    data, end = b"", "open"
    try:
        while True:
            async with asyncio.timeout(patience_s):
                more = await reader.read(65536)
            if not more:
                end = "closed"
                break
            data += more
    except TimeoutError:
        pass
    except ConnectionResetError:
        end = "reset"
    writer.close()
    return Seen(data, end)


STREAM = {**BODY, "stream": True}


@pytest.mark.parametrize(
    ("kind", "end"),
    [
        ("reset_before_headers", "reset"),
        ("down", "reset"),
        ("close_before_headers", "closed"),
        ("silence", "open"),
    ],
)
async def test_nothing_is_answered(provider: SimulatedProvider, kind: str, end: str) -> None:
    provider.fault({"kind": kind})

    seen = await talk(provider, BODY)

    assert (seen.data, seen.end) == (b"", end)
    assert provider.bill["answered"]["requests"] == provider.bill["interrupted"]["requests"] == 0


@pytest.mark.parametrize(
    ("how", "terminator", "end"),
    [("reset", False, "reset"), ("close", False, "closed"), ("close", True, "closed")],
)
async def test_a_stream_is_cut_after_so_many_tokens(
    provider: SimulatedProvider, how: str, terminator: bool, end: str
) -> None:
    provider.fault({"kind": "cut_after", "tokens": 3, "how": how, "terminator": terminator})

    seen = await talk(provider, STREAM)

    assert (len(seen.contents), seen.end) == (3, end)
    assert seen.data.endswith(b"\r\n0\r\n\r\n") is terminator
    assert b'finish_reason":"' not in seen.data
    assert provider.bill["interrupted"]["output_tokens"] == 3


async def test_a_cut_after_no_token_leaves_only_metadata(provider: SimulatedProvider) -> None:
    provider.fault({"kind": "cut_after", "tokens": 0})

    seen = await talk(provider, STREAM)

    assert b'"role":"assistant"' in seen.data and seen.contents == []


async def test_a_cut_beyond_the_end_strikes_before_the_finish_reason(provider: SimulatedProvider) -> None:
    provider.fault({"kind": "cut_after", "tokens": 10_000, "how": "close"})

    seen = await talk(provider, STREAM)

    assert seen.contents and b'"finish_reason":"stop"' not in seen.data


async def test_a_stalled_stream_stays_open(provider: SimulatedProvider) -> None:
    provider.fault({"kind": "stall_after", "tokens": 2})

    seen = await talk(provider, STREAM)

    assert (len(seen.contents), seen.end) == (2, "open")


async def test_a_malformed_chunk_is_followed_by_the_rest(provider: SimulatedProvider) -> None:
    provider.fault({"kind": "malformed_chunk_after", "tokens": 1})

    seen = await talk(provider, STREAM)

    assert b'data: {"simulated": "malformed\n\n' in seen.data
    assert seen.data.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


async def test_the_transfer_coding_can_break(provider: SimulatedProvider) -> None:
    provider.fault({"kind": "bad_chunking_after", "tokens": 1})

    seen = await talk(provider, STREAM)

    assert (b"\r\nzz\r\n" in seen.data, seen.end) == (True, "closed")


async def test_a_stream_without_its_end_marker_still_has_its_finish_reason(
    provider: SimulatedProvider,
) -> None:
    provider.fault({"kind": "no_done"})

    seen = await talk(provider, STREAM)

    assert b'"finish_reason":"stop"' in seen.data and b"[DONE]" not in seen.data
    assert provider.bill["answered"]["requests"] == 1


async def test_a_stream_can_end_in_order_without_finishing(provider: SimulatedProvider) -> None:
    provider.fault({"kind": "no_finish"})

    seen = await talk(provider, {**STREAM, "stream_options": {"include_usage": True}})

    assert seen.data.endswith(b"\r\n0\r\n\r\n")
    assert b'"finish_reason":"stop"' not in seen.data and b"prompt_tokens" not in seen.data
    assert provider.bill["interrupted"]["requests"] == 1


async def test_a_body_can_be_shorter_than_it_says(provider: SimulatedProvider) -> None:
    provider.fault({"kind": "truncated_body"})

    seen = await talk(provider, BODY)

    head, _, body = seen.data.partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}\r\n".encode() not in head + b"\r\n" and body
    assert seen.end == "closed"
    assert provider.bill["interrupted"]["requests"] == 1


async def test_headers_come_at_once_and_the_first_token_late(provider: SimulatedProvider) -> None:
    provider.fault({"kind": "slow_first_token", "delay_s": 60})

    stream, unary = await asyncio.gather(talk(provider, STREAM), talk(provider, BODY))

    assert stream.data.startswith(b"HTTP/1.1 200 OK") and stream.contents == []
    assert unary.data.startswith(b"HTTP/1.1 200 OK") and unary.data.endswith(b"\r\n\r\n")


async def test_slow_headers_keep_everything_back(provider: SimulatedProvider) -> None:
    provider.fault({"kind": "slow_headers", "delay_s": 60})

    stream, unary = await asyncio.gather(talk(provider, STREAM), talk(provider, BODY))

    assert stream.data == unary.data == b""


async def test_a_late_answer_is_whole(caller: Caller) -> None:
    whole = (await caller.chat()).body
    for kind in ("slow_headers", "slow_first_token"):
        caller.provider.fault({"kind": kind, "delay_s": 0.01}, times=1)
        assert (await caller.chat()).body == whole


@pytest.mark.parametrize("shape", PATHS)
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 408, 413, 429, 500, 502, 503, 529])
async def test_every_status_has_a_body_in_the_providers_shape(
    caller: Caller, shape: str, status: int
) -> None:
    caller.provider.fault({"kind": "status", "status": status, "message": "as told"})

    reply = await caller.post(PATHS[shape], BODY)

    assert (reply.status, reply.json["error"]["message"]) == (status, "as told")


@pytest.mark.parametrize(
    ("fault", "shape", "field", "value"),
    [
        ({"status": 400, "code": "context_length_exceeded"}, "openai", "code", "context_length_exceeded"),
        ({"status": 400, "code": "content_policy_violation"}, "openai", "code", "content_policy_violation"),
        ({"status": 429, "code": "insufficient_quota"}, "openai", "type", "insufficient_quota"),
        ({"status": 529}, "anthropic", "type", "overloaded_error"),
        ({"status": 529, "code": "overloaded_error"}, "anthropic", "type", "overloaded_error"),
        ({"status": 400, "code": "context_length_exceeded"}, "anthropic", "type", "invalid_request_error"),
        ({"status": 503}, "gemini", "status", "UNAVAILABLE"),
        ({"status": 429, "code": "insufficient_quota"}, "gemini", "status", "RESOURCE_EXHAUSTED"),
    ],
)
async def test_errors_use_the_providers_words(
    caller: Caller, fault: dict[str, Any], shape: str, field: str, value: str
) -> None:
    caller.provider.fault({"kind": "status", **fault})

    assert (await caller.post(PATHS[shape], BODY)).json["error"][field] == value


async def test_retry_after_is_given_in_seconds_or_as_a_date(caller: Caller) -> None:
    caller.provider.fault(
        {"kind": "status", "status": 429, "retry_after_s": 2.5, "headers": {"x-limit": "9"}}
    )
    reply = await caller.chat()
    assert (reply.headers["retry-after"], reply.headers["x-limit"]) == ("2.5", "9")

    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    fault = fault_from({"kind": "status", "retry_after_s": 10, "retry_after_date": True})
    assert parsedate_to_datetime(headers_of(fault, now=moment)["retry-after"]) == moment.replace(second=15)


@pytest.mark.parametrize("kind", ["empty_200", "html_200", "wrong_json"])
async def test_a_200_can_be_no_answer(caller: Caller, kind: str) -> None:
    caller.provider.fault({"kind": kind})

    reply = await caller.chat()

    assert reply.status == 200 and b"choices" not in reply.body


@pytest.mark.parametrize("shape", ["openai", "anthropic"])
async def test_an_error_can_come_inside_a_stream(caller: Caller, shape: str) -> None:
    caller.provider.fault(
        {"kind": "error_frame_after", "tokens": 2, "status": 529, "type": "overloaded_error"}
    )

    reply = await caller.post(PATHS[shape], {**BODY, "stream": True})

    assert reply.status == 200
    assert reply.events[-1]["error"]["type"] == "overloaded_error"


async def test_faults_strike_only_what_they_match(caller: Caller) -> None:
    caller.provider.fault({"kind": "status", "status": 500}, match={"provider": "alpha", "model": "sm*"})
    body = {"model": "small", "messages": [{"role": "user", "content": "x"}]}

    assert (await caller.post("/alpha/v1/chat/completions", body)).status == 500
    assert (await caller.post("/beta/v1/chat/completions", body)).status == 200
    assert (await caller.post("/alpha/v1/chat/completions", {**body, "model": "large"})).status == 200


async def test_faults_can_be_for_a_path_a_key_or_streams_only(caller: Caller) -> None:
    fault = {"kind": "status", "status": 500}
    for match, unary, stream, listing in (
        ({"path": "/models"}, 200, 200, 500),
        ({"path": "*/chat/*"}, 500, 500, 200),
        ({"provider_key": "test-key"}, 500, 500, 500),
        ({"provider_key": "other"}, 200, 200, 200),
        ({"stream": True}, 200, 500, 200),
    ):
        caller.provider.heal()
        caller.provider.fault(fault, match=match)
        assert (await caller.chat()).status == unary
        assert (await caller.chat(stream=True)).status == stream
        assert (await caller.send("GET", "/v1/models")).status == listing


async def test_a_fault_ends_with_its_times_and_with_its_time(caller: Caller) -> None:
    caller.provider.fault({"kind": "status", "status": 500}, times=2)
    assert [(await caller.chat()).status for _ in range(3)] == [500, 500, 200]

    caller.provider.fault({"kind": "status", "status": 500}, for_s=0)
    assert (await caller.chat()).status == 200


async def test_a_random_fault_strikes_the_same_way_each_time(caller: Caller) -> None:
    seen = []
    for _ in range(2):
        caller.provider.heal()
        caller.provider.fault({"kind": "random", "p": 0.5, "seed": 7})
        seen.append([(await caller.chat()).status for _ in range(20)])

    assert seen[0] == seen[1]
    assert set(seen[0]) == {200, 500}


async def test_a_stopped_provider_refuses_and_comes_back_on_its_port(caller: Caller) -> None:
    provider = caller.provider
    port = provider.port

    await provider.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    await provider.start()

    assert provider.port == port
    assert (await caller.chat()).status == 200


async def test_latency_spreads_a_stream_over_time(provider: SimulatedProvider) -> None:
    provider.latency(per_token_ms=60_000)

    seen = await talk(provider, STREAM)

    assert len(seen.contents) == 1


async def test_latency_before_the_first_token_keeps_the_answer_back(provider: SimulatedProvider) -> None:
    provider.latency(ttft_ms=60_000, sigma=0.1, match={"model": "small"})

    assert (await talk(provider, BODY)).data == b""
