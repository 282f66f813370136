"""Pages of every kind, gathered from a server; links never lead our credential elsewhere."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from domain.errors import ToolFailed
from tests.faults.scripted_server import ReceivedRequest
from tests.unit.rest.world import TOKEN, Reply, api, bearer, call

THINGS = list(range(23))


def query_of(request: ReceivedRequest) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(request.target).query).items()}


def by_offset(request: ReceivedRequest) -> Reply:
    query = query_of(request)
    start, size = int(query["offset"]), int(query["limit"])
    return Reply({"things": THINGS[start : start + size]})


def by_page(request: ReceivedRequest) -> Reply:
    query = query_of(request)
    start, size = (int(query["page"]) - 1) * int(query["per"]), int(query["per"])
    return Reply({"things": THINGS[start : start + size]})


def by_cursor(request: ReceivedRequest) -> Reply:
    start = int(query_of(request).get("after", 0))
    end = start + 10
    return Reply({"things": THINGS[start:end], "meta": {"next": str(end) if end < len(THINGS) else ""}})


def by_link(request: ReceivedRequest) -> Reply:
    start = int(query_of(request).get("after", 0))
    end = start + 10
    link = {"Link": f'</list?after={end}>; rel="next"'} if end < len(THINGS) else {}
    return Reply({"things": THINGS[start:end]}, headers=link)


def by_link_in_body(request: ReceivedRequest) -> Reply:
    start = int(query_of(request).get("after", 0))
    end = start + 10
    host = request.header("host")
    return Reply(
        {
            "things": THINGS[start:end],
            "next": f"http://{host}/list?after={end}" if end < len(THINGS) else None,
        }
    )


KINDS: list[tuple[Any, dict[str, Any]]] = [
    (by_offset, {"kind": "offset", "param": "offset", "size_param": "limit", "size": 10}),
    (by_page, {"kind": "page", "param": "page", "first": 1, "size_param": "per", "size": 10}),
    (by_cursor, {"kind": "cursor", "param": "after", "next": "meta.next"}),
    (by_link, {"kind": "link_header"}),
    (by_link_in_body, {"kind": "next_link", "next": "next"}),
]


@pytest.mark.parametrize(("answering", "pagination"), KINDS)
async def test_every_item_comes_once(answering: Any, pagination: dict[str, Any]) -> None:
    async with api(answering) as world:
        tool = {"path": "/list", "pagination": {**pagination, "items": "things"}}
        connector = world.open({"list": tool}, **bearer())

        outcome = await connector.execute(call(connector, "list"))

        assert outcome.value["data"] == THINGS
        assert outcome.value["pages"] == 3
        assert outcome.value["truncated"] is False
        assert outcome.rows == len(THINGS)
        assert {asked.header("authorization") for asked in world.asked} == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize(("answering", "pagination"), KINDS)
async def test_a_bound_on_pages_is_told(answering: Any, pagination: dict[str, Any]) -> None:
    async with api(answering) as world:
        tool = {"path": "/list", "pagination": {**pagination, "items": "things", "pages_max": 2}}
        connector = world.open({"list": tool})

        outcome = await connector.execute(call(connector, "list"))

        assert outcome.value["data"] == THINGS[:20]
        assert outcome.value["truncated"] is True and outcome.truncated


async def test_a_bound_on_items_is_told() -> None:
    async with api(by_cursor) as world:
        pagination = {
            "kind": "cursor",
            "param": "after",
            "next": "meta.next",
            "items": "things",
            "items_max": 12,
        }
        connector = world.open({"list": {"path": "/list", "pagination": pagination}})

        outcome = await connector.execute(call(connector, "list"))

        assert outcome.value["data"] == THINGS[:12]
        assert outcome.truncated


async def test_cursors_may_travel_in_the_body() -> None:
    def answering(request: ReceivedRequest) -> Reply:
        said = json.loads(request.body)
        return Reply({"things": [said["q"]], "next": None if "cursor" in said else "c1"})

    async with api(answering) as world:
        pagination = {"kind": "cursor", "param": "cursor", "place": "body", "next": "next", "items": "things"}
        tool = {
            "method": "POST",
            "path": "/q",
            "body": {"q": "{q}"},
            "pagination": pagination,
            "read_only": True,
        }
        connector = world.open({"ask": tool})

        outcome = await connector.execute(call(connector, "ask", q="x"))

        assert outcome.value["data"] == ["x", "x"]
        assert json.loads(world.asked[1].body) == {"q": "x", "cursor": "c1"}


@pytest.mark.parametrize(
    "link",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://evil.example/list",
        "//evil.example/list",
        "http://127.0.0.1:1/list",
        "http://user:pass@127.0.0.1/list",
        "file:///etc/passwd",
        "http://[::1]/",
        "http://127.0.0.1:99999/",
        "/a b\r\nx",
    ],
)
async def test_a_link_to_another_origin_is_not_followed(link: str) -> None:
    async with api(lambda _: Reply({"things": [1], "next": link})) as world:
        pagination = {"kind": "next_link", "next": "next", "items": "things"}
        connector = world.open({"list": {"path": "/list", "pagination": pagination}}, **bearer())

        with pytest.raises(ToolFailed, match="another origin"):
            await connector.execute(call(connector, "list"))

        assert len(world.asked) == 1


async def test_a_page_that_fails_fails_the_call() -> None:
    def answering(request: ReceivedRequest) -> Reply:
        if "after=20" in request.target:
            return Reply({"message": "gone"}, status="410 Gone")
        return by_cursor(request)

    async with api(answering) as world:
        pagination = {"kind": "cursor", "param": "after", "next": "meta.next", "items": "things"}
        connector = world.open({"list": {"path": "/list", "pagination": pagination}})

        with pytest.raises(ToolFailed, match="410: gone"):
            await connector.execute(call(connector, "list"))


async def test_pages_that_never_end_are_bounded() -> None:
    count = 0

    def answering(request: ReceivedRequest) -> Reply:
        nonlocal count
        count += 1
        return Reply({"things": [count], "next": f"/list?p={count}"})

    async with api(answering) as world:
        pagination = {"kind": "next_link", "next": "next", "items": "things", "pages_max": 7}
        connector = world.open({"list": {"path": "/list", "pagination": pagination}})

        outcome = await connector.execute(call(connector, "list"))

        assert outcome.value["data"] == [1, 2, 3, 4, 5, 6, 7]
        assert count == 7
