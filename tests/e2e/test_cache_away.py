"""The cache's shared part is away: callers notice nothing, operators are told."""

from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.documented import Document
from tests.e2e.stack import Stack
from tests.e2e.three_wires import CONFIG, eventually

AWAY = (
    CONFIG + "cache: {mode: exact, embedder: hashing}\n"
    'storage: {redis_url: "redis://127.0.0.1:1/0", redis_connect_timeout_s: 0.1}\n'
)
BODY = {"model": "alpha/small", "messages": [{"role": "user", "content": "hello"}]}
DOCUMENT = Document()


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data"), AWAY) as running:
        yield running


@pytest.fixture
def client(away: Stack) -> Iterator[httpx.Client]:
    with away.client() as http:
        yield http


def test_requests_are_answered_and_the_pages_say_degraded(client: httpx.Client) -> None:
    for _ in range(5):
        assert client.post("/v1/chat/completions", json=BODY).status_code == 200

    eventually(lambda: client.get("/cache-status").json()["status"] == "degraded")
    page = DOCUMENT.check(client.get("/cache-status")).json()
    assert page["l2"]["status"] == "down" and page["process"]["l2"]["store"] is None
    health = client.get("/health").json()
    assert (health["status"], health["cache"]) == ("degraded", "degraded")


def test_an_invalidation_that_cannot_be_told_is_an_error_that_may_be_repeated(client: httpx.Client) -> None:
    answer = client.post("/api/v1/cache/invalidate", json={"kind": "tenant"})

    DOCUMENT.check(answer)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_unavailable")


def test_explaining_and_looking_go_on(client: httpx.Client) -> None:
    explained = DOCUMENT.check(client.post("/api/v1/cache/explain", json=BODY)).json()

    assert explained["cache"] in ("miss", "hit-l1")
    assert DOCUMENT.check(client.get("/api/v1/cache")).json()["status"] == "degraded"
    assert DOCUMENT.check(client.get(f"/api/v1/cache/entries/{'ab' * 32}")).status_code == 404
