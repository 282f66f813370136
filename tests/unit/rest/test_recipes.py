"""Recipes against stand-ins that behave as the docs of each API say."""

import base64
import json
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from adapters.rest.connector import RestConnector
from domain.errors import IntegrationUnavailable, ToolFailed
from tests.faults.scripted_server import ReceivedRequest
from tests.unit.rest.world import TOKEN, Api, Reply, api, call


def query(request: ReceivedRequest) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(request.target).query).items()}


def path(request: ReceivedRequest) -> str:
    return urlsplit(request.target).path


def opened(world: Api, recipe: str, **more: Any) -> RestConnector:
    field = "password" if recipe == "jira" else "token"
    configuration: dict[str, Any] = {"recipe": recipe, "retries": {"max": 0}, **more}
    return world.open({}, secrets={field: TOKEN}, **configuration)


def github(request: ReceivedRequest) -> Reply:
    if request.header("authorization") != f"Bearer {TOKEN}" or not request.header("user-agent"):
        return Reply({"message": "Bad credentials"}, status="401 Unauthorized")
    if request.header("x-github-api-version") != "2022-11-28":
        return Reply({"message": "which version?"}, status="400 Bad Request")
    if path(request) == "/rate_limit":
        return Reply({"rate": {"remaining": 1}})
    if path(request) == "/repos/o/r/issues" and request.method == "GET":
        page = int(query(request).get("page", 1))
        host = request.header("host")
        link = f'<http://{host}/repos/o/r/issues?page={page + 1}&per_page=100>; rel="next"'
        return Reply([{"number": page}], headers={"Link": link} if page < 3 else {})
    if request.method == "POST":
        return Reply(json.loads(request.body), status="201 Created")
    return Reply(
        {"message": "API rate limit exceeded"},
        status="403 Forbidden",
        headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "99999999999"},
    )


async def test_github() -> None:
    async with api(github) as world:
        connector = opened(world, "github")

        assert (await connector.check())["status"] == 200
        issues = await connector.execute(call(connector, "list_issues", owner="o", repo="r"))
        made = await connector.execute(
            call(connector, "create_issue", owner="o", repo="r", title="t", labels=["bug"])
        )
        with pytest.raises(IntegrationUnavailable) as limited:
            await connector.execute(call(connector, "get_repository", owner="o", repo="other"))

        assert issues.value["data"] == [{"number": 1}, {"number": 2}, {"number": 3}]
        assert query(world.asked[1]) == {"state": "open", "per_page": "100"}
        assert made.value["data"] == {"title": "t", "labels": ["bug"]}
        assert limited.value.retry_after_s == 3600


def slack(request: ReceivedRequest) -> Reply:
    if request.header("authorization") != f"Bearer {TOKEN}":
        return Reply({"ok": False, "error": "invalid_auth"})
    if path(request) == "/conversations.list":
        first = "cursor" not in query(request)
        return Reply(
            {
                "ok": True,
                "channels": [{"id": "C1" if first else "C2"}],
                "response_metadata": {"next_cursor": "abc=" if first else ""},
            }
        )
    if path(request) == "/auth.test":
        return Reply({"ok": True})
    said = json.loads(request.body)
    if said["channel"] == "C9":
        return Reply({"ok": False, "error": "channel_not_found"})
    return Reply({"ok": True, "ts": "1.2", "message": said})


async def test_slack() -> None:
    async with api(slack) as world:
        connector = opened(world, "slack")

        await connector.check()
        channels = await connector.execute(call(connector, "list_channels"))
        posted = await connector.execute(call(connector, "post_message", channel="C1", text="hi"))
        with pytest.raises(ToolFailed, match="channel_not_found"):
            await connector.execute(call(connector, "post_message", channel="C9", text="hi"))

        assert channels.value["data"] == [{"id": "C1"}, {"id": "C2"}]
        assert query(world.asked[2])["cursor"] == "abc="
        assert posted.value["data"]["message"] == {"channel": "C1", "text": "hi"}


async def test_slack_refuses_with_200() -> None:
    async with api(slack) as world:
        connector = world.open({}, secrets={"token": "xoxb-another-token"}, recipe="slack")

        with pytest.raises(IntegrationUnavailable):
            await connector.check()
        with pytest.raises(IntegrationUnavailable, match="credential"):
            await connector.execute(call(connector, "post_message", channel="C1", text="hi"))


def stripe(request: ReceivedRequest) -> Reply:
    if path(request) == "/v1/customers" and request.method == "GET":
        first = "starting_after" not in query(request)
        return Reply({"object": "list", "data": [{"id": "cus_1" if first else "cus_2"}], "has_more": first})
    if path(request) == "/v1/payment_intents":
        form = parse_qsl(request.body.decode())
        return Reply({"form": form, "key": request.header("idempotency-key")})
    return Reply({"error": {"type": "card_error", "message": "No such customer"}}, status="404 Not Found")


async def test_stripe() -> None:
    async with api(stripe) as world:
        connector = opened(world, "stripe")

        customers = await connector.execute(call(connector, "list_customers"))
        paid = await connector.execute(
            call(
                connector,
                "create_payment_intent",
                key="order-1",
                amount=500,
                currency="eur",
                metadata={"order": "1"},
            )
        )
        with pytest.raises(ToolFailed, match="404: No such customer"):
            await connector.execute(call(connector, "get_customer", customer="cus_9"))

        assert customers.value["data"] == [{"id": "cus_1"}, {"id": "cus_2"}]
        assert query(world.asked[1]) == {"starting_after": "cus_1", "limit": "100"}
        assert paid.value["data"] == {
            "form": [["amount", "500"], ["currency", "eur"], ["metadata[order]", "1"]],
            "key": "order-1",
        }


def jira(request: ReceivedRequest) -> Reply:
    pair = base64.b64encode(f"me@example.org:{TOKEN}".encode()).decode()
    if request.header("authorization") != f"Basic {pair}":
        return Reply(status="401 Unauthorized")
    if path(request) == "/rest/api/3/search/jql":
        first = "nextPageToken" not in query(request)
        more = {"nextPageToken": "t2"} if first else {}
        return Reply({"issues": [{"key": "A-1" if first else "A-2"}], **more})
    if path(request) == "/rest/api/3/project/search":
        start = int(query(request)["startAt"])
        return Reply({"values": [{"key": f"P{start}"}], "total": 2, "startAt": start})
    if path(request).endswith("/transitions") and request.method == "GET":
        return Reply({"transitions": [{"id": "11", "name": "Go", "to": {"name": "Done", "id": "3"}}]})
    if path(request).endswith("/transitions"):
        return Reply(raw=b"", status="204 No Content")
    if request.method == "POST":
        return Reply(json.loads(request.body), status="201 Created")
    return Reply({"errorMessages": ["Issue does not exist"], "errors": {}}, status="404 Not Found")


async def test_jira() -> None:
    async with api(jira) as world:
        connector = opened(world, "jira", authentication={"type": "basic", "username": "me@example.org"})

        found = await connector.execute(call(connector, "search_issues", jql="project = A"))
        projects = await connector.execute(call(connector, "list_projects"))
        steps = await connector.execute(call(connector, "list_transitions", issue="A-1"))
        moved = await connector.execute(call(connector, "transition_issue", issue="A-1", transition="11"))
        made = await connector.execute(call(connector, "create_issue", project="A", summary="s"))
        with pytest.raises(ToolFailed, match="404: Issue does not exist"):
            await connector.execute(call(connector, "get_issue", issue="A-9"))

        assert found.value["data"] == [{"key": "A-1"}, {"key": "A-2"}]
        assert projects.value["data"] == [{"key": "P0"}, {"key": "P1"}]
        assert steps.value["data"] == [{"id": "11", "name": "Go", "to": "Done"}]
        assert moved.value == {"status": 204, "data": None}
        fields = made.value["data"]["fields"]
        assert (fields["project"], fields["issuetype"]) == ({"key": "A"}, {"name": "Task"})
        assert "labels" not in fields


async def test_any_json_api() -> None:
    def echo(request: ReceivedRequest) -> Reply:
        return Reply([request.method, request.target, request.body.decode()])

    async with api(echo) as world:
        connector = world.open({}, recipe="json_api", endpoint=f"{world.url}/base")

        got = await connector.execute(call(connector, "get", path="a/b c", query={"x": [1, 2], "y": True}))
        put = await connector.execute(call(connector, "put", path="a", body=[1, {"b": None}]))
        gone = await connector.execute(call(connector, "delete", path="a"))

        assert got.value["data"] == ["GET", "/base/a/b%20c?x=1&x=2&y=true", ""]
        assert put.value["data"] == ["PUT", "/base/a", '[1,{"b":null}]']
        assert gone.value["data"] == ["DELETE", "/base/a", ""]
        assert {tool.name: tool.destructive for tool in connector.tools} == {
            "get": False,
            "post": False,
            "put": True,
            "patch": False,
            "delete": True,
        }
