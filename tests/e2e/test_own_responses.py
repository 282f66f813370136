"""Answers that Interchange itself keeps, reasoning only its maker reads, answers made in the background."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.e2e.kept_responses_world import asked, break_down, client_of, running, stranger_key, usage
from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("own")) as stack:
        yield stack


@pytest.fixture
def client(kept: Stack) -> Iterator[openai.OpenAI]:
    kept.simulator.heal()
    kept.simulator.clear_requests()
    with client_of(kept) as sdk:
        yield sdk


# Kept by Interchange


def test_an_answer_kept_here_is_continued_at_a_provider_that_keeps_nothing(
    kept: Stack, client: openai.OpenAI
) -> None:
    first = client.responses.create(model="kept", input="the word is kumquat", instructions="Be brief.")
    second = client.responses.create(model="kept", input="and again", previous_response_id=first.id)
    client.responses.create(model="kept", input="which word?", previous_response_id=second.id)

    sent = asked(kept, "other")[-1]["body"]["messages"]
    said = [str(message["content"]) for message in sent]
    assert [message["role"] for message in sent] == ["user", "assistant"] * 2 + ["user"]
    assert "kumquat" in said[0]
    assert "which word?" in said[-1]
    assert first.to_dict()["store"] is True


def test_a_streamed_answer_kept_here_is_continued_too(kept: Stack, client: openai.OpenAI) -> None:
    with client.responses.stream(model="kept", input="the word is quince") as stream:
        first = stream.get_final_response()

    client.responses.create(model="kept", input="which word?", previous_response_id=first.id)

    assert first.to_dict()["store"] is True
    assert "quince" in str(asked(kept, "other")[-1]["body"]["messages"][0])


def test_what_is_kept_here_is_fetched_listed_and_deleted_without_asking_anybody(
    kept: Stack, client: openai.OpenAI
) -> None:
    before = client.responses.create(model="kept", input="one")
    made = client.responses.create(model="kept", input="two", previous_response_id=before.id)
    kept.simulator.clear_requests()

    fetched = client.responses.retrieve(made.id)
    newest_first = client.responses.input_items.list(made.id, limit=2)
    oldest_first = list(client.responses.input_items.list(made.id, limit=2, order="asc"))
    with pytest.raises(openai.BadRequestError):
        client.responses.cancel(made.id)
    with pytest.raises(openai.BadRequestError):
        client.responses.retrieve(made.id, stream=True)
    client.responses.delete(made.id)

    assert fetched.output_text == made.output_text
    assert len(newest_first.data) == 2
    assert "two" in newest_first.data[0].to_json()
    assert len(oldest_first) == 3
    assert "one" in oldest_first[0].to_json()
    assert not kept.simulator.requests
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)
    with pytest.raises(openai.BadRequestError, match="not found"):
        client.responses.create(model="kept", input="go on", previous_response_id=made.id)


def test_what_is_kept_here_is_nobody_elses(kept: Stack, client: openai.OpenAI) -> None:
    made = client.responses.create(model="kept", input="a secret of mine")

    with client_of(kept, stranger_key(kept)) as stranger:
        with pytest.raises(openai.NotFoundError):
            stranger.responses.retrieve(made.id)
        with pytest.raises(openai.BadRequestError, match="not found"):
            stranger.responses.create(model="kept", input="go on", previous_response_id=made.id)


def test_a_caller_who_wants_nothing_kept_gets_that(client: openai.OpenAI) -> None:
    made = client.responses.create(model="kept", input="forget this", store=False)

    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_an_answer_is_gone_when_its_time_is_over(client: openai.OpenAI) -> None:
    made = client.responses.create(model="kept-shortly", input="soon gone")

    def gone() -> bool:
        try:
            client.responses.retrieve(made.id)
        except openai.NotFoundError:
            return True
        return False

    assert eventually(gone)


def test_what_is_kept_here_too_goes_on_elsewhere_when_its_account_fails(
    kept: Stack, client: openai.OpenAI
) -> None:
    first = client.responses.create(model="kept-anywhere", input="the word is medlar")
    break_down(kept, "first", 503)

    second = client.responses.with_raw_response.create(
        model="kept-anywhere", input="which word?", previous_response_id=first.id
    )

    assert second.headers["x-interchange-provider"] == "other"
    assert "medlar" in str(asked(kept, "other")[-1]["body"]["messages"][0])


def test_what_is_kept_here_survives_a_restart(tmp_path: Path) -> None:
    with running(tmp_path) as before, client_of(before) as sdk:
        made = sdk.responses.create(model="kept", input="the word is rowan")
        key = before.key
    with running(tmp_path) as after, client_of(after, key) as sdk:
        sdk.responses.create(model="kept", input="which word?", previous_response_id=made.id)

        assert "rowan" in str(asked(after, "other")[-1]["body"]["messages"][0])


# Reasoning that only its maker reads


def _sealed(client: openai.OpenAI, model: str, text: str) -> list[Any]:
    """A question and its answer with encrypted reasoning, as the next input."""
    made = client.responses.create(
        model=model, input=text, store=False, include=["reasoning.encrypted_content"]
    )
    items = [item.to_dict() for item in made.output]
    assert "encrypted_content" in items[0]
    return [{"role": "user", "content": text}, *items, {"role": "user", "content": "go on"}]


def test_encrypted_reasoning_goes_back_to_the_account_that_made_it(
    kept: Stack, client: openai.OpenAI
) -> None:
    history = _sealed(client, "second/think", "think about quinces")
    kept.simulator.clear_requests()

    answer = client.responses.with_raw_response.create(model="thinking", input=history, store=False)

    assert answer.headers["x-interchange-provider"] == "second"
    assert "x-interchange-dropped" not in answer.headers
    assert "encrypted_content" in str(asked(kept, "second")[-1]["body"])


def test_encrypted_reasoning_is_left_out_when_its_account_cannot_answer(
    kept: Stack, client: openai.OpenAI
) -> None:
    history = _sealed(client, "second/think", "think about medlars")
    kept.simulator.clear_requests()
    break_down(kept, "second", 503)

    answer = client.responses.with_raw_response.create(model="thinking", input=history, store=False)

    assert answer.headers["x-interchange-provider"] == "first"
    assert answer.headers["x-interchange-dropped"] == "input.reasoning"
    assert "encrypted_content" not in str(asked(kept, "first")[-1]["body"])


def test_of_two_accounts_reasoning_the_newest_ones_decides(kept: Stack, client: openai.OpenAI) -> None:
    older = _sealed(client, "second/think", "think about rowans")[:-1]
    newer = _sealed(client, "first/think", "think about sloes")
    kept.simulator.clear_requests()

    answer = client.responses.with_raw_response.create(model="thinking", input=older + newer, store=False)

    assert answer.headers["x-interchange-provider"] == "first"
    assert answer.headers["x-interchange-dropped"] == "input.reasoning"
    assert str(asked(kept, "first")[-1]["body"]).count("encrypted_content") == 1


# Made in the background


def test_a_background_answer_is_billed_once_when_it_is_seen_complete(tmp_path: Path) -> None:
    with running(tmp_path) as stack, client_of(stack) as sdk:
        stack.simulator.set_prices({"*": {"input_usd_per_mtok": "0.1", "output_usd_per_mtok": "0.4"}})
        made = sdk.responses.create(model="both", input="take your time with this", background=True)
        begun = sdk.responses.retrieve(made.id)
        done = sdk.responses.retrieve(made.id)
        for _ in range(3):
            sdk.responses.retrieve(made.id)
        followed = sdk.responses.create(model="both", input="follow me", background=True)
        events = list(sdk.responses.retrieve(followed.id, stream=True))
        sdk.responses.retrieve(followed.id)

        owed = stack.simulator.bill["answered"]["cost_nano_usd"]

        assert [made.status, begun.status, done.status] == ["queued", "in_progress", "completed"]
        assert events[-1].type == "response.completed"
        assert owed > 0
        assert eventually(lambda: usage(stack)["cost_nano_usd"] == owed), usage(stack)
        assert usage(stack)["estimated_requests"] == 0


def test_a_background_answer_is_cancelled_where_it_is_made(kept: Stack, client: openai.OpenAI) -> None:
    made = client.responses.create(model="reversed", input="stop this one", background=True)

    stopped = client.responses.cancel(made.id)

    assert stopped.status == "cancelled"
    assert client.responses.retrieve(made.id).status == "cancelled"
