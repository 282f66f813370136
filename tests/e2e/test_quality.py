"""Feedback, checks, a judge, and what they come to: quality tables, comparisons, and the order of targets."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from entrypoints.cli.main import interchange
from tests.e2e.documented import Document
from tests.e2e.stack import Stack
from tests.e2e.test_admin import new_key, with_key
from tests.e2e.three_wires import eventually

CONFIG = """
quality: {refresh_s: 0.2}
providers:
  acme:
    kind: openai
    base_url: "{sim}/acme/v1"
    api_key: k
    via: direct
    models:
      good: {input_usd_per_mtok: 1, output_usd_per_mtok: 4, context_tokens: 100000, quality: 0.8}
      bad: {input_usd_per_mtok: 1, output_usd_per_mtok: 4, context_tokens: 100000, quality: 0.9}
      grader: {input_usd_per_mtok: 1, output_usd_per_mtok: 4, context_tokens: 100000}
routes:
  plain: {targets: [acme/good]}
  other: {targets: [acme/bad]}
  checked: {targets: [acme/good], quality: {checks: all, sample: 1}}
  judged: {targets: [acme/good], quality: {checks: [], judge: {model: grading, sample: 1, usd_per_day: 5}}}
  hidden: {targets: [acme/good], privacy: redact, quality: {sample: 1}}
  judged-hidden:
    targets: [acme/good]
    privacy: redact
    quality: {checks: [], judge: {model: grading, sample: 1, usd_per_day: 5}}
  grading: {targets: [acme/grader]}
  declared: {strategy: quality, targets: [acme/good, acme/bad]}
  learned: {strategy: quality, targets: [acme/good, acme/bad], quality: {sample: 0, learned: true}}
"""
FEEDBACK = "/api/v1/feedback"
TABLE = "/api/v1/analytics/quality"
COMPARE = "/api/v1/analytics/models/compare"
DOCUMENT = Document()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("quality"), CONFIG) as running:
        yield running


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as http:
        yield http


def ask(client: httpx.Client, model: str, text: str = "What is it?", **more: Any) -> str:
    """The id of the request."""
    body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
    answer = client.post("/v1/chat/completions", json=body)
    answer.read()
    assert answer.status_code == 200, answer.text
    return answer.headers["x-request-id"]


def provider_says(stack: Stack, text: str) -> None:
    url = f"{stack.simulator.base_url}/_sim/answers"
    httpx.delete(url).raise_for_status()
    httpx.put(url, json={"answer": {"text": text}}).raise_for_status()


def say(client: httpx.Client, request_id: str, status: int = 201, **said: Any) -> dict[str, Any]:
    answer = client.post(FEEDBACK, json={"request_id": request_id, **said})
    assert answer.status_code == status, answer.text
    DOCUMENT.check(answer)
    found: dict[str, Any] = answer.json()
    return found


def rows(client: httpx.Client, **where: Any) -> list[dict[str, Any]]:
    answer = client.get(TABLE, params=where)
    assert answer.status_code == 200, answer.text
    DOCUMENT.check(answer)
    found: list[dict[str, Any]] = answer.json()["rows"]
    return found


def quality(stack: Stack) -> Any:
    """What the server does about quality."""
    faces = stack.application.faces
    assert faces is not None
    pipeline = faces.hot[("POST", "/v1/chat/completions")]._gate.pipeline  # type: ignore[attr-defined]
    return next(each for each in pipeline._inspectors if hasattr(each, "observer")).observer


def looked_at(stack: Stack, client: httpx.Client, **where: Any) -> dict[str, Any]:
    def found() -> dict[str, Any] | None:
        stack.run(quality(stack).work_off())
        stack.run(quality(stack).flush())
        return next((row for row in rows(client, **where) if row["checks"]["count"]), None)

    seen = eventually(found)
    assert seen is not None
    return seen


def test_feedback_changes_the_quality_table(client: httpx.Client) -> None:
    asked = ask(client, "plain")
    kept = say(client, asked, rating=1)
    assert (kept["provider"], kept["model"], kept["task"], kept["score"]) == ("acme", "good", "chat", 0.0)
    [before] = rows(client, route="plain")
    assert before["feedback"]["count"] == 1
    assert before["quality"]["value"] < before["declared"] == 0.8
    assert before["requests"] == 1
    assert before["latency_ms"] > 0

    say(client, ask(client, "plain"), thumbs="down")
    [after] = rows(client, route="plain")
    assert after["feedback"]["count"] == 2
    assert after["quality"]["value"] < before["quality"]["value"]


def test_who_changes_their_mind_replaces_what_they_said(client: httpx.Client) -> None:
    asked = ask(client, "plain", "Change your mind.")
    say(client, asked, score=0.5)
    say(client, asked, 200, label="Correct")
    say(client, asked, source="reviewer", thumbs="up")
    found = client.get(FEEDBACK, params={"request_id": asked})
    DOCUMENT.check(found)
    assert {(one["source"], one["kind"], one["said"]) for one in found.json()["feedback"]} == {
        ("", "label", "correct"),
        ("reviewer", "thumbs", "up"),
    }


def test_pages_of_feedback_follow_one_another(client: httpx.Client) -> None:
    asked = ask(client, "plain", "Many say something.")
    for number in range(3):
        say(client, asked, source=f"s{number}", rating=3)
    seen: list[str] = []
    after: str | None = None
    while True:
        more = {} if after is None else {"after": after}
        page = client.get(FEEDBACK, params={"request_id": asked, "limit": 1, **more}).json()
        seen += [one["source"] for one in page["feedback"]]
        after = page["next"]
        if after is None:
            break
    assert seen == ["s2", "s1", "s0"]


def test_comments_are_kept_without_personal_data(client: httpx.Client) -> None:
    kept = say(client, ask(client, "plain"), rating=2, comment="Ask bob.stone@example.com instead.")
    assert "bob.stone" not in kept["comment"]
    assert kept["comment"].startswith("Ask ")


def test_an_unknown_request_is_not_found(client: httpx.Client) -> None:
    answer = client.post(FEEDBACK, json={"request_id": "req_nobody", "rating": 3})
    assert (answer.status_code, answer.json()["error"]["param"]) == (404, "request_id")


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ({}, "rating"),
        ({"rating": 6}, "rating"),
        ({"rating": 3, "label": "good"}, "label"),
        ({"rating": 3, "comment": "x" * 2001}, "comment"),
        ({"rating": 3, "source": "a\nb"}, "source"),
        ({"rating": 3, "stars": 4}, "stars"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(
    client: httpx.Client, said: dict[str, Any], param: str
) -> None:
    answer = client.post(FEEDBACK, json={"request_id": "req_x", **said})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_an_agent_may_say_something_and_not_read_what_others_said(stack: Stack, client: httpx.Client) -> None:
    key = new_key(client, role="agent")["key"]
    with with_key(stack, key) as agent:
        say(agent, ask(agent, "plain"), rating=5)
        assert agent.get(FEEDBACK).status_code == 403
        assert agent.get(TABLE).status_code == 403


@pytest.mark.parametrize("stream", [False, True])
def test_answers_are_checked_after_they_were_given(stack: Stack, client: httpx.Client, stream: bool) -> None:
    provider_says(stack, "I'm sorry, but I can't help with that request.")
    before = [row["checks"] for row in rows(client, route="checked")]
    ask(client, "checked", "Refuse this.", stream=stream)

    def refused() -> bool:
        found = looked_at(stack, client, route="checked")["checks"]
        return bool(found["refusals"] > (before[0]["refusals"] if before else 0))

    assert eventually(refused)


def test_json_that_is_not_of_its_schema_is_found(stack: Stack, client: httpx.Client) -> None:
    provider_says(stack, '{"city": 5}')
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    ask(client, "checked", "As JSON.", response_format=form)
    row = looked_at(stack, client, route="checked", task="extraction")
    assert row["checks"] == {
        **row["checks"],
        "count": 1,
        "failed": 1,
        "refusals": 0,
        "invalid_json": 1,
    }


def test_a_route_without_the_section_is_not_looked_at(stack: Stack, client: httpx.Client) -> None:
    ask(client, "other")
    stack.run(quality(stack).work_off())
    stack.run(quality(stack).flush())
    [row] = eventually(lambda: rows(client, route="other"))
    assert row["checks"]["count"] == 0


def test_a_judge_scores_and_is_recorded_as_such(stack: Stack, client: httpx.Client) -> None:
    provider_says(stack, "8")
    ask(client, "judged", "How many legs has a spider?")

    def scored() -> dict[str, Any] | None:
        stack.run(quality(stack).work_off())
        stack.run(quality(stack).flush())
        return next((row for row in rows(client, route="judged") if row["judge"]["count"]), None)

    row = eventually(scored)
    assert row is not None
    assert row["judge"]["mean"]["value"] == 0.8

    def asked() -> set[str]:
        found = client.get("/api/v1/requests", params={"limit": 1000}).json()["requests"]
        return {one["workflow_id"] for one in found if one["route"] == "grading"}

    assert eventually(asked) == {"quality-judge"}


def test_a_judge_sees_the_conversation_as_privacy_left_it(stack: Stack, client: httpx.Client) -> None:
    provider_says(stack, "7")
    call = {"id": "c1", "type": "function", "function": {"name": "lookup", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "I am jane.doe@example.com. How many legs has a bee?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "bees: insects"},
    ]
    body = {"model": "judged-hidden", "messages": messages}
    assert client.post("/v1/chat/completions", json=body).status_code == 200

    def shown() -> dict[str, Any] | None:
        stack.run(quality(stack).work_off())
        for one in stack.simulator.requests:
            if one["body"].get("model") == "grader" and "bees: insects" in str(one["body"]):
                given: dict[str, Any] = json.loads(one["body"]["messages"][-1]["content"])
                return given
        return None

    given = eventually(shown)
    assert given is not None and "jane.doe" not in json.dumps(given)
    assert [one["from"] for one in given["conversation"]] == ["user", "assistant", "tool lookup"]
    assert given["conversation"][0]["text"].endswith("How many legs has a bee?")
    assert given["conversation"][1]["text"] == "[asks for lookup]"
    assert (given["left_out"], given["answer"]) == (0, "7")


def test_a_judge_that_says_no_number_says_nothing(stack: Stack, client: httpx.Client) -> None:
    provider_says(stack, "8 out of 10, because it is good")
    before = quality(stack).scorer.counts["no number"]
    ask(client, "judged", "How many legs has an ant?")
    stack.run(quality(stack).work_off())
    assert eventually(lambda: quality(stack).scorer.counts["no number"] > before)


def test_models_are_compared_and_too_little_is_said_to_be_too_little(client: httpx.Client) -> None:
    good, bad = ask(client, "plain", "For a comparison."), ask(client, "other", "For a comparison.")
    say(client, good, rating=5)
    say(client, bad, rating=1)
    few = client.get(COMPARE, params={"models": "good,bad"})
    DOCUMENT.check(few)
    [task] = [one for one in few.json()["tasks"] if one["task"] == "chat"]
    assert (task["better"], task["difference"]) == (None, None)
    assert "not enough data" in task["why"]

    for _ in range(3):
        good, bad = ask(client, "plain", "For a comparison."), ask(client, "other", "For a comparison.")
        for number in range(14):
            say(client, good, source=f"r{number}", thumbs="up")
            say(client, bad, source=f"r{number}", thumbs="down")
    [task] = client.get(COMPARE, params={"models": "good,acme/bad", "task": "chat"}).json()["tasks"]
    assert task["better"] == "good"
    assert task["difference"]["low"] > 0


def test_a_route_that_wants_it_is_ranked_by_what_was_learned(client: httpx.Client) -> None:
    for _ in range(2):
        asked = ask(client, "other", "For what is learned.")
        for number in range(20):
            say(client, asked, source=f"l{number}", thumbs="down")
    assert "20 sources" in say(client, asked, 409, source="one more", thumbs="down")["error"]["message"]

    def first(route: str) -> str:
        answer = client.post("/api/v1/routing/explain", json={"model": route})
        assert answer.status_code == 200, answer.text
        found: str = answer.json()["candidates"][0]["target"]
        return found

    assert first("declared") == "acme/bad"
    assert eventually(lambda: first("learned") == "acme/good")
    assert first("declared") == "acme/bad"
    assert ask(client, "learned")
    page = client.get("/metrics").text
    assert 'interchange_quality_score{provider="acme",model="bad",task="chat"}' in page


def test_the_tables_name_what_cannot_be_asked(client: httpx.Client) -> None:
    for query, param in (
        ({"by": "user"}, "by"),
        ({"days": "0"}, "days"),
        ({"task": "poetry"}, "task"),
        ({"limit": "0"}, "limit"),
        ({"agent": "x"}, "agent"),
    ):
        answer = client.get(TABLE, params=query)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), query
    answer = client.get(COMPARE, params={"models": "only-one"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "models")
    assert json.loads(answer.text)["error"]["code"] == "invalid_request"


def command(stack: Stack, *words: str) -> str:
    made = CliRunner().invoke(interchange, [*words, "--url", stack.url, "--key", stack.key])
    assert made.exit_code == 0, made.output
    return made.output


def test_all_of_it_can_be_done_from_the_command_line(stack: Stack, client: httpx.Client) -> None:
    asked = ask(client, "plain", "From the command line.")
    said = command(stack, "feedback", "add", asked, "--rating", "2", "--comment", "too long")
    assert said == "kept: rating 2 (0.25) for acme/good\n"
    assert "too long" in command(stack, "feedback", "list", "--request", asked)
    assert json.loads(command(stack, "feedback", "list", "--request", asked, "--json"))["feedback"]
    shown = command(stack, "quality", "--route", "plain", "--by", "provider,model")
    assert "acme" in shown and "good" in shown
    assert json.loads(command(stack, "quality", "--json"))["rows"]
    say(client, ask(client, "other"), rating=3)
    assert "chat: " in command(stack, "models", "compare", "good", "bad")


def test_what_was_said_of_a_users_requests_is_shown_and_forgotten_with_the_user(client: httpx.Client) -> None:
    body = {"model": "plain", "messages": [{"role": "user", "content": "For Carol."}]}
    answer = client.post("/v1/chat/completions", json=body, headers={"x-interchange-user-id": "carol"})
    asked = answer.headers["x-request-id"]
    say(client, asked, rating=1, comment="She did not like it.")
    assert "She did not like it." in client.get("/api/v1/privacy/subjects/carol").text

    assert client.delete("/api/v1/privacy/subjects/carol").status_code in (200, 202)

    def gone() -> bool:
        return not client.get(FEEDBACK, params={"request_id": asked}).json()["feedback"]

    assert eventually(gone, 10.0)
