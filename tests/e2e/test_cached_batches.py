"""Lines of batches on routes that answer again: what is kept costs nothing, and nothing breaks a batch."""

from collections.abc import Iterator

import openai
import pytest

from tests.e2e.stack import Stack
from tests.e2e.test_batches import CONFIG as BATCHES
from tests.e2e.test_batches import begin, chat, ended, rows, used

CONFIG = BATCHES + "  again: {strategy: priority, targets: [alpha/small], cache: {mode: exact}}\n"


@pytest.fixture(scope="module")
def module_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data"), CONFIG) as stack:
        yield stack


@pytest.fixture
def client(stack: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=stack.key, base_url=f"{stack.url}/v1", max_retries=0, timeout=20) as sdk:
        yield sdk


def test_a_line_that_was_answered_before_is_answered_again_for_nothing(
    client: openai.OpenAI, stack: Stack
) -> None:
    asked = chat(1, model="again")["body"]
    first = client.chat.completions.create(**asked)
    batch = ended(client, begin(client, [chat(1, model="again"), chat(2, model="again")]))
    assert batch.status == "completed" and batch.request_counts.completed == 2
    told = rows(client, batch.output_file_id)
    answer = told["c-1"]["response"]["body"]["choices"][0]["message"]["content"]
    assert answer == first.choices[0].message.content
    paid = used(stack, batch.id, requests=2)
    assert paid["cost_usd"] is not None
    again = ended(client, begin(client, [chat(number, model="again") for number in (1, 2)]))
    assert again.status == "completed" and again.request_counts.completed == 2
    assert float(used(stack, again.id, requests=2)["cost_usd"]) == 0 < float(paid["cost_usd"])


def test_a_providers_batch_takes_lines_whose_answers_are_kept(client: openai.OpenAI) -> None:
    asked = chat(7, model="again")["body"]
    client.chat.completions.create(**asked)
    batch = ended(client, begin(client, [chat(7, model="again")], mode="provider"))
    assert batch.status in ("completed", "failed")
    problems = [] if batch.errors is None else [each.code for each in batch.errors.data]
    assert "internal_error" not in problems
