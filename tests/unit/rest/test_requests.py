"""What is sent: parameters in their places, credentials at their host, nothing else anywhere."""

import asyncio
import base64
import hashlib
import json
from typing import Any
from urllib.parse import parse_qsl

import pytest

from domain.connectors.rest.signing import signature
from domain.errors import InvalidParameters
from tests.faults.scripted_server import ReceivedRequest
from tests.unit.rest.world import TOKEN, Reply, api, bearer, call

EVERYWHERE: dict[str, Any] = {
    "method": "POST",
    "path": "/things/{id}",
    "query": {"q": "{q}", "fixed": "1", "tags": "{tags}"},
    "headers": {"x-note": "n {note}"},
    "cookies": {"c": "{cookie}"},
    "body": {"name": "{name}", "all": "{*}"},
}


def echo(request: ReceivedRequest) -> Reply:
    return Reply({"target": request.target, "body": request.body.decode(), "method": request.method})


async def test_parameters_go_to_their_places() -> None:
    async with api(echo) as world:
        connector = world.open({"make": EVERYWHERE}, headers={"x-fixed": "yes"})
        given: dict[str, Any] = {
            "id": 7,
            "q": "a&b=c",
            "tags": ["x", "y"],
            "note": "hi",
            "cookie": "a;b",
            "name": ["n"],
        }

        outcome = await connector.execute(call(connector, "make", **given, more=True))

        [asked] = world.asked
        assert outcome.value["status"] == 200
        path, _, query = asked.target.partition("?")
        assert path == "/things/7"
        assert parse_qsl(query) == [("q", "a&b=c"), ("fixed", "1"), ("tags", "x"), ("tags", "y")]
        assert asked.header("x-note") == "n hi"
        assert asked.header("x-fixed") == "yes"
        assert asked.header("cookie") == "c=a%3Bb"
        assert json.loads(asked.body) == {"name": ["n"], "all": {"more": True}}
        assert asked.header("accept-encoding") == "identity"


@pytest.mark.parametrize("place", ["id", "q", "note", "cookie", "name"])
async def test_line_breaks_make_no_second_header_or_request(place: str) -> None:
    attack = "x\r\nX-Evil: 1\r\n\r\nGET /evil HTTP/1.1\r\n"
    async with api(echo) as world:
        connector = world.open({"make": EVERYWHERE})
        given: dict[str, Any] = {"id": "1", "q": "q", "note": "n", "cookie": "c", "name": "n", place: attack}

        try:
            await connector.execute(call(connector, "make", **given))
        except InvalidParameters as refused:
            assert refused.param == f"parameters.{place}"
            assert world.asked == []
        else:
            [asked] = world.asked
            assert asked.header("x-evil") is None
            assert "\r" not in asked.target


async def test_defaults_of_the_schema_are_sent() -> None:
    tool = {
        "path": "/x",
        "query": {"state": "{state}"},
        "parameters": {"type": "object", "properties": {"state": {"type": "string", "default": "open"}}},
    }
    async with api(echo) as world:
        connector = world.open({"list": tool})

        await connector.execute(call(connector, "list"))
        await connector.execute(call(connector, "list", state="all"))

        assert [asked.target for asked in world.asked] == ["/x?state=open", "/x?state=all"]


async def test_forms_write_objects_in_brackets() -> None:
    tool = {"method": "POST", "path": "/f", "content_type": "form", "arrays": "brackets", "body": "{body}"}
    async with api(echo) as world:
        connector = world.open({"send": tool})
        body = {"a": 1, "m": {"k": "v w"}, "l": [1, True], "d": [{"x": 1}], "n": None}

        await connector.execute(call(connector, "send", body=body))

        [asked] = world.asked
        assert asked.header("content-type") == "application/x-www-form-urlencoded"
        assert parse_qsl(asked.body.decode()) == [
            ("a", "1"),
            ("m[k]", "v w"),
            ("l[]", "1"),
            ("l[]", "true"),
            ("d[0][x]", "1"),
        ]


async def test_the_base_path_stands_before_every_path() -> None:
    async with api(echo) as world:
        connector = world.open({"a": {"path": "/a"}}, endpoint=f"{world.url}/v1/")

        await connector.execute(call(connector, "a"))

        assert world.asked[0].target == "/v1/a"


async def test_a_key_of_idempotency_is_the_callers_or_the_requests() -> None:
    tool = {"method": "POST", "path": "/p", "idempotency_header": "Idempotency-Key"}
    async with api(echo) as world:
        connector = world.open({"pay": tool})

        await connector.execute(call(connector, "pay"))
        await connector.execute(call(connector, "pay", key="mine"))

        assert [asked.header("idempotency-key") for asked in world.asked] == ["req_1", "mine"]
        assert connector.tools[0].idempotent


CREDENTIALS: list[tuple[dict[str, Any], dict[str, str], str, str]] = [
    ({"type": "api_key", "name": "X-Key"}, {"key": TOKEN}, "x-key", TOKEN),
    (
        {"type": "api_key", "name": "authorization", "prefix": "Token "},
        {"key": TOKEN},
        "authorization",
        f"Token {TOKEN}",
    ),
    ({"type": "bearer"}, {"token": TOKEN}, "authorization", f"Bearer {TOKEN}"),
    (
        {"type": "basic", "username": "me"},
        {"password": TOKEN},
        "authorization",
        "Basic " + base64.b64encode(f"me:{TOKEN}".encode()).decode(),
    ),
]


@pytest.mark.parametrize(("authentication", "secrets", "header", "value"), CREDENTIALS)
async def test_credentials_are_put_in_when_a_request_is_sent(
    authentication: dict[str, Any], secrets: dict[str, str], header: str, value: str
) -> None:
    async with api(echo) as world:
        connector = world.open({"a": {"path": "/a"}}, authentication=authentication, secrets=secrets)

        await connector.execute(call(connector, "a"))

        assert world.asked[0].header(header) == value


async def test_a_key_in_the_query_stands_there_once() -> None:
    async with api(echo) as world:
        authentication = {"type": "api_key", "in": "query", "name": "key"}
        connector = world.open(
            {"a": {"path": "/a", "query": {"key": "{key}", "q": "{q}"}}},
            authentication=authentication,
            secrets={"key": "a+b&c/12345"},
        )

        outcome = await connector.execute(call(connector, "a", q="1", key="theirs"))

        assert world.asked[0].target == "/a?q=1&key=a%2Bb%26c%2F12345"
        assert outcome.value["data"]["target"] == "/a?q=1&key=[redacted]"


async def test_signed_requests_carry_a_signature_over_what_they_are() -> None:
    authentication = {
        "type": "hmac",
        "header": "x-sig",
        "value": "v1={signature}",
        "signed": "{timestamp}.{method}.{target}.{body_sha256}.{body}",
    }
    tool = {"method": "POST", "path": "/s", "query": {"q": "{q}"}, "body": {"a": "{a}"}}
    async with api(echo) as world:
        connector = world.open({"send": tool}, authentication=authentication, secrets={"key": TOKEN})

        await connector.execute(call(connector, "send", q="1", a=2))

        [asked] = world.asked
        body = asked.body.decode()
        digest = hashlib.sha256(asked.body).hexdigest()
        signed = f"{asked.header('x-timestamp')}.POST./s?q=1.{digest}.{body}"
        expected = signature(TOKEN.encode(), "sha256", signed.encode(), encoding="hex")
        assert asked.header("x-sig") == f"v1={expected}"


async def test_our_own_pace_makes_callers_wait_or_go() -> None:
    async with api(echo) as world:
        limit = {"requests": 1, "per_s": 3600, "burst": 2, "wait_s_max": 0}
        connector = world.open({"a": {"path": "/a"}}, rate_limit=limit)
        calls = [connector.execute(call(connector, "a")) for _ in range(3)]

        outcomes = await asyncio.gather(*calls, return_exceptions=True)

        refused = [each for each in outcomes if isinstance(each, BaseException)]
        assert len(world.asked) == 2
        assert [type(each).__name__ for each in refused] == ["IntegrationUnavailable"]
        assert 0 < getattr(refused[0], "retry_after_s", 0) <= 3600


async def test_an_echoed_credential_is_blotted_out() -> None:
    def telltale(request: ReceivedRequest) -> Reply:
        return Reply({"headers": {"authorization": request.header("authorization")}})

    async with api(telltale) as world:
        connector = world.open({"a": {"path": "/a"}}, **bearer())

        outcome = await connector.execute(call(connector, "a"))

        assert outcome.value["data"] == {"headers": {"authorization": "Bearer [redacted]"}}
