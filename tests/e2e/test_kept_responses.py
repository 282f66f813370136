"""Answers that providers keep, through the official `openai` SDK: chains, resources, accounts, tenants."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.e2e.kept_responses_world import asked, break_down, client_of, running, stranger_key
from tests.e2e.stack import Stack


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("kept")) as stack:
        yield stack


@pytest.fixture
def client(kept: Stack) -> Iterator[openai.OpenAI]:
    kept.simulator.heal()
    kept.simulator.clear_requests()
    with client_of(kept) as sdk:
        yield sdk


@pytest.fixture(scope="module")
def stranger(kept: Stack) -> Iterator[openai.OpenAI]:
    with client_of(kept, stranger_key(kept)) as sdk:
        yield sdk


def test_an_answer_is_continued_by_its_id_at_the_account_that_keeps_it(
    kept: Stack, client: openai.OpenAI
) -> None:
    first = client.responses.create(model="both", input="the word is kumquat")

    # The other route prefers the other account, which would not know the id.
    second = client.responses.with_raw_response.create(
        model="reversed", input="which word?", previous_response_id=first.id
    )

    assert second.headers["x-interchange-provider"] == "first"
    assert second.parse().previous_response_id == first.id
    assert not asked(kept, "second")


def test_a_streamed_answer_is_continued_too(kept: Stack, client: openai.OpenAI) -> None:
    with client.responses.stream(model="reversed", input="the word is quince") as stream:
        first = stream.get_final_response()

    second = client.responses.with_raw_response.create(
        model="both", input="which word?", previous_response_id=first.id
    )

    assert second.headers["x-interchange-provider"] == "second"
    assert not asked(kept, "first")


def test_a_chain_goes_on_with_another_model_of_the_same_account(client: openai.OpenAI) -> None:
    first = client.responses.create(model="second/small", input="the word is medlar")

    second = client.responses.with_raw_response.create(
        model="thinking", input="which word?", previous_response_id=first.id
    )

    assert second.headers["x-interchange-provider"] == "second"
    assert second.headers["x-interchange-model"] == "think"


def test_a_bound_request_does_not_fail_over(kept: Stack, client: openai.OpenAI) -> None:
    first = client.responses.create(model="both", input="the word is sloe")
    break_down(kept, "first", 503)

    with pytest.raises(openai.APIStatusError):
        client.responses.create(model="both", input="which word?", previous_response_id=first.id)

    assert not asked(kept, "second")


def test_a_route_without_the_account_cannot_continue(client: openai.OpenAI) -> None:
    first = client.responses.create(model="both", input="the word is damson")

    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="keeps-nothing", input="which word?", previous_response_id=first.id)

    assert refused.value.param == "previous_response_id"


def test_an_unknown_id_and_a_strangers_are_refused_alike(
    client: openai.OpenAI, stranger: openai.OpenAI
) -> None:
    mine = client.responses.create(model="both", input="a secret of mine").id
    told = []
    for one in (mine, mine[:-4] + "0000"):
        with pytest.raises(openai.BadRequestError) as refused:
            stranger.responses.create(model="both", input="go on", previous_response_id=one)
        assert refused.value.code == "previous_response_not_found"
        assert refused.value.param == "previous_response_id"
        assert refused.value.type == "invalid_request_error"
        told.append(refused.value.message.replace(one, "…").split("request_id")[0])

    assert told[0] == told[1]


@pytest.mark.parametrize("ask", ["retrieve", "delete", "cancel", "input_items"])
def test_a_strangers_response_is_as_unknown_as_none(
    kept: Stack, client: openai.OpenAI, stranger: openai.OpenAI, ask: str
) -> None:
    mine = client.responses.create(model="both", input=f"a secret of mine for {ask}").id
    kept.simulator.clear_requests()
    bodies = []
    for one in (mine, mine[:-4] + "0000"):
        call: Any = stranger.responses.input_items.list if ask == "input_items" else None
        call = call or getattr(stranger.responses, ask)
        with pytest.raises(openai.NotFoundError) as refused:
            call(one)
        body: Any = refused.value.body
        assert body["message"] == f"Response with id '{one}' not found."
        bodies.append({name: body[name] for name in ("type", "code", "param")})

    assert bodies[0] == bodies[1]
    assert not kept.simulator.requests
    assert client.responses.retrieve(mine).id == mine


def test_a_response_is_fetched_listed_and_deleted_where_it_is_kept(
    kept: Stack, client: openai.OpenAI
) -> None:
    made = client.responses.create(model="reversed", input="remember the greengage")

    fetched = client.responses.retrieve(made.id)
    listed = client.responses.input_items.list(made.id)
    client.responses.delete(made.id)

    assert fetched.output_text == made.output_text
    assert "greengage" in listed.to_json()
    assert [one["method"] for one in asked(kept, "second")] == ["POST", "GET", "GET", "DELETE"]
    assert not asked(kept, "first")
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model="both", input="go on", previous_response_id=made.id)


def test_the_providers_own_refusal_comes_back_unmodified(kept: Stack, client: openai.OpenAI) -> None:
    made = client.responses.create(model="both", input="not in the background")

    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.cancel(made.id)

    body: Any = refused.value.body
    assert body["message"] == "Only background responses can be cancelled."
    assert refused.value.response.headers["upstream-request-id"]


def test_a_refused_credential_is_not_told_to_the_caller(kept: Stack, client: openai.OpenAI) -> None:
    made = client.responses.create(model="both", input="about credentials")
    break_down(kept, "first", 401)

    with pytest.raises(openai.APIStatusError) as refused:
        client.responses.retrieve(made.id)

    assert refused.value.status_code == 502
    assert "operator" in refused.value.message


def test_a_kept_response_is_followed_as_a_stream(client: openai.OpenAI) -> None:
    made = client.responses.create(model="both", input="follow the bilberry")

    events = list(client.responses.retrieve(made.id, stream=True))

    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"


def test_bindings_survive_a_restart(tmp_path: Path) -> None:
    with running(tmp_path) as before, client_of(before) as sdk:
        made = sdk.responses.create(model="reversed", input="the word is rowan")
        key = before.key
    with running(tmp_path) as after, client_of(after, key) as sdk:
        # A new simulated provider knows nothing of it; who is asked is what counts.
        with pytest.raises(openai.BadRequestError) as refused:
            sdk.responses.create(model="both", input="which?", previous_response_id=made.id)
        assert refused.value.code == "previous_response_not_found"
        assert len(asked(after, "second")) == 1
        assert not asked(after, "first")


@pytest.mark.parametrize("wish", [{"store": True}, {"background": True}])
def test_what_needs_a_keeper_is_refused_where_there_is_none(
    client: openai.OpenAI, wish: dict[str, Any]
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="keeps-nothing", input="hello", **wish)

    assert refused.value.param == next(iter(wish))


def test_a_conversation_kept_by_a_provider_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="both", input="hello", conversation="conv_1")

    assert refused.value.param == "conversation"


def test_an_item_of_somebody_else_cannot_be_referred_to(
    client: openai.OpenAI, stranger: openai.OpenAI
) -> None:
    mine = client.responses.create(model="both", input="an item of mine").output[0].id
    question: Any = {"role": "user", "content": "what did I say?"}
    reference: Any = {"type": "item_reference", "id": mine}

    assert client.responses.create(model="reversed", input=[reference, question]).status == "completed"
    with pytest.raises(openai.BadRequestError, match="not found"):
        stranger.responses.create(model="both", input=[reference, question])


def test_an_explanation_says_why_nobody_else_may_continue(kept: Stack, client: openai.OpenAI) -> None:
    made = client.responses.create(model="both", input="explain the service tree")

    with kept.client() as http:
        explained = http.post(
            "/api/v1/routing/explain",
            json={"model": "reversed", "input": "go on", "previous_response_id": made.id},
        ).json()

    kept_ones = [one["target"] for one in explained["candidates"] if one["kept"]]
    dropped = [one for one in explained["candidates"] if not one["kept"]]
    assert kept_ones == ["first/small"]
    assert dropped[0]["reason"] == "kept_elsewhere"
    assert "alone keeps" in dropped[0]["explanation"]
