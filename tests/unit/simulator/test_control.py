"""The control API, as tests in other processes and the `demo` command use it."""

import pytest

from tests.unit.simulator.conftest import Caller


async def test_a_fault_is_put_listed_and_deleted(caller: Caller) -> None:
    rule = {
        "match": {"provider": "alpha"},
        "fault": {"kind": "status", "status": 503},
        "times": 3,
        "for_s": 60,
    }

    put = await caller.send("PUT", "/_sim/faults", rule, key=None)
    listed = (await caller.send("GET", "/_sim/faults", key=None)).json["rules"]
    deleted = await caller.send("DELETE", "/_sim/faults", {"provider": "alpha"}, key=None)

    assert put.json == {"id": 1}
    assert listed[0]["match"] == {"provider": "alpha"}
    assert listed[0]["effect"]["kind"] == "status" and listed[0]["times_left"] == 3
    assert 0 < listed[0]["left_s"] <= 60
    assert deleted.json == {"cleared": 1}


async def test_deleting_spares_other_providers_and_takes_one_by_number(caller: Caller) -> None:
    for provider in ("alpha", "beta"):
        caller.provider.fault({"kind": "silence"}, match={"provider": provider})

    assert (await caller.send("DELETE", "/_sim/faults", {"provider": "gamma"})).json == {"cleared": 0}
    assert (await caller.send("DELETE", "/_sim/faults", {"id": 1})).json == {"cleared": 1}
    assert (await caller.send("DELETE", "/_sim/faults")).json == {"cleared": 1}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/_sim/faults", {"fault": {"kind": "no such kind"}}),
        ("/_sim/faults", {"fault": {"kind": "silence", "typo": 1}}),
        ("/_sim/faults", {"fault": {"kind": "silence"}, "time": 1}),
        ("/_sim/faults", {"match": {"modle": "x"}, "fault": {"kind": "silence"}}),
        ("/_sim/faults", {}),
        ("/_sim/latency", {"latency": {"ttft_ms": "soon"}}),
        ("/_sim/prices", {"small": {"input_usd_per_mtok": "cheap"}}),
        ("/_sim/prices", {"small": 5}),
    ],
)
async def test_what_cannot_be_understood_is_a_400(caller: Caller, path: str, body: object) -> None:
    reply = await caller.send("PUT", path, body)

    assert reply.status == 400 and reply.json["error"]


async def test_unknown_resources_and_methods_are_told(caller: Caller) -> None:
    assert (await caller.send("GET", "/_sim/nothing")).status == 404
    assert (await caller.send("PUT", "/_sim/bill", {})).status == 405
    assert "/_sim/faults" in (await caller.send("GET", "/_sim")).json["resources"]


async def test_latency_answers_and_models_are_set_over_http(caller: Caller) -> None:
    await caller.send("PUT", "/_sim/latency", {"latency": {"ttft_ms": 1, "sigma": 0.5, "seed": 3}})
    await caller.send(
        "PUT", "/_sim/answers", {"match": {"model": "small"}, "answer": {"text": "as scripted"}}
    )
    await caller.send("PUT", "/_sim/models", ["m1"])

    assert (await caller.chat()).json["choices"][0]["message"]["content"] == "as scripted"
    assert "as scripted" not in (await caller.chat(model="large")).body.decode()
    assert (await caller.send("GET", "/v1/models")).json["data"][0]["id"] == "m1"
    assert len((await caller.send("GET", "/_sim/latency")).json["rules"]) == 1
    assert (await caller.send("DELETE", "/_sim/latency")).json == {"cleared": 1}


async def test_an_answer_of_so_many_tokens_can_be_scripted(caller: Caller) -> None:
    caller.provider.answer(tokens=321, times=1)

    assert (await caller.chat()).json["usage"]["completion_tokens"] == 321
    assert (await caller.chat()).json["usage"]["completion_tokens"] < 321


async def test_requests_are_recorded_with_unknown_fields_and_without_secrets(caller: Caller) -> None:
    await caller.chat(made_up_field={"a": 1})
    await caller.post("/alpha/v1/chat/completions", {}, key="secret-key-1")

    text = (await caller.send("GET", "/_sim/requests")).body.decode()
    first, second = (await caller.send("GET", "/_sim/requests")).json["requests"]

    assert first["body"]["made_up_field"] == {"a": 1}
    assert (second["provider"], second["path"], second["method"]) == ("alpha", "/v1/chat/completions", "POST")
    assert "secret-key-1" not in text and "test-key" not in text
    assert first["headers"]["authorization"] != second["headers"]["authorization"]
    assert (await caller.send("DELETE", "/_sim/requests")).json == {"cleared": 2}
    assert caller.provider.requests == []


async def test_only_the_last_requests_and_the_start_of_large_ones_are_kept(caller: Caller) -> None:
    await caller.chat("x" * 400_000)
    assert caller.provider.requests[0]["body_bytes"] > 400_000
    assert len(caller.provider.requests[0]["body"]) < 300_000

    for _ in range(201):
        await caller.send("GET", "/v1/models")
    assert len(caller.provider.requests) == 200


async def test_counters_can_be_started_anew(caller: Caller) -> None:
    await caller.chat()

    before = (await caller.send("DELETE", "/_sim/stats")).json
    after = (await caller.send("GET", "/_sim/stats")).json

    assert (before["requests"], before["answered"], before["peak_in_flight"]) == (1, 1, 1)
    assert (after["requests"], after["answered"]) == (0, 0)
