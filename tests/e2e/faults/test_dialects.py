"""The same faults as callers of other shapes hear of them."""

import json
from typing import Any

from tests.e2e.faults.world import ANSWER, KEEP_ALIVE_AFTER_S, FaultWorld, Pair, beginning

QUESTION = {"messages": [{"role": "user", "content": "say your words"}], "max_tokens": 500}


def frames_of(world: FaultWorld, path: str, body: dict[str, Any]) -> list[str]:
    with world.stack.client() as client:
        answer = client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return [frame for frame in answer.text.split("\n\n") if frame]


def test_an_anthropic_caller_hears_an_error_event_and_no_end(world: FaultWorld, pair: Pair) -> None:
    pair.fault(kind="cut_after", how="close", tokens=40)
    frames = frames_of(world, "/v1/messages", {"model": pair.both, "stream": True, **QUESTION})
    assert frames[-1].startswith("event: error\n")
    error = json.loads(frames[-1].split("data: ", 1)[1])
    assert error["type"] == "error" and error["error"]["message"]
    assert not any("message_stop" in frame for frame in frames)
    assert anthropic_text(frames) == beginning(40)


def test_an_anthropic_caller_gets_a_continued_answer_whole(world: FaultWorld, pair: Pair) -> None:
    pair.fault(kind="cut_after", how="close", tokens=40)
    frames = frames_of(world, "/v1/messages", {"model": pair.continued, "stream": True, **QUESTION})
    assert anthropic_text(frames) == ANSWER
    events = [frame for frame in frames if not frame.startswith(":")]
    kinds = [frame.split("\n", 1)[0].removeprefix("event: ") for frame in events]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]


def test_an_anthropic_caller_is_kept_alive_with_pings_while_failover_is_open(
    world: FaultWorld, pair: Pair
) -> None:
    pair.fault(kind="silence")
    assert KEEP_ALIVE_AFTER_S > 0
    frames = frames_of(world, "/v1/messages", {"model": pair.both, "stream": True, **QUESTION})
    assert frames[0].startswith("event: ping\n")
    assert anthropic_text(frames) == ANSWER and frames[-1].startswith("event: message_stop\n")


def test_an_anthropic_caller_hears_an_error_after_keep_alives(world: FaultWorld, pair: Pair) -> None:
    pair.fault(kind="silence")
    frames = frames_of(world, "/v1/messages", {"model": pair.one, "stream": True, **QUESTION})
    assert frames[0].startswith("event: ping\n") and frames[-1].startswith("event: error\n")


def test_our_own_route_ends_a_cut_stream_with_an_error_and_no_end_marker(
    world: FaultWorld, pair: Pair
) -> None:
    pair.fault(kind="stall_after", tokens=40)
    frames = frames_of(world, "/api/v1/llm/complete", own_body(pair.both, stream=True))
    last = json.loads(frames[-1].removeprefix("data: "))
    assert last["error"]["code"] == "stream_interrupted" and last["error"]["request_id"]
    heard = "".join(json.loads(frame.removeprefix("data: ")).get("delta", "") for frame in frames[:-1])
    assert heard == beginning(40)


def test_our_own_route_names_who_answered_and_what_it_cost(world: FaultWorld, pair: Pair) -> None:
    pair.fault(kind="status", status=503)
    with world.stack.client() as client:
        answer = client.post("/api/v1/llm/complete", json=own_body(pair.both, stream=False)).json()
    assert answer["completion"] == ANSWER
    assert (answer["provider"], answer["model_used"], answer["fallback"]) == (pair.b, "m", True)
    rows = world.rows_of(answer["request_id"])
    assert answer["cost"] * 1e9 == rows.attempts[-1]["cost_nano_usd"] == rows.request["cost_nano_usd"] > 0


def own_body(route: str, *, stream: bool) -> dict[str, Any]:
    return {
        "model_requirements": {"capabilities": ["text"]},
        "request": {"prompt": "say your words", "model": route, "stream": stream},
        "context": {"agent_id": "tester", "tenant_id": "default"},
    }


def anthropic_text(frames: list[str]) -> str:
    text = ""
    for frame in frames:
        _, _, data = frame.partition("data: ")
        if data and frame.startswith("event: content_block_delta"):
            text += json.loads(data)["delta"]["text"]
    return text
