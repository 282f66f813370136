"""A REST API as an integration of a whole server: made, found, called, cached, paged, refused, stopped."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.e2e.stack import Stack
from tests.faults.scripted_server import ReceivedRequest, ScriptedPeer, ScriptedServer

CONFIG = """
profile: embedded
simulator: {enabled: false}
egress:
  allow: [127.0.0.1]
"""
ROOT = "/api/v1/integrations"
SECRET = "client-secret-0123456789"
TOKEN = "token-for-things-1"
TOOLS: dict[str, Any] = {
    "get_thing": {
        "description": "One thing.",
        "path": "/things/{id}",
        "cache_ttl_s": 60,
        "parameters": {
            "type": "object",
            "properties": {"id": {"type": "integer"}},
            "required": ["id"],
            "additionalProperties": False,
        },
        "examples": [{"id": 1}],
    },
    "list_things": {"path": "/things", "pagination": {"kind": "link_header"}},
    "make_thing": {"method": "POST", "path": "/things", "body": {"name": "{name}"}},
    "slow": {"path": "/slow"},
    "moved": {"path": "/moved"},
    "broken": {"path": "/broken"},
}


class Upstream:
    """Things behind OAuth, on a thread of its own."""

    def __init__(self) -> None:
        self.seen: list[ReceivedRequest] = []
        self.left = 0
        self.port = 0

    def answer(self, request: ReceivedRequest) -> tuple[str, Any, str]:
        if request.target == "/token":
            good = parse_qs(request.body.decode()).get("client_secret") == [SECRET]
            said = {"access_token": TOKEN, "expires_in": 3600} if good else {"error": "invalid_client"}
            return ("200 OK" if good else "401 Unauthorized"), said, ""
        if request.header("authorization") != f"Bearer {TOKEN}":
            return "401 Unauthorized", {"message": "who?"}, ""
        path, query = urlsplit(request.target).path, parse_qs(urlsplit(request.target).query)
        if path == "/moved":
            return "302 Found", {}, "Location: http://169.254.169.254/latest/meta-data/\r\n"
        if path == "/broken":
            return "500 Oops", {"message": f"failed with {TOKEN}"}, ""
        if path == "/things" and request.method == "GET":
            page = int(query.get("page", ["1"])[0])
            link = f'Link: </things?page={page + 1}>; rel="next"\r\n' if page < 3 else ""
            return "200 OK", [{"id": page}], link
        if request.method == "POST":
            return "201 Created", json.loads(request.body), ""
        return "200 OK", {"path": path}, ""

    async def script(self, peer: ScriptedPeer) -> None:
        while True:
            request = await peer.request(wait_s=60)
            self.seen.append(request)
            if request.target == "/slow":
                await peer.gone(wait_s=30)
                self.left += 1
                return
            status, body, headers = self.answer(request)
            lines = f"Content-Type: application/json\r\n{headers}"
            await peer.answer(json.dumps(body).encode(), status=status, headers=lines)


@contextmanager
def upstream() -> Iterator[Upstream]:
    served = Upstream()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve(ready: "asyncio.Future[None]") -> None:
        async with ScriptedServer(served.script) as server:
            served.port = server.port
            ready.set_result(None)
            await stop.wait()

    ready: asyncio.Future[None] = loop.create_future()
    task = loop.create_task(serve(ready))
    loop.run_until_complete(ready)
    thread = Thread(target=loop.run_until_complete, args=(task,), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


@pytest.fixture(scope="module")
def things() -> Iterator[Upstream]:
    with upstream() as served:
        yield served


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    directory = tmp_path_factory.mktemp("data")
    with Stack(directory / "data", CONFIG) as running, running.client() as client:
        yield client


def body(name: str, things: Upstream, **more: Any) -> dict[str, Any]:
    url = f"http://127.0.0.1:{things.port}"
    authentication = {
        "type": "oauth2_client_credentials",
        "token_url": f"{url}/token",
        "client_id": "me",
        "client_secret": more.pop("secret", SECRET),
        "auth_style": "body",
    }
    configuration = {"endpoint": url, "authentication": authentication, "tools": TOOLS, **more}
    return {"integration_id": name, "type": "api", "configuration": configuration}


@pytest.fixture(scope="module")
def shop(api: httpx.Client, things: Upstream) -> str:
    answer = api.post(ROOT, json=body("shop", things))
    assert answer.status_code == 201, answer.text
    assert SECRET not in answer.text
    return "shop"


def execute(api: httpx.Client, tool: str, timeout_s: float = 10.0, **parameters: Any) -> httpx.Response:
    asked = {
        "integration_id": "shop",
        "tool_name": tool,
        "parameters": parameters,
        "timeout_seconds": timeout_s,
    }
    return api.post("/api/v1/tools/execute", json=asked, timeout=30)


def test_a_declared_request_is_a_tool_that_is_found_and_run(api: httpx.Client, shop: str) -> None:
    listed = api.get("/api/v1/tools").json()["tools"]

    first = execute(api, "get_thing", id=7)
    again = execute(api, "get_thing", id=7)

    assert {tool["tool_name"] for tool in listed if tool["integration_id"] == shop} == set(TOOLS)
    assert first.status_code == 200, first.text
    assert first.json()["result"] == {"status": 200, "data": {"path": "/things/7"}}
    assert (first.json()["cached"], again.json()["cached"]) == (False, True)


def test_pages_are_gathered(api: httpx.Client, shop: str) -> None:
    result = execute(api, "list_things").json()["result"]

    assert result["data"] == [{"id": 1}, {"id": 2}, {"id": 3}]
    assert (result["pages"], result["truncated"]) == (3, False)


def test_parameters_are_compared_with_the_schema_first(
    api: httpx.Client, shop: str, things: Upstream
) -> None:
    before = len(things.seen)

    answer = execute(api, "get_thing", id="7/../../admin")

    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == "parameters.id"
    assert len(things.seen) == before


def test_a_call_that_takes_too_long_is_408_and_ends_outside(
    api: httpx.Client, shop: str, things: Upstream
) -> None:
    left = things.left

    answer = execute(api, "slow", timeout_s=1)

    assert answer.status_code == 408, answer.text
    assert execute(api, "make_thing", name="after").status_code == 200
    assert things.left == left + 1


def test_a_redirect_to_a_metadata_address_leads_nowhere(api: httpx.Client, shop: str) -> None:
    answer = execute(api, "moved")

    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "tool_failed"


def test_a_failure_outside_is_told_without_our_token(api: httpx.Client, shop: str) -> None:
    answer = execute(api, "broken")

    assert answer.status_code == 502
    assert "500" in answer.text and TOKEN not in answer.text


def test_a_wrong_secret_makes_no_integration(api: httpx.Client, things: Upstream) -> None:
    answer = api.post(ROOT, json=body("wrong", things, secret="another-secret-12345"))

    assert answer.status_code == 503
    assert "another-secret-12345" not in answer.text
    assert api.get(f"{ROOT}/wrong").status_code == 404


def test_a_mistake_is_told_with_its_place(api: httpx.Client, things: Upstream) -> None:
    answer = api.post(ROOT, json=body("wrong", things, tools={"a": {"path": "/a?x={y}"}}))

    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "invalid_configuration"
    assert answer.json()["error"]["param"] == "configuration.tools.a.path"


def test_a_secret_is_not_sent_to_another_token_address(
    api: httpx.Client, shop: str, things: Upstream
) -> None:
    change = body(shop, things)
    del change["integration_id"], change["configuration"]["authentication"]["client_secret"]
    change["configuration"]["authentication"]["token_url"] = "https://evil.example/token"

    answer = api.put(f"{ROOT}/{shop}", json=change)

    assert answer.status_code == 422
    assert "client_secret" in answer.json()["error"]["param"]
