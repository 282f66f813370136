"""What another tenant's batch lines may refer to: nothing of ours, whoever answers them."""

import json
import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.e2e.kept_responses_world import CONFIG, asked, client_of, stranger_key
from tests.e2e.stack import Stack

PATIENCE_S = 15.0


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    config = CONFIG.replace("api_key: key-of-first,", "api_key: key-of-first, batch_api: openai,")
    with Stack(tmp_path_factory.mktemp("kept"), config) as stack:
        yield stack


@pytest.fixture(scope="module")
def client(kept: Stack) -> Iterator[openai.OpenAI]:
    with client_of(kept) as sdk:
        yield sdk


@pytest.fixture(scope="module")
def stranger(kept: Stack) -> Iterator[openai.OpenAI]:
    with client_of(kept, stranger_key(kept)) as sdk:
        yield sdk


def line(custom_id: str, **body: Any) -> dict[str, Any]:
    full = {"model": "both", "input": "which word?", **body}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/responses", "body": full}


def ended(sdk: openai.OpenAI, lines: list[dict[str, Any]], **metadata: str) -> Any:
    """The batch over these lines, once it has ended."""
    data = "\n".join(json.dumps(one) for one in lines).encode()
    file = sdk.files.create(file=("in.jsonl", data), purpose="batch")
    batch = sdk.batches.create(
        input_file_id=file.id,
        endpoint="/v1/responses",
        completion_window="24h",
        metadata={f"interchange_{name}": value for name, value in metadata.items()},
    )
    give_up = time.monotonic() + PATIENCE_S
    while batch.status not in ("completed", "failed") and time.monotonic() < give_up:
        time.sleep(0.05)
        batch = sdk.batches.retrieve(batch.id)
    return batch


def answered(sdk: openai.OpenAI, lines: list[dict[str, Any]], **metadata: str) -> dict[str, dict[str, Any]]:
    """Every line's response by its own id, once the batch has ended."""
    batch = ended(sdk, lines, **metadata)
    found: dict[str, dict[str, Any]] = {}
    for file_id in (batch.output_file_id, batch.error_file_id):
        if file_id is not None:
            for row in sdk.files.content(file_id).text.splitlines():
                one = json.loads(row)
                found[one["custom_id"]] = one["response"]
    return found


def test_a_line_cannot_continue_a_strangers_answer(
    kept: Stack, client: openai.OpenAI, stranger: openai.OpenAI
) -> None:
    secret = client.responses.create(model="both", input="the word is damson")
    kept.simulator.clear_requests()
    lines = [
        line("strangers", previous_response_id=secret.id),
        line("nobodys", previous_response_id="resp_that_never_was"),
        line("item", input=[{"type": "item_reference", "id": secret.output[0].id}]),
        line("conversation", conversation="conv_of_somebody"),
    ]

    found = answered(stranger, lines)

    assert {name: one["status_code"] for name, one in found.items()} == {
        "strangers": 400, "nobodys": 400, "item": 400, "conversation": 400,
    }  # fmt: skip
    codes = {found[name]["body"]["error"]["code"] for name in ("strangers", "nobodys")}
    assert codes == {"previous_response_not_found"}
    assert not asked(kept, "first") and not asked(kept, "second")


def test_a_line_continues_its_own_tenants_answer_where_it_is_kept(kept: Stack, client: openai.OpenAI) -> None:
    first = client.responses.create(model="both", input="the word is bullace")
    kept.simulator.clear_requests()

    found = answered(client, [line("own", model="reversed", previous_response_id=first.id)])

    assert found["own"]["status_code"] == 200
    assert asked(kept, "first") and not asked(kept, "second")


def test_a_providers_batch_cannot_continue_a_strangers_answer(
    kept: Stack, client: openai.OpenAI, stranger: openai.OpenAI
) -> None:
    secret = client.responses.create(model="first/small", input="the word is mirabelle")
    kept.simulator.clear_requests()

    batch = ended(
        stranger, [line("strangers", model="first/small", previous_response_id=secret.id)], mode="provider"
    )

    assert batch.status == "failed"
    assert "not found" in batch.errors.data[0].message
    assert not asked(kept, "first")
    assert not kept.simulator.requests
