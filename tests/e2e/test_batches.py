"""Files and batches with the official SDK: kept, listed, run, refused, cancelled, stopped."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

from tests.e2e.documented import Document
from tests.e2e.stack import Stack
from tests.e2e.three_wires import PATIENCE_S, simulate

DOCUMENT = Document()
FINAL = {"completed", "failed", "expired", "cancelled"}
PRICE = "input_usd_per_mtok: 1, output_usd_per_mtok: 2, context_tokens: 128000, max_output_tokens: 4096"
CONFIG = (
    "breaker: {consecutive_failures: 1000, minimum_calls: 100000}\n"
    "batch: {file_bytes_max: 20000, files_per_tenant_max: 60, unfinished_per_tenant_max: 3, lines_max: 200}\n"
    "providers:\n"
    + "".join(
        f'  {name}:\n    kind: {kind}\n    base_url: "{{sim}}/{name}{path}"\n    api_key: k-{name}\n'
        f"    via: direct\n    honours_idempotency_keys: true\n    models:\n"
        f"      small: {{{PRICE}, capabilities: [text, streaming]}}\n"
        "      embed: {input_usd_per_mtok: 1, context_tokens: 8000, capabilities: [embeddings]}\n"
        for name, kind, path in (("alpha", "openai", "/v1"), ("beta", "anthropic", ""))
    )
    + "routes:\n  pair: {strategy: priority, targets: [alpha/small, beta/small]}\n"
)


@pytest.fixture(scope="module")
def module_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data"), CONFIG) as stack:
        yield stack


@pytest.fixture
def client(stack: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=stack.key, base_url=f"{stack.url}/v1", max_retries=0, timeout=20) as sdk:
        yield sdk


def chat(number: int, **body: Any) -> dict[str, Any]:
    content = {
        "model": "alpha/small",
        "max_tokens": 50,
        "messages": [{"role": "user", "content": f"n {number}"}],
    }
    return {
        "custom_id": f"c-{number}",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {**content, **body},
    }


def upload(client: openai.OpenAI, lines: list[dict[str, Any]] | bytes, purpose: Any = "batch") -> str:
    data = lines if isinstance(lines, bytes) else "\n".join(json.dumps(line) for line in lines).encode()
    return client.files.create(file=("in.jsonl", data), purpose=purpose).id


def begin(
    client: openai.OpenAI,
    lines: list[dict[str, Any]] | bytes,
    url: str = "/v1/chat/completions",
    **metadata: str,
) -> str:
    settings = {f"interchange_{name}": value for name, value in metadata.items()}
    endpoint: Any = url
    made = client.batches.create(
        input_file_id=upload(client, lines),
        endpoint=endpoint,
        completion_window="24h",
        metadata={"mine": "kept", **settings},
    )
    return made.id


def until(client: openai.OpenAI, batch_id: str, holds: Callable[[Any], bool]) -> Any:
    give_up = time.monotonic() + 20
    while True:
        found = client.batches.retrieve(batch_id)
        if holds(found):
            return found
        assert time.monotonic() < give_up, found
        time.sleep(0.03)


def ended(client: openai.OpenAI, batch_id: str) -> Any:
    return until(client, batch_id, lambda batch: batch.status in FINAL)


def rows(client: openai.OpenAI, file_id: str | None) -> dict[str, Any]:
    assert file_id is not None
    found = [json.loads(line) for line in client.files.content(file_id).text.splitlines()]
    assert len({row["custom_id"] for row in found}) == len(found)
    return {row["custom_id"]: row for row in found}


def used(stack: Stack, batch_id: str, *, requests: int) -> Any:
    """The batch's row of the usage report, once so many requests are in it."""
    give_up = time.monotonic() + PATIENCE_S
    with stack.client() as plain:
        while True:
            report = plain.get("/api/v1/usage?group_by=workflow").json()
            mine = [row for row in report["rows"] if row["workflow"] == batch_id]
            if mine and mine[0]["requests"] >= requests:
                return mine[0]
            assert time.monotonic() < give_up, mine
            time.sleep(0.05)


def test_files_are_kept_listed_read_and_deleted(client: openai.OpenAI, stack: Stack) -> None:
    kept = client.files.create(
        file=("hällo.txt", b"one\r\n--two"),
        purpose="user_data",
        expires_after={"anchor": "created_at", "seconds": 3600},
    )
    assert (kept.bytes, kept.filename, kept.purpose) == (10, "hällo.txt", "user_data")
    assert kept.expires_at == kept.created_at + 3600
    assert client.files.content(kept.id).content == b"one\r\n--two"
    assert client.files.retrieve(kept.id).id == kept.id
    assert kept.id in [one.id for one in client.files.list(purpose="user_data")]
    assert kept.id not in [one.id for one in client.files.list(purpose="batch")]
    assert client.files.delete(kept.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(kept.id)
    with pytest.raises(openai.NotFoundError):
        client.files.content(kept.id)


def test_lists_come_in_pages(client: openai.OpenAI) -> None:
    ids = [upload(client, b"x", "evals") for _ in range(5)]
    assert [one.id for one in client.files.list(purpose="evals", limit=2)] == ids[::-1]
    assert [one.id for one in client.files.list(purpose="evals", limit=2, order="asc")] == ids


@pytest.mark.parametrize(
    ("content", "purpose", "status"), [(b"x" * 20_001, "batch", 413), (b"x", "nonsense", 400)]
)
def test_what_is_too_large_or_for_nothing_is_refused_and_leaves_nothing(
    client: openai.OpenAI, stack: Stack, content: bytes, purpose: str, status: int
) -> None:
    before = sorted(path.name for path in (stack.data_dir / "files").rglob("*"))
    with pytest.raises(openai.APIStatusError) as refused:
        upload(client, content, purpose)
    assert refused.value.status_code == status
    assert sorted(path.name for path in (stack.data_dir / "files").rglob("*")) == before


def test_a_batch_is_answered_line_by_line_as_documented(client: openai.OpenAI, stack: Stack) -> None:
    lines = [chat(number) for number in range(30)]
    batch = ended(client, begin(client, lines))
    assert batch.status == "completed" and batch.error_file_id is None and batch.errors is None
    assert batch.metadata == {"mine": "kept"}
    assert (batch.request_counts.total, batch.request_counts.completed) == (30, 30)
    assert batch.created_at <= batch.in_progress_at <= batch.finalizing_at <= batch.completed_at
    answers = rows(client, batch.output_file_id)
    assert set(answers) == {f"c-{number}" for number in range(30)}
    body = answers["c-7"]["response"]["body"]
    assert "n 7" in body["choices"][0]["message"]["content"] and answers["c-7"]["error"] is None
    with stack.client() as plain:
        for path in (
            f"/v1/batches/{batch.id}",
            "/v1/batches",
            "/v1/files",
            f"/v1/files/{batch.output_file_id}",
        ):
            DOCUMENT.check(plain.get(path))
    mine = used(stack, batch.id, requests=30)
    assert float(mine["cost_usd"]) == pytest.approx(float(batch.interchange["cost_usd"]))


def test_embeddings_messages_and_responses_can_be_batched(client: openai.OpenAI) -> None:
    for model in ("alpha/small", "beta/small"):
        line = {
            "custom_id": "r",
            "method": "POST",
            "url": "/v1/responses",
            "body": {"model": model, "input": "hi"},
        }
        batch = ended(client, begin(client, [line], "/v1/responses"))
        assert rows(client, batch.output_file_id)["r"]["response"]["body"]["object"] == "response"
    embeddings = [
        {
            "custom_id": "e",
            "method": "POST",
            "url": "/v1/embeddings",
            "body": {"model": "alpha/embed", "input": "x"},
        }
    ]
    batch = ended(client, begin(client, embeddings, "/v1/embeddings"))
    assert rows(client, batch.output_file_id)["e"]["response"]["body"]["data"][0]["embedding"]
    message = {"model": "beta/small", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    line = {"custom_id": "m", "method": "POST", "url": "/v1/messages", "body": message}
    batch = ended(client, begin(client, [line], "/v1/messages"))
    assert rows(client, batch.output_file_id)["m"]["response"]["body"]["type"] == "message"


def test_a_bad_file_fails_with_its_lines_and_nothing_is_sent(client: openai.OpenAI, stack: Stack) -> None:
    bad = [
        json.dumps(chat(1)),
        "{not json",
        json.dumps({**chat(3), "url": "/v1/embeddings"}),
        "",
        json.dumps(chat(1)),
        json.dumps(chat(6, stream=True)),
        json.dumps({**chat(7), "method": "GET"}),
    ]
    batch = ended(client, begin(client, "\n".join(bad).encode()))
    assert batch.status == "failed" and batch.output_file_id is None
    found = {(problem.line, problem.code) for problem in batch.errors.data}
    assert found == {
        (2, "invalid_json_line"),
        (3, "mismatched_url"),
        (5, "duplicate_custom_id"),
        (6, "stream_in_batch"),
        (7, "invalid_method"),
    }
    assert stack.simulator.requests == []


def test_lines_that_can_never_be_answered_fail_alone(client: openai.OpenAI, stack: Stack) -> None:
    simulate(
        stack,
        lambda: stack.simulator.fault({"kind": "status", "status": 422}, match={"model": "small"}, times=1),
    )
    lines = [chat(0, model="alpha/none"), chat(1, messages="wrong"), chat(2)]
    batch = ended(client, begin(client, [*lines, chat(3)], concurrency="1"))
    assert batch.status == "completed"
    assert (batch.request_counts.completed, batch.request_counts.failed) == (1, 3)
    errors = rows(client, batch.error_file_id)
    assert errors["c-0"]["response"]["status_code"] == 404
    assert errors["c-0"]["response"]["body"]["error"]["code"] == "model_not_found"
    assert errors["c-1"]["response"]["status_code"] == 400
    assert errors["c-2"]["response"]["status_code"] == 422
    assert set(rows(client, batch.output_file_id)) == {"c-3"}


def test_failed_tries_are_repeated_elsewhere_first(client: openai.OpenAI, stack: Stack) -> None:
    fault = {"kind": "status", "status": 503}
    simulate(stack, lambda: stack.simulator.fault(fault, match={"provider": "alpha"}))
    batch = ended(client, begin(client, [chat(0, model="pair")]))
    assert batch.request_counts.completed == 1
    assert [one["provider"] for one in stack.simulator.requests] == ["alpha", "beta"]


def test_a_line_gives_up_after_its_retries(client: openai.OpenAI, stack: Stack) -> None:
    fault = {"kind": "status", "status": 500}
    simulate(stack, lambda: stack.simulator.fault(fault, match={"provider": "alpha"}))
    batch = ended(client, begin(client, [chat(0)], retries="1"))
    assert (batch.request_counts.failed, len(stack.simulator.requests)) == (1, 2)
    assert rows(client, batch.error_file_id)["c-0"]["response"]["status_code"] in (500, 502)


def test_an_answer_lost_on_the_way_is_asked_for_again_under_its_key(
    client: openai.OpenAI, stack: Stack
) -> None:
    before = stack.simulator.bill["answered"]["requests"]
    simulate(stack, lambda: stack.simulator.fault({"kind": "truncated_body"}, times=1))
    batch = ended(client, begin(client, [chat(700)]))
    assert batch.request_counts.completed == 1
    keys = [one["headers"]["idempotency-key"] for one in stack.simulator.requests]
    assert len(keys) == 2 and keys[0] == keys[1]
    assert stack.simulator.bill["answered"]["requests"] == before + 1
    mine = used(stack, batch.id, requests=2)
    body = rows(client, batch.output_file_id)["c-700"]["response"]["body"]["usage"]
    paid = (body["prompt_tokens"] * 1000 + body["completion_tokens"] * 2000) / 1e9
    assert float(mine["cost_usd"]) == pytest.approx(paid, abs=2e-9)


def test_a_batch_stops_before_the_line_that_could_pass_its_budget(client: openai.OpenAI) -> None:
    batch = ended(client, begin(client, [chat(n) for n in range(40)], budget_usd="0.004", concurrency="4"))
    assert batch.status == "failed" and batch.interchange["stopped_by"] == "batch_budget_exceeded"
    (problem,) = batch.errors.data
    assert problem.code == "batch_budget_exceeded" and problem.line and "$0.004" in problem.message
    assert 0 < batch.request_counts.completed < 40
    assert float(batch.interchange["cost_usd"]) <= 0.004
    unasked = [row for row in rows(client, batch.error_file_id).values() if row["response"] is None]
    assert {row["error"]["code"] for row in unasked} == {"batch_budget_exceeded"}
    assert len(unasked) + batch.request_counts.completed == 40


def test_a_cancelled_batch_keeps_what_was_answered(client: openai.OpenAI, stack: Stack) -> None:
    simulate(stack, lambda: stack.simulator.latency(ttft_ms=60))
    batch_id = begin(client, [chat(n) for n in range(60)], concurrency="4")
    until(client, batch_id, lambda one: one.request_counts.completed > 3)
    assert client.batches.cancel(batch_id).status == "cancelling"
    batch = ended(client, batch_id)
    assert batch.status == "cancelled" and batch.cancelled_at >= batch.cancelling_at
    answered, refused = rows(client, batch.output_file_id), rows(client, batch.error_file_id)
    assert len(answered) == batch.request_counts.completed and len(answered) + len(refused) == 60
    assert {row["error"]["code"] for row in refused.values()} == {"batch_cancelled"}
    assert client.batches.cancel(batch_id).status == "cancelled", "what is over stays as it is"


def test_a_revoked_key_stops_its_batch(client: openai.OpenAI, stack: Stack) -> None:
    simulate(stack, lambda: stack.simulator.latency(ttft_ms=60))
    with stack.client() as plain:
        made = plain.post("/api/v1/keys", json={"tenant_id": "default", "name": "b", "role": "agent"}).json()
        with openai.OpenAI(api_key=made["key"], base_url=f"{stack.url}/v1", max_retries=0) as other:
            batch_id = begin(other, [chat(n) for n in range(100)], concurrency="2")
            until(other, batch_id, lambda one: one.request_counts.completed > 1)
        plain.delete(f"/api/v1/keys/{made['key_id']}")
    batch = ended(client, batch_id)
    assert batch.status == "failed" and batch.interchange["stopped_by"] == "batch_key_revoked"
    assert batch.request_counts.completed < 100 and batch.output_file_id


def test_another_tenant_finds_nothing(client: openai.OpenAI, stack: Stack) -> None:
    batch = ended(client, begin(client, [chat(0)]))
    with stack.client() as plain:
        made = plain.post("/api/v1/keys", json={"tenant_id": "acme", "name": "b", "role": "admin"}).json()
    with openai.OpenAI(api_key=made["key"], base_url=f"{stack.url}/v1", max_retries=0) as other:
        assert list(other.batches.list()) == [] and list(other.files.list()) == []
        calls: list[Callable[[], Any]] = [
            lambda: other.batches.retrieve(batch.id),
            lambda: other.batches.cancel(batch.id),
            lambda: other.files.retrieve(batch.output_file_id),
            lambda: other.files.content(batch.output_file_id),
            lambda: other.files.delete(batch.output_file_id),
        ]
        for call in calls:
            with pytest.raises(openai.NotFoundError):
                call()
        with pytest.raises(openai.BadRequestError):
            other.batches.create(
                input_file_id=batch.input_file_id, endpoint="/v1/chat/completions", completion_window="24h"
            )


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"endpoint": "/v1/images"}, "endpoint"),
        ({"completion_window": "soon"}, "completion_window"),
        ({"input_file_id": "file-none"}, "input_file_id"),
        ({"metadata": {"interchange_mode": "odd"}}, "metadata.interchange_mode"),
        ({"metadata": {"interchange_budget_usd": "-1"}}, "metadata.interchange_budget_usd"),
        ({"metadata": {"interchange_wish": "1"}}, "metadata.interchange_wish"),
    ],
)
def test_a_batch_that_cannot_be_is_refused_by_name(
    client: openai.OpenAI, change: dict[str, Any], param: str
) -> None:
    wanted: dict[str, Any] = {
        "input_file_id": upload(client, [chat(0)]),
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        **change,
    }
    with pytest.raises(openai.BadRequestError) as refused:
        client.batches.create(**wanted)
    assert refused.value.param == param
