"""What bodies of the Responses API say about things that are kept, and how they are edited."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.wire.kept_responses import ResponsesReading
from adapters.wire.seals import SEAL
from domain.errors import InvalidRequest

READING = ResponsesReading()
SEALED: Any = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAsecret"}
SAID: Any = {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text"}]}


def body(*items: Any, **fields: Any) -> bytes:
    return json.dumps({"model": "m", "input": list(items), **fields}).encode()


def response(**fields: Any) -> dict[str, Any]:
    return {"id": "resp_1", "object": "response", "status": "completed", "output": [], **fields}


def event(name: str, **fields: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n".encode()


def test_references_sealed_reasoning_and_bare_reasoning_are_told_apart() -> None:
    named = READING.references(
        body(
            {"role": "user", "content": "hello"},
            {"type": "item_reference", "id": "msg_9"},
            {"id": "msg_8"},
            {"type": "reasoning", "id": "rs_9", "summary": []},
            SEALED,
            SAID,
        )
    )

    assert named.items == ("msg_9", "msg_8")
    assert named.reasoning == ("rs_9",)
    assert len(named.sealed) == 1
    assert "gAAAAsecret" not in named.sealed[0]
    assert not named.conversation


def test_an_image_without_its_data_is_a_reference_to_the_one_that_is_kept() -> None:
    given = [
        {"type": "image_generation_call", "id": "ig_1"},
        {"type": "image_generation_call", "id": "ig_2", "result": None},
        {"type": "image_generation_call", "id": "ig_3", "result": ""},
        {"type": "image_generation_call", "id": "ig_4", "result": "iVBORw0KGgo="},
    ]

    assert READING.references(body(*given)).items == ("ig_1", "ig_2", "ig_3")


@pytest.mark.parametrize(
    "spelt",
    [b'{"type" : "item_reference", "id": "x"}', b'{"type":"item\\u005freference","id":"x"}'],
)
def test_a_reference_does_not_slip_through_in_another_spelling(spelt: bytes) -> None:
    assert READING.references(b'{"input": [' + spelt + b"]}").items == ("x",)


def test_reasoning_of_our_own_making_belongs_to_no_account() -> None:
    own = {**SEALED, "encrypted_content": SEAL + "abc"}

    assert READING.references(body(own)).sealed == ()
    seen = READING.seen(json.dumps(response(output=[own])).encode())
    assert seen is not None and seen.sealed == ()


def test_a_text_and_an_absent_input_name_nothing() -> None:
    assert READING.references(b'{"input": "item_reference"}') == READING.references(b"{}")


def test_items_that_are_none_are_refused_with_their_path() -> None:
    with pytest.raises(InvalidRequest) as refused:
        READING.references(b'{"input": [{"type": "item_reference", "id": 7}]}')

    assert refused.value.param == "input[0].id"


def test_only_the_named_reasoning_is_taken_out() -> None:
    asked = body({"role": "user", "content": "hello"}, SEALED, SAID, store=False)
    (sealed,) = READING.references(asked).sealed

    left = json.loads(READING.without(asked, {sealed}))

    assert left["input"] == [{"role": "user", "content": "hello"}, SAID]
    assert left["store"] is False
    assert json.loads(READING.without(asked, {"sealed:other"}))["input"][1] == SEALED


def test_what_an_answer_says_matches_what_a_request_says_of_it() -> None:
    seen = READING.seen(json.dumps(response(output=[SEALED, SAID], store=True)).encode())

    assert seen is not None
    assert (seen.id, seen.kept, seen.finished, seen.items) == ("resp_1", True, True, ("rs_1", "msg_1"))
    assert seen.sealed == READING.references(body(SEALED)).sealed


def test_an_answer_that_is_not_kept_says_so_and_rubbish_says_nothing() -> None:
    seen = READING.seen(json.dumps(response(store=False)).encode())

    assert seen is not None and not seen.kept
    assert READING.seen(b"[]") is None
    assert READING.seen(b"not json") is None


@given(cut=st.integers(1, 400))
@settings(max_examples=40, deadline=None)
def test_a_watch_sees_the_same_however_the_stream_was_cut(cut: int) -> None:
    usage = {"input_tokens": 7, "output_tokens": 3}
    stream = (
        event("response.created", response=response(status="in_progress"))
        + event("response.output_text.delta", delta='"response.completed"')
        + event("response.completed", response=response(usage=usage))
    )
    watch, found = READING.watch(), []
    for start in range(0, len(stream), cut):
        seen = watch.feed(stream[start : start + cut])
        if seen is not None:
            found.append(seen)

    assert found[-1].finished
    assert found[-1].usage is not None and found[-1].usage.input_tokens == 7


def test_kept_answers_say_so_whole_and_streamed_and_other_bytes_stay() -> None:
    delta = event("response.output_text.delta", delta='{"store":false}')
    raw = event("response.created", response=response(store=False)) + delta

    told = READING.as_kept(raw)

    assert b'"store":true' in told
    assert told.endswith(delta)
    assert json.loads(READING.as_kept(json.dumps(response(store=False)).encode()))["store"] is True
    assert READING.as_kept(delta) == delta


def test_an_exchange_is_expanded_with_everything_said_before() -> None:
    answer = json.dumps(response(output=[SAID])).encode()
    first = READING.content(b'{"input": "one"}', None, answer)
    second = READING.content(b'{"input": "two", "previous_response_id": "resp_1"}', first, answer)

    asked = json.loads(READING.expanded(b'{"input": "three", "previous_response_id": "resp_2"}', second))

    texts = [item["content"] if item["role"] == "user" else "said" for item in asked["input"]]
    assert texts == ["one", "said", "two", "said", "three"]
    assert "previous_response_id" not in asked
    assert all("id" not in item for item in asked["input"])
    assert json.loads(READING.answer_of(second))["id"] == "resp_1"


@given(count=st.integers(0, 12), limit=st.integers(1, 5), order=st.sampled_from(["asc", "desc"]))
@settings(max_examples=60, deadline=None)
def test_pages_hold_every_item_once_in_order(count: int, limit: int, order: str) -> None:
    items = [{"role": "user", "content": f"n{place}"} for place in range(count)]
    content = READING.content(body(*items), None, json.dumps(response()).encode())
    texts: list[str] = []
    after, more = "", True
    while more:
        page = json.loads(READING.input_page(content, order=order, limit=limit, after=after))
        texts += [item["content"][0]["text"] for item in page["data"]]
        after, more = page["last_id"], page["has_more"]

    expected = [f"n{place}" for place in range(count)]
    assert texts == (expected if order == "asc" else expected[::-1])
