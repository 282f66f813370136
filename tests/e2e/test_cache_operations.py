"""The cache as operators see it: status, entries, invalidation, explanations, warming; and tenant walls."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.documented import Document
from tests.e2e.stack import Stack
from tests.e2e.test_admin import new_key, with_key
from tests.e2e.three_wires import CONFIG, eventually, simulate

CACHED = (
    CONFIG.replace(
        "  assistant: {strategy",
        "  warmed: {targets: [alpha/small], cache: {mode: exact, tags: [faq]}}\n"
        "  watched: {targets: [alpha/small], cache: {mode: observe}}\n"
        "  mine: {targets: [alpha/small], cache: {mode: exact, scope: user}}\n"
        "  assistant: {strategy",
        1,
    )
    + "cache: {embedder: hashing}\n"
)
CHAT = "/v1/chat/completions"
API = "/api/v1/cache"
DOCUMENT = Document()


@pytest.fixture(scope="module")
def caching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack with routes that cache, for all tests of this module."""
    with Stack(tmp_path_factory.mktemp("data"), CACHED) as running:
        yield running


def documented(answer: httpx.Response) -> None:
    answer.read()
    if "/cache" in answer.request.url.path or "explain" in answer.request.url.path:
        DOCUMENT.check(answer)


@pytest.fixture
def client(caching: Stack) -> Iterator[httpx.Client]:
    with caching.client() as http:
        http.event_hooks = {"response": [documented]}
        yield http


@pytest.fixture(scope="module")
def other(caching: Stack) -> Iterator[httpx.Client]:
    """Tenant B's owner."""
    with caching.client() as owner:
        key = new_key(owner, tenant_id="b", role="owner")["key"]
    with with_key(caching, key) as http:
        http.event_hooks = {"response": [documented]}
        yield http


def body(prompt: str, route: str = "warmed", **more: Any) -> dict[str, Any]:
    return {"model": route, "messages": [{"role": "user", "content": prompt}], **more}


def asked(client: httpx.Client, prompt: str, route: str = "warmed", **headers: str) -> str:
    """What the cache did."""
    answer = client.post(CHAT, json=body(prompt, route), headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.headers["x-interchange-cache"]


def explained(client: httpx.Client, prompt: str, route: str = "warmed", **headers: str) -> dict[str, Any]:
    answer = client.post(f"{API}/explain", json=body(prompt, route), headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def invalidate(client: httpx.Client, **wanted: Any) -> httpx.Response:
    return client.post(f"{API}/invalidate", json=wanted)


def calls(stack: Stack) -> int:
    """How many requests the simulated provider got."""
    return simulate(stack, lambda: len(stack.simulator.requests))


def warm(client: httpx.Client, *lines: Any, **query: Any) -> dict[str, Any]:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    answer = client.post(f"{API}/warm", content=text, params=query)
    assert answer.status_code == 200, answer.text
    done: dict[str, Any] = answer.json()
    return done


def test_everybody_sees_that_it_works_and_only_operators_see_figures(
    caching: Stack, client: httpx.Client, other: httpx.Client
) -> None:
    nobody = httpx.get(caching.url + "/cache-status").json()

    assert nobody["status"] == "ok" and nobody["mode"] == "exact" and nobody["routes"] == 3
    assert nobody["l2"] == {"enabled": True, "status": "up"} and nobody["semantic"]["enabled"]
    assert "process" not in nobody and "process" not in other.get("/cache-status").json()
    assert client.get("/cache-status").json()["process"]["l1"]["bytes_max"] > 0
    assert httpx.get(caching.url + "/health").json()["cache"] == "ok"


def test_an_explanation_says_what_then_happens_and_sends_nothing(
    caching: Stack, client: httpx.Client
) -> None:
    before = calls(caching)
    first = explained(client, "explained?")
    assert (first["cache"], first["l1"], first["reason"]) == ("miss", None, None)
    assert calls(caching) == before
    assert asked(client, "explained?") == "miss"
    second = explained(client, "explained?")

    assert second["cache"] == "hit-l1" and second["key"] == first["key"]
    assert second["l1"]["state"] == "fresh" and second["l1"]["target"] == "alpha/small"
    assert asked(client, "explained?") == "hit-l1"
    whole = client.post("/api/v1/routing/explain", json=body("explained?")).json()
    assert whole["cache"] == "hit-l1" and whole["cache_reason"] is None


def test_an_explanation_says_why_a_request_takes_no_part(client: httpx.Client) -> None:
    wished = {"x-interchange-cache": "no-store"}

    assert explained(client, "x", **wished)["reason"] == "no-store"
    assert explained(client, "x", "mine")["reason"] == "nobody_named"
    assert explained(client, "x", "mine", **{"x-interchange-user-id": "u"})["cache"] == "miss"
    assert explained(client, "x", "assistant")["cache"] == "off"
    routed = client.post("/api/v1/routing/explain", json=body("x"), headers=wished).json()
    assert (routed["cache"], routed["cache_reason"]) == ("bypass", "no-store")


def test_a_route_that_observes_says_what_it_would_have_done(client: httpx.Client) -> None:
    assert asked(client, "what is observed?", "watched") == "observe"

    found = explained(client, "what is observed?", "watched")

    assert found["cache"] == "observe" and found["would"] == "hit-l1"
    assert found["similar"] is not None


def test_an_entry_is_shown_without_its_words_unless_they_are_wanted(client: httpx.Client) -> None:
    asked(client, "shown?")
    key = explained(client, "shown?")["key"]

    plain = client.get(f"{API}/entries/{key}").json()
    whole = client.get(f"{API}/entries/{key}", params={"body": "1"}).json()

    assert "body" not in plain and "question" not in plain and plain["tags"] == ["faq"]
    assert json.loads(whole["body"])["choices"]
    eventually(lambda: client.get(f"{API}/entries/{key}").json()["tiers"] == ["l1", "l2"])


@pytest.mark.parametrize(
    ("wanted", "gone"),
    [
        ({"kind": "tag", "value": "faq"}, True),
        ({"kind": "tag", "value": "other"}, False),
        ({"kind": "route", "value": "warmed"}, True),
        ({"kind": "model", "value": "alpha/*"}, True),
        ({"kind": "prompt", "value": "KINDS  of"}, True),
        ({"kind": "prompt", "value": "nothing of"}, False),
        ({"kind": "tenant"}, True),
        ({"kind": "everything"}, True),
    ],
    ids=str,
)
def test_what_was_invalidated_is_asked_again(
    client: httpx.Client, wanted: dict[str, str], gone: bool
) -> None:
    prompt = f"Kinds of {wanted}"
    asked(client, prompt)
    assert asked(client, prompt) == "hit-l1"

    done = invalidate(client, **wanted)

    assert done.status_code == 200 and done.json()["heard_by_all_within_s"] <= 1
    assert (asked(client, prompt) == "miss") is gone


def test_one_entry_is_dropped_by_its_key(client: httpx.Client) -> None:
    asked(client, "dropped?")
    asked(client, "stays?")
    key = explained(client, "dropped?")["key"]

    assert client.delete(f"{API}/entries/{key}").status_code == 200

    assert client.get(f"{API}/entries/{key}").status_code == 404
    assert asked(client, "dropped?") == "miss" and asked(client, "stays?") == "hit-l1"


def test_questions_near_a_text_are_invalidated(client: httpx.Client) -> None:
    question = "How do I change the colour of my curtains?"
    asked(client, question, "watched")
    eventually(lambda: (explained(client, question, "watched")["would"]) == "hit-l1")

    def covered() -> bool:
        done = invalidate(client, kind="radius", text=question, similarity=0.99).json()
        assert done["value"] == ""
        return bool(done["matched"])

    eventually(covered)
    eventually(lambda: explained(client, question, "watched")["would"] == "miss")


@pytest.mark.parametrize(
    ("wanted", "param"),
    [
        ({"kind": "unknown"}, "kind"),
        ({"kind": "tag"}, "value"),
        ({"kind": "tenant", "value": "x"}, "value"),
        ({"kind": "tag", "value": "x", "tenant_id": ""}, "tenant_id"),
        ({"kind": "entry", "value": "no hex"}, "value"),
        ({"kind": "radius", "text": "x"}, "similarity"),
        ({"kind": "radius", "similarity": 0.9}, "text"),
        ({"kind": "tag", "value": "x", "text": "y"}, "text"),
    ],
    ids=str,
)
def test_what_says_nothing_invalidates_nothing(
    client: httpx.Client, wanted: dict[str, Any], param: str
) -> None:
    answer = invalidate(client, **wanted)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_requests_of_a_file_are_answered_once_and_then_come_from_the_cache(
    caching: Stack, client: httpx.Client
) -> None:
    before = calls(caching)
    lines = [
        body("warm one"),
        body("warm two", "mine"),
        {"request": body("warm one")},
        "no json",
        body("x", "no"),
    ]

    done = warm(client, *lines)

    outcomes = [(line["outcome"], line["reason"]) for line in done["lines"]]
    assert outcomes[:3] == [("kept", None), ("skipped", "nobody_named"), ("skipped", "asked_twice")]
    assert [outcome for outcome, _ in outcomes[3:]] == ["failed", "failed"]
    assert outcomes[4][1] == "model_not_found"
    assert calls(caching) == before + 1 and float(done["cost_usd"]) > 0
    assert asked(client, "warm one") == "hit-l1"
    assert warm(client, body("warm one"))["lines"][0]["reason"] == "kept_already"


def test_warming_never_begins_what_might_pass_its_cost(caching: Stack, client: httpx.Client) -> None:
    before = calls(caching)

    done = warm(client, *(body(f"dear {n}", max_tokens=4000) for n in range(3)), max_cost_usd="0.000001")

    assert {line["reason"] for line in done["lines"]} == {"max_cost"} and calls(caching) == before


def answered(text: str, finish: str = "stop") -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [choice],
        "usage": usage,
    }


def test_logged_answers_are_kept_as_they_are(caching: Stack, client: httpx.Client) -> None:
    before = calls(caching)

    done = warm(
        client,
        {"request": body("logged"), "response": answered("from the log")},
        {"request": body("cut"), "response": answered("half", "length")},
        {"request": body("filtered"), "response": answered("", "content_filter")},
        {"request": body("tools"), "response": answered("", "tool_calls")},
        {"request": body("streamed", stream=True), "response": answered("x")},
        {"request": body("error"), "response": {"error": {"message": "no"}}},
    )

    reasons = [line["reason"] for line in done["lines"]]
    assert reasons[:5] == [None, "truncated_or_filtered", "truncated_or_filtered", "tool_calls", "streamed"]
    assert done["lines"][5]["outcome"] == "failed"
    assert calls(caching) == before and done["cost_usd"] in ("0", "0.00", "0.0")
    answer = client.post(CHAT, json=body("logged"))
    assert answer.headers["x-interchange-cache"] == "hit-l1"
    assert answer.json()["choices"][0]["message"]["content"] == "from the log"


def test_what_it_did_is_told_by_route_for_the_own_tenant_only(
    client: httpx.Client, other: httpx.Client
) -> None:
    asked(client, "counted?")
    asked(client, "counted?")

    def counted() -> bool:
        usage = client.get(API).json()["usage"]
        return any(line["cache"] == "hit-l1" and line["route"] == "warmed" for line in usage["lines"])

    eventually(counted)
    theirs = other.get(API).json()
    assert theirs["process"] is None and theirs["usage"]["lookups"] == 0
    assert other.get(API, params={"tenant_id": "default"}).status_code == 403


def test_another_tenant_neither_sees_nor_touches_what_is_kept(
    client: httpx.Client, other: httpx.Client
) -> None:
    asked(client, "whose?")
    key = explained(client, "whose?")["key"]

    theirs = explained(other, "whose?")
    assert theirs["key"] != key and theirs["cache"] == "miss"
    assert other.get(f"{API}/entries/{key}", params={"body": "1"}).status_code == 404
    for wanted in (
        {"kind": "entry", "value": key},
        {"kind": "tag", "value": "faq"},
        {"kind": "route", "value": "warmed"},
        {"kind": "prompt", "value": "whose"},
        {"kind": "tenant"},
    ):
        assert invalidate(other, **wanted).status_code == 200
        assert invalidate(other, **wanted, tenant_id="default").status_code == 403
    assert other.delete(f"{API}/entries/{key}").status_code == 200
    assert other.delete(f"{API}/entries/{key}", params={"tenant_id": "default"}).status_code == 403
    assert invalidate(other, kind="everything").status_code == 403
    near = {"kind": "radius", "text": "whose?", "similarity": 0.1}
    assert invalidate(other, **near).json()["matched"] == 0
    warm(other, {"request": body("whose?"), "response": answered("poison")})
    assert asked(client, "whose?") == "hit-l1"
    assert client.get(f"{API}/entries/{key}", params={"body": "1"}).json()["body"].find("poison") < 0
    assert other.get(f"{API}/verified").json()["routes"] == []


@pytest.mark.parametrize(
    ("role", "reads", "writes"),
    [
        ("admin", 200, 200),
        ("operator", 200, 200),
        ("developer", 200, 403),
        ("viewer", 200, 403),
        ("agent", 403, 403),
    ],
)
def test_roles_read_and_write_as_they_may(
    client: httpx.Client, caching: Stack, role: str, reads: int, writes: int
) -> None:
    key = new_key(client, role=role)["key"]

    with with_key(caching, key) as theirs:
        assert theirs.get(API).status_code == reads
        assert theirs.get(f"{API}/verified").status_code == reads
        assert theirs.post(f"{API}/explain", json=body("x")).status_code == reads
        assert invalidate(theirs, kind="tag", value="none").status_code == writes
        assert theirs.post(f"{API}/warm", content="").status_code == writes


def test_prompt_caches_and_measured_reuse_are_reported(client: httpx.Client) -> None:
    asked(client, "reported?", "watched")

    assert client.get(f"{API}/prompt", params={"route": "watched"}).status_code == 200
    assert client.get(f"{API}/prompt", params={"group": "x"}).status_code == 400
    eventually(lambda: bool(client.get(f"{API}/verified").json()["routes"]))
    (route,) = client.get(f"{API}/verified").json()["routes"]
    assert route["route"] == "watched" and route["mode"] == "observe" and route["forecast"]


def test_metrics_tell_of_the_cache(client: httpx.Client) -> None:
    page = client.get("/metrics").text

    for name in (
        "interchange_cache_l1_entries",
        'interchange_cache_lookups_total{tier="l1",outcome="hit"}',
        "interchange_cache_l2_down{} 0",
        "interchange_cache_suspended{} 0",
        "interchange_cache_log_lag_seconds",
        "interchange_cache_writes_waiting",
    ):
        assert name in page, [line for line in page.splitlines() if name.split()[0] in line]


def test_a_server_that_caches_nothing_says_so(tmp_path: Path) -> None:
    with Stack(tmp_path / "data", CONFIG) as stack, stack.client() as client:
        assert client.get("/cache-status").json()["status"] == "off"
        assert client.get("/health").json()["cache"] == "off"
        assert "interchange_cache_l1_entries" not in client.get("/metrics").text
        assert not (tmp_path / "data" / "cache.db").exists()
