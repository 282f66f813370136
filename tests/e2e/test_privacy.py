"""What providers see and callers get where a route has a privacy policy: official SDKs on three wires."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from anthropic import Anthropic
from click.testing import CliRunner
from openai import OpenAI

from entrypoints.cli.privacy import privacy
from tests.e2e.documented import Document
from tests.e2e.stack import Stack
from tests.e2e.three_wires import CONFIG, WIRES, sse_events

EMAIL, CARD = "bob.stone@example.com", "4111 1111 1111 1111"
DOCUMENT = Document()
ASKED = f"Tell {EMAIL} about {CARD}."
CALL = f'call send {{"to": "{EMAIL}", "note": "card {CARD}"}}'
PRIVATE = (
    CONFIG.replace(
        "  assistant: {strategy",
        "".join(
            f"  {wire}-private: {{targets: [{wire}/small], retries: 0, privacy: tokenise}}\n"
            for wire in WIRES
        )
        + "  blocked: {targets: [alpha/small], privacy: cards}\n"
        "  routed: {targets: [alpha/small, beta/small], strategy: priority, privacy: ours}\n"
        "  nowhere: {targets: [alpha/small], privacy: ours}\n"
        "  kept: {targets: [alpha/small], cache: {mode: exact}, privacy: tokenise}\n"
        "  kept-here: {targets: [beta/small], responses: {store: true}, privacy: tokenise}\n"
        "  assistant: {strategy",
        1,
    )
    + "privacy:\n"
    "  policies:\n"
    "    cards: {default: redact, kinds: {CREDIT_CARD: block}}\n"
    "    ours: {default: detect, kinds: {EMAIL_ADDRESS: route}, route: {providers: [beta]}}\n"
)
TOOL = {
    "name": "send",
    "description": "Sends a note.",
    "parameters": {
        "type": "object",
        "properties": {"to": {"type": "string"}, "note": {"type": "string"}},
        "required": ["to"],
    },
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data"), PRIVATE) as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_leaves(stack: Stack) -> Iterator[None]:
    before = len(stack.simulator.requests)
    yield
    for one in list(stack.simulator.requests)[before:]:
        if one["provider"] != "beta" or "routed" not in json.dumps(one["body"]):
            told = json.dumps(one["body"], ensure_ascii=False)
            assert EMAIL not in told
            assert CARD not in told


@pytest.fixture
def openai(stack: Stack) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{stack.url}/v1", api_key=stack.key, max_retries=0) as client:
        yield client


@pytest.fixture
def anthropic(stack: Stack) -> Iterator[Anthropic]:
    with Anthropic(base_url=stack.url, api_key=stack.key, max_retries=0) as client:
        yield client


@pytest.mark.parametrize("wire", WIRES)
def test_a_chat_gets_its_own_values_back(openai: OpenAI, wire: str) -> None:
    messages: Any = [{"role": "user", "content": ASKED}]
    whole = openai.chat.completions.create(model=f"{wire}-private", messages=messages, user=EMAIL)
    assert EMAIL in (whole.choices[0].message.content or "")
    chunks = list(openai.chat.completions.create(model=f"{wire}-private", messages=messages, stream=True))
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == whole.choices[0].message.content


@pytest.mark.parametrize("wire", WIRES)
def test_tools_are_called_with_real_values_and_their_results_stay_here(openai: OpenAI, wire: str) -> None:
    tools: Any = [{"type": "function", "function": TOOL}]
    messages: Any = [{"role": "user", "content": CALL}]
    first = openai.chat.completions.create(model=f"{wire}-private", messages=messages, tools=tools)
    call: Any = (first.choices[0].message.tool_calls or [])[0]
    assert json.loads(call.function.arguments) == {"to": EMAIL, "note": f"card {CARD}"}
    streamed = ""
    for chunk in openai.chat.completions.create(
        model=f"{wire}-private", messages=messages, tools=tools, stream=True
    ):
        for each in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
            streamed += (each.function and each.function.arguments) or ""
    assert json.loads(streamed) == {"to": EMAIL, "note": f"card {CARD}"}
    result = json.dumps({"status": "sent", "copy": EMAIL})
    messages += [first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": result}]
    assert openai.chat.completions.create(model=f"{wire}-private", messages=messages, tools=tools).choices


@pytest.mark.parametrize("wire", WIRES)
def test_responses_say_the_same_in_pieces_and_whole(openai: OpenAI, wire: str) -> None:
    whole = openai.responses.create(model=f"{wire}-private", input=ASKED, store=False)
    assert EMAIL in whole.output_text
    events = list(openai.responses.create(model=f"{wire}-private", input=ASKED, store=False, stream=True))
    pieces = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    [done] = [event.text for event in events if event.type == "response.output_text.done"]
    [completed] = [event.response for event in events if event.type == "response.completed"]
    assert pieces == done == completed.output_text == whole.output_text
    numbers = [event.sequence_number for event in events]
    assert numbers == sorted(set(numbers))


def test_completions_are_rewritten_too(openai: OpenAI) -> None:
    whole = openai.completions.create(model="alpha-private", prompt=ASKED, max_tokens=200)
    assert EMAIL in whole.choices[0].text
    chunks = openai.completions.create(model="alpha-private", prompt=ASKED, max_tokens=200, stream=True)
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == whole.choices[0].text


@pytest.mark.parametrize("wire", WIRES)
def test_messages_get_their_values_back(anthropic: Anthropic, wire: str) -> None:
    asked: Any = {
        "model": f"{wire}-private",
        "max_tokens": 300,
        "system": f"You work for {EMAIL}.",
        "messages": [{"role": "user", "content": [{"type": "text", "text": ASKED}]}],
        "metadata": {"user_id": EMAIL},
    }
    whole = anthropic.messages.create(**asked)
    assert EMAIL in whole.content[0].text
    with anthropic.messages.stream(**asked) as stream:
        assert stream.get_final_text() == whole.content[0].text


@pytest.mark.parametrize("wire", WIRES)
def test_tools_of_messages_work_both_ways(anthropic: Anthropic, wire: str) -> None:
    tool = {"name": "send", "description": "Sends.", "input_schema": TOOL["parameters"]}
    asked: Any = {
        "model": f"{wire}-private",
        "max_tokens": 300,
        "tools": [tool],
        "messages": [{"role": "user", "content": CALL}],
    }
    whole = anthropic.messages.create(**asked)
    [block] = [block for block in whole.content if block.type == "tool_use"]
    assert block.input == {"to": EMAIL, "note": f"card {CARD}"}
    with anthropic.messages.stream(**asked) as stream:
        [streamed] = [one for one in stream.get_final_message().content if one.type == "tool_use"]
    assert streamed.input == block.input
    result = {"type": "tool_result", "tool_use_id": block.id, "content": [{"type": "text", "text": EMAIL}]}
    asked["messages"] += [
        {"role": "assistant", "content": whole.content},
        {"role": "user", "content": [result]},
    ]
    assert anthropic.messages.create(**asked).content


@pytest.mark.parametrize("wire", WIRES)
def test_gemini_callers_get_their_values_back(stack: Stack, wire: str) -> None:
    body = {"contents": [{"role": "user", "parts": [{"text": ASKED}]}]}
    path = f"/v1beta/models/{wire}-private"
    with stack.client() as client:
        whole = client.post(f"{path}:generateContent", json=body).json()
        streamed = client.post(f"{path}:streamGenerateContent?alt=sse", json=body)
        array = client.post(f"{path}:streamGenerateContent", json=body).json()
    said = texts_of([whole])
    assert EMAIL in said
    assert texts_of(sse_events(streamed.text)) == said == texts_of(array)


@pytest.mark.parametrize("wire", WIRES)
def test_tools_of_gemini_callers_work(stack: Stack, wire: str) -> None:
    body = {
        "contents": [{"role": "user", "parts": [{"text": CALL}]}],
        "tools": [{"functionDeclarations": [TOOL]}],
    }
    with stack.client() as client:
        for action in ("generateContent", "streamGenerateContent?alt=sse"):
            answer = client.post(f"/v1beta/models/{wire}-private:{action}", json=body)
            said = [answer.json()] if answer.text.startswith("{") else sse_events(answer.text)
            [call] = [part["functionCall"] for part in parts_of(said) if "functionCall" in part]
            assert call["args"] == {"to": EMAIL, "note": f"card {CARD}"}


def parts_of(answers: list[Any]) -> list[dict[str, Any]]:
    return [
        part
        for answer in answers
        for candidate in answer.get("candidates", [])
        for part in candidate.get("content", {}).get("parts", [])
    ]


def texts_of(answers: list[Any]) -> str:
    return "".join(part.get("text", "") for part in parts_of(answers))


def test_what_is_blocked_names_kinds_and_places_and_no_values(stack: Stack) -> None:
    seen = len(stack.simulator.requests)
    with stack.client() as client:
        body = {"model": "blocked", "messages": [{"role": "user", "content": ASKED}]}
        refused = client.post("/v1/chat/completions", json=body)
    assert refused.status_code == 403
    error = refused.json()["error"]
    assert error["code"] == "pii_blocked"
    assert error["param"] == "messages[0].content"
    assert "CREDIT_CARD" in error["message"]
    assert CARD not in refused.text
    assert len(stack.simulator.requests) == seen


def test_what_is_routed_goes_to_named_targets_only(stack: Stack) -> None:
    with stack.client() as client:

        def ask(route: str, text: str) -> httpx.Response:
            body = {"model": route, "messages": [{"role": "user", "content": text}]}
            return client.post("/v1/chat/completions", json=body)

        assert ask("routed", "Hello").headers["x-interchange-provider"] == "alpha"
        assert ask("routed", f"routed to {EMAIL}").headers["x-interchange-provider"] == "beta"
        refused = ask("nowhere", f"to {EMAIL}")
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "pii_blocked"


def test_kept_answers_hold_no_values_and_serve_each_caller_its_own(stack: Stack) -> None:
    with stack.client() as client:
        body = {"model": "kept", "messages": [{"role": "user", "content": ASKED}]}
        first = client.post("/v1/chat/completions", json=body)
        again = client.post("/v1/chat/completions", json=body)
        assert again.headers["x-interchange-cache"] == "hit-l1"
        assert EMAIL in again.json()["choices"][0]["message"]["content"]
        key = again.headers["x-interchange-cache-key"]
        kept = client.get(f"/api/v1/cache/entries/{key}", params={"body": "1"})
    assert first.status_code == kept.status_code == 200
    assert EMAIL not in kept.text
    assert CARD not in kept.text


def test_findings_are_counted_without_values(stack: Stack) -> None:
    with stack.client() as client:
        client.post(
            "/v1/chat/completions",
            json={"model": "alpha-private", "messages": [{"role": "user", "content": ASKED}]},
        )
        page = client.get("/metrics").text
    assert 'interchange_pii_findings_total{kind="EMAIL_ADDRESS",where="prompts",act="tokenise"}' in page
    assert EMAIL not in page


def test_what_would_be_done_can_be_asked_without_sending_anything(stack: Stack) -> None:
    with stack.client() as client:
        seen = len(stack.simulator.requests)
        known = client.get("/api/v1/privacy")
        DOCUMENT.check(known)
        assert {policy["name"] for policy in known.json()["policies"]} >= {"redact", "cards", "ours"}
        told = client.post("/api/v1/privacy/check", json={"text": f"to {EMAIL}", "policy": "redact"})
        DOCUMENT.check(told)
        assert told.json()["text"] == "to <EMAIL_ADDRESS>"
        assert told.json()["findings"][0]["kind"] == "EMAIL_ADDRESS"
        body = {"model": "blocked", "messages": [{"role": "user", "content": ASKED}]}
        told = client.post("/api/v1/privacy/check", json={"body": body, "route": "blocked"})
        DOCUMENT.check(told)
        assert told.json()["allowed"] is False
        assert told.json()["body"] is None
        assert CARD not in told.text
        wrong: list[Any] = [{}, {"text": "a", "body": {}}, {"body": {}, "dialect": "none"}]
        wrong += [{"text": "a", "policy": "none"}, {"text": "a", "where": "here"}]
        for asked in wrong:
            refused = client.post("/api/v1/privacy/check", json=asked)
            DOCUMENT.check(refused)
            assert refused.status_code == 400
    assert len(stack.simulator.requests) == seen


def test_the_command_says_the_same(stack: Stack) -> None:
    where = ["--url", stack.url, "--key", stack.key]
    said = CliRunner().invoke(privacy, ["check", f"to {EMAIL}", "--policy", "redact", *where])
    assert (said.exit_code, said.output) == (0, "EMAIL_ADDRESS in text: redact\nto <EMAIL_ADDRESS>\n")
    said = CliRunner().invoke(privacy, ["check", CARD, "--policy", "cards", *where])
    assert (said.exit_code, said.output) == (1, "CREDIT_CARD in text: block\nrefused by cards\n")
    said = CliRunner().invoke(privacy, ["policies", *where])
    assert "cards: redact; CREDIT_CARD: block" in said.output


def test_answers_kept_here_hold_placeholders_and_later_turns_get_the_values_back(
    stack: Stack, openai: OpenAI
) -> None:
    for streamed in (False, True):
        first: Any
        if streamed:
            with openai.responses.stream(model="kept-here", input=ASKED) as events:
                first = events.get_final_response()
        else:
            first = openai.responses.create(model="kept-here", input=ASKED)
        assert EMAIL in first.output_text
        kept = openai.responses.retrieve(first.id)
        assert EMAIL not in kept.model_dump_json()
        listed = openai.responses.input_items.list(first.id).model_dump_json()
        assert EMAIL not in listed
        [token] = set(re.findall("<EMAIL_ADDRESS_[a-z]+>", listed))
        later = openai.responses.create(model="kept-here", input=f"to {token}", previous_response_id=first.id)
        assert EMAIL in later.output_text
