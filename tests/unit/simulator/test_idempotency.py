"""Requests of one idempotency key are carried out and billed once."""

import asyncio

from tests.unit.simulator.conftest import Caller, Reply

PRICES = {"*": {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2}}
BODY = {"model": "small", "messages": [{"role": "user", "content": "hello"}]}


async def ask(
    caller: Caller, key: str = "k-1", *, path: str = "/v1/chat/completions", **more: object
) -> Reply:
    return await caller.send("POST", path, {**BODY, **more}, **{"idempotency-key": key})


def billed(caller: Caller) -> int:
    return int(caller.provider.bill["answered"]["requests"])


async def test_a_repeat_gets_the_same_answer_and_is_not_billed(caller: Caller) -> None:
    first, second = await ask(caller), await ask(caller)
    assert first.body == second.body and billed(caller) == 1
    assert (await ask(caller, "k-2")).status == 200 and billed(caller) == 2


async def test_a_key_is_one_accounts_own(caller: Caller) -> None:
    await ask(caller)
    await ask(caller, path="/alpha/v1/chat/completions")
    await caller.send("POST", "/v1/chat/completions", BODY, key="other", **{"idempotency-key": "k-1"})
    assert billed(caller) == 3


async def test_another_body_under_the_same_key_is_refused(caller: Caller) -> None:
    await ask(caller)
    refused = await ask(caller, max_tokens=5)
    assert refused.status == 400 and "same request" in refused.json["error"]["message"]


async def test_a_repeat_joins_what_is_still_worked_on(caller: Caller) -> None:
    caller.provider.latency(ttft_ms=50)
    first, second = await asyncio.gather(ask(caller), ask(caller))
    assert first.body == second.body and billed(caller) == 1


async def test_the_work_goes_on_when_the_caller_leaves(caller: Caller) -> None:
    caller.provider.latency(ttft_ms=60)
    leaving = asyncio.create_task(ask(caller))
    await asyncio.sleep(0.02)
    leaving.cancel()
    await asyncio.wait([leaving])
    answer = await ask(caller)
    assert answer.status == 200 and billed(caller) == 1
    assert caller.provider.bill["interrupted"]["requests"] == 0


async def test_what_is_lost_on_the_way_was_worked_for_once(caller: Caller) -> None:
    caller.provider.fault({"kind": "truncated_body"}, times=1)
    try:
        await ask(caller)
    except Exception as error:  # noqa: BLE001 - whatever the client makes of half a body
        assert error is not None
    assert (await ask(caller)).status == 200 and billed(caller) == 1


async def test_a_refused_request_leaves_its_key_free(caller: Caller) -> None:
    assert (await ask(caller, messages=None)).status == 400
    caller.provider.fault({"kind": "status", "status": 503}, times=1)
    assert (await ask(caller)).status == 503
    assert (await ask(caller)).status == 200 and billed(caller) == 1
