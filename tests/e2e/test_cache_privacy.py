"""Who may read kept words, what marks an answer that nobody gave just now, and what hits never go round."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.documented import Document
from tests.e2e.stack import Stack
from tests.e2e.test_admin import new_key, with_key
from tests.e2e.three_wires import CONFIG

CACHED = (
    CONFIG.replace(
        "  assistant: {strategy",
        "  kept: {targets: [alpha/small], cache: {mode: exact}}\n"
        "  mine: {targets: [alpha/small], cache: {mode: exact, scope: user}}\n"
        "  alike: {targets: [alpha/small], cache: {mode: threshold, similarity_threshold: 0.6}}\n"
        "  assistant: {strategy",
        1,
    )
    + "cache: {embedder: hashing}\n"
)
CHAT, API = "/v1/chat/completions", "/api/v1/cache"
DOCUMENT = Document()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data"), CACHED) as running:
        yield running


@pytest.fixture
def owner(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as client:
        yield client


def body(prompt: str, route: str = "kept", **more: Any) -> dict[str, Any]:
    return {"model": route, "messages": [{"role": "user", "content": prompt}], **more}


def ask(client: httpx.Client, prompt: str, route: str = "kept", **headers: str) -> httpx.Response:
    answer = client.post(CHAT, json=body(prompt, route), headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


def words(client: httpx.Client, key: str) -> int:
    """The status of asking for what was asked and answered."""
    answer = client.get(f"{API}/entries/{key}", params={"body": "1"})
    DOCUMENT.check(answer)
    assert (answer.status_code == 200) == ("question" in answer.json())
    return answer.status_code


@pytest.mark.parametrize(
    ("role", "everybodys", "somebodys"),
    [("owner", 200, 200), ("operator", 200, 200), ("developer", 200, 403), ("viewer", 403, 403)],
)
def test_words_are_for_those_who_could_have_got_them_by_asking(
    stack: Stack, owner: httpx.Client, role: str, everybodys: int, somebodys: int
) -> None:
    shared = ask(owner, "what is everybody's?").headers["x-interchange-cache-key"]
    private = ask(owner, "what is mine?", "mine", **{"x-interchange-user-id": "ann"})
    key = private.headers["x-interchange-cache-key"]
    with with_key(stack, new_key(owner, role=role)["key"]) as theirs:
        assert theirs.get(f"{API}/entries/{key}").status_code == 200
        assert words(theirs, shared) == everybodys
        assert words(theirs, key) == somebodys


def test_a_key_limited_to_other_models_reads_no_answers_of_these(stack: Stack, owner: httpx.Client) -> None:
    key = ask(owner, "what is limited?").headers["x-interchange-cache-key"]
    with with_key(stack, new_key(owner, role="developer", allowed_models=["beta/*"])["key"]) as theirs:
        assert words(theirs, key) == 403
    with with_key(stack, new_key(owner, role="developer", allowed_models=["alpha/small"])["key"]) as theirs:
        assert words(theirs, key) == 200


def test_an_explanation_shows_a_similar_question_only_to_who_may_ask(
    stack: Stack, owner: httpx.Client
) -> None:
    ask(owner, "how does a plant turn sunlight into sugar", "alike")

    def candidate(client: httpx.Client) -> Any:
        asked = body("how does a plant turn the sunlight into sugar", "alike")
        answer = client.post(f"{API}/explain", json=asked)
        DOCUMENT.check(answer)
        return answer.json()["similar"]["candidate"]

    with with_key(stack, new_key(owner, role="viewer")["key"]) as theirs:
        shown = candidate(theirs)
        assert shown is not None and shown["question"] is None
    shown = candidate(owner)
    assert shown["question"] == "how does a plant turn sunlight into sugar"
    assert shown["decided_by"] == "similarity" and shown["p_low"] is not None


def test_an_answer_given_for_likeness_alone_says_so(owner: httpx.Client) -> None:
    ask(owner, "which colours does the flag of the old town have", "alike")
    again = ask(owner, "which colours does the flag of the old town have then", "alike")
    assert again.headers["x-interchange-cache"] == "hit-semantic"
    assert again.headers["x-interchange-cache-mode"] == "threshold"
    assert 0.6 <= float(again.headers["x-interchange-cache-similarity"]) < 1


def test_an_answer_that_was_put_there_says_so(owner: httpx.Client) -> None:
    response = {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "so"}, "finish_reason": "stop"}],
    }  # fmt: skip
    line = {"request": body("who says so?"), "response": response}
    done = owner.post(f"{API}/warm", content=httpx.Response(200, json=line).content).json()
    assert done["kept"] == 1
    hit = ask(owner, "who says so?")
    assert (hit.headers["x-interchange-cache"], hit.headers["x-interchange-via"]) == ("hit-l1", "warmed")
    key = hit.headers["x-interchange-cache-key"]
    assert owner.get(f"{API}/entries/{key}").json()["via"] == "warmed"


def test_everything_is_never_one_tenants(owner: httpx.Client) -> None:
    answer = owner.post(f"{API}/invalidate", json={"kind": "everything", "tenant_id": "b"})
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "tenant_id"


def test_a_stopped_agent_and_a_key_that_may_not_call_get_no_hits(stack: Stack, owner: httpx.Client) -> None:
    ask(owner, "stopped?", **{"x-interchange-agent-id": "crawler"})
    assert ask(owner, "stopped?").headers["x-interchange-cache"] == "hit-l1"
    made = owner.post("/api/v1/stops", json={"agent_id": "crawler", "reason": "enough"})
    assert made.status_code == 201, made.text
    refused = owner.post(CHAT, json=body("stopped?"), headers={"x-interchange-agent-id": "crawler"})
    assert refused.status_code == 403 and "x-interchange-cache-key" not in refused.headers
    with with_key(stack, new_key(owner, role="viewer")["key"]) as theirs:
        assert theirs.post(CHAT, json=body("stopped?")).status_code == 403


def test_a_key_limited_to_other_models_gets_no_hits_of_these(stack: Stack, owner: httpx.Client) -> None:
    ask(owner, "limited?")
    with with_key(stack, new_key(owner, role="developer", allowed_models=["beta/*"])["key"]) as theirs:
        assert theirs.post(CHAT, json=body("limited?")).status_code in (403, 404)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-interchange-cache-namespace", "a b"),
        ("x-interchange-cache-namespace", "ä"),
        ("x-interchange-cache-namespace", "n" * 129),
        ("x-interchange-cache-tags", "a,b c"),
        ("x-interchange-cache-tags", ",".join("abcdefghijklmnopq")),
        ("x-interchange-cache-ttl", "1e9"),
        ("x-interchange-cache-ttl", "nan"),
        ("x-interchange-cache", "no-store, everything"),
    ],
)
def test_odd_wishes_are_refused_and_name_their_header(owner: httpx.Client, name: str, value: str) -> None:
    answer = owner.post(CHAT, json=body("odd?"), headers=[(name.encode(), value.encode())])
    assert answer.status_code == 400 and answer.json()["error"]["param"] == name


@pytest.mark.parametrize(
    "wanted",
    [
        {"kind": "tag", "value": "x" * 513},
        {"kind": "prompt", "value": "   "},
        {"kind": "prompt", "value": "p" * 100_000},
        {"kind": "entry", "value": "zz"},
        {"kind": "tenant", "value": "x"},
        {"kind": "tag", "value": ""},
        {"kind": "tag", "value": "x", "tenant_id": ""},
        {"kind": "radius", "text": "x", "similarity": 2},
        {"kind": "radius", "value": "0.9:hashing:00", "text": "x", "similarity": 0.9},
        {"kind": "radius", "text": "x" * 20_001, "similarity": 0.9},
    ],
)
def test_invalidations_of_odd_values_are_refused(owner: httpx.Client, wanted: dict[str, Any]) -> None:
    answer = owner.post(f"{API}/invalidate", json=wanted)
    DOCUMENT.check(answer)
    assert answer.status_code == 400, answer.text


def test_a_public_page_tells_nothing_of_tenants_and_questions(stack: Stack) -> None:
    shown = httpx.get(f"{stack.url}/cache-status", timeout=20).json()
    assert set(shown) == {"status", "mode", "routes", "suspended", "l1", "l2", "semantic"}
