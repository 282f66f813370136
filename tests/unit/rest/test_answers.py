"""Answers that are bad, huge, deep, packed, cut, or lead elsewhere."""

import gzip
import json
import zlib
from typing import Any

import pytest

from adapters.rest.expressions import expression
from domain.connectors.tool import RESULT_BYTES_MAX
from domain.errors import IntegrationUnavailable, ToolFailed
from tests.faults.scripted_server import ReceivedRequest, ScriptedPeer, ScriptedServer
from tests.unit.rest.world import TOKEN, Reply, api, bearer, call, opened

GET: dict[str, Any] = {"a": {"path": "/a"}}


async def failure(reply: Reply, tool: dict[str, Any] | None = None) -> ToolFailed:
    async with api(lambda _: reply) as world:
        connector = world.open({"a": tool or {"path": "/a"}}, retries={"max": 0}, **bearer())
        with pytest.raises(ToolFailed) as caught:
            await connector.execute(call(connector, "a"))
        return caught.value


async def answer(reply: Reply, tool: dict[str, Any] | None = None) -> Any:
    async with api(lambda _: reply) as world:
        connector = world.open({"a": tool or {"path": "/a"}}, **bearer())
        return (await connector.execute(call(connector, "a"))).value["data"]


@pytest.mark.parametrize(
    ("reply", "data"),
    [
        (Reply({"a": 1}), {"a": 1}),
        (Reply(raw=b"\xef\xbb\xbf[1]"), [1]),
        (
            Reply(raw=b'{"a":1}', headers={"Content-Type": "application/problem+json; charset=utf-8"}),
            {"a": 1},
        ),
        (Reply(raw=b"hello", headers={"Content-Type": "text/plain"}), "hello"),
        (
            Reply(raw=b"\x00\xff", headers={"Content-Type": "image/png"}),
            {"content_type": "image/png", "base64": "AP8="},
        ),
        (Reply(raw=b"", status="204 No Content"), None),
        (Reply(raw=gzip.compress(b'{"a":1}'), headers={"Content-Encoding": "gzip"}), {"a": 1}),
        (Reply(raw=zlib.compress(b"[2]"), headers={"Content-Encoding": "deflate"}), [2]),
    ],
)
async def test_answers_are_read_by_their_type(reply: Reply, data: Any) -> None:
    assert await answer(reply) == data


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(raw=b"x" * (RESULT_BYTES_MAX + 1)), "larger than"),
        (
            Reply(raw=gzip.compress(b" " * (RESULT_BYTES_MAX + 1)), headers={"Content-Encoding": "gzip"}),
            "larger than",
        ),
        (Reply(raw=gzip.compress(b"{}")[:-4], headers={"Content-Encoding": "gzip"}), "cut"),
        (Reply(raw=b"no gzip", headers={"Content-Encoding": "gzip"}), "damaged"),
        (Reply(raw=b"{}", headers={"Content-Encoding": "br"}), "not asked for"),
        (Reply(raw=b"[" * 5000 + b"]" * 5000), "nested deeper"),
        (Reply(raw=b"[" + b"1," * 1_100_000 + b"1]"), "more than"),
        (Reply(raw=b"{"), "is not"),
        (Reply(raw=b'{"a": "\xff"}'), "is not"),
    ],
)
async def test_what_cannot_be_taken_is_refused(reply: Reply, said: str) -> None:
    assert said in (await failure(reply)).message


async def test_an_answer_that_is_cut_is_no_answer() -> None:
    async def cutting(peer: ScriptedPeer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        peer.close()

    async with api(lambda _: Reply()) as world, ScriptedServer(cutting) as server:
        configuration = {"endpoint": f"http://127.0.0.1:{server.port}", "tools": GET, "retries": {"max": 0}}
        connector = opened(configuration, transport=world.transport)

        with pytest.raises(ToolFailed, match="not whole"):
            await connector.execute(call(connector, "a"))


async def test_who_never_answers_is_given_up() -> None:
    async def silent(peer: ScriptedPeer) -> None:
        await peer.request()
        await peer.gone()

    async with api(lambda _: Reply()) as world, ScriptedServer(silent) as server:
        configuration = {
            "endpoint": f"http://127.0.0.1:{server.port}",
            "tools": GET,
            "request_timeout_s": 0.05,
            "retries": {"max": 1, "base_s": 0.01},
        }
        connector = opened(configuration, transport=world.transport)

        with pytest.raises(IntegrationUnavailable):
            await connector.execute(call(connector, "a"))

        await server.left(2)


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/",
        "https://evil.example/",
        "//evil.example/x",
        "http://127.0.0.1:1/",
        "",
        "\\\\x",
    ],
)
async def test_redirects_elsewhere_are_not_followed(location: str) -> None:
    async with api(lambda _: Reply(status="302 Found", headers={"Location": location})) as world:
        connector = world.open(GET, **bearer())

        with pytest.raises(ToolFailed):
            await connector.execute(call(connector, "a"))

        assert len(world.asked) <= 4
        assert world.server.connections == 1


async def test_a_redirect_within_the_origin_is_followed_for_reading_only() -> None:
    def moved(request: ReceivedRequest) -> Reply:
        if request.target == "/b?x=1":
            return Reply({"here": True})
        return Reply(status="307 Temporary Redirect", headers={"Location": "/b?x=1"})

    async with api(moved) as world:
        connector = world.open({**GET, "p": {"method": "POST", "path": "/a"}}, **bearer())

        outcome = await connector.execute(call(connector, "a"))
        with pytest.raises(ToolFailed, match="redirect"):
            await connector.execute(call(connector, "p"))

        assert outcome.value["data"] == {"here": True}
        assert world.asked[1].header("authorization") == f"Bearer {TOKEN}"
        assert len(world.asked) == 3


async def test_redirects_in_a_circle_end() -> None:
    async with api(lambda _: Reply(status="302 Found", headers={"Location": "/a"})) as world:
        connector = world.open(GET)

        with pytest.raises(ToolFailed, match="redirect"):
            await connector.execute(call(connector, "a"))

        assert len(world.asked) == 4


@pytest.mark.parametrize(
    ("body", "tool", "said"),
    [
        ({"message": "no such thing"}, {}, ": no such thing"),
        ({"error": {"message": "deep"}}, {}, ": deep"),
        ({"errors": [{"detail": "first"}]}, {}, ": first"),
        ({"x": {"why": "there"}}, {"response": {"error": "x.why"}}, ": there"),
        ({"message": f"you sent {TOKEN}"}, {}, ": you sent [redacted]"),
        ({"message": "a" * 5000}, {}, ": " + "a" * 300),
        ({"message": "two\r\nlines"}, {}, ": two lines"),
        ({"message": {"a": 1}}, {}, ""),
        ("<html><body>secret page</body></html>", {}, ""),
        (None, {}, ""),
    ],
)
async def test_a_refusal_says_why_in_one_clean_line(body: Any, tool: dict[str, Any], said: str) -> None:
    error = await failure(Reply(body, status="422 No"), {"path": "/a", **tool})

    assert error.message == f"the other side answered 422{said}"
    assert error.details == {"status": 422}


async def test_a_success_can_be_a_failure_all_the_same() -> None:
    tool = {
        "path": "/a",
        "response": {
            "failed": "ok == `false`",
            "error": "error",
            "credential_refused": "error == 'invalid_auth'",
        },
    }

    assert (await failure(Reply({"ok": False, "error": "not_in_channel"}), tool)).message.endswith(
        "refused it: not_in_channel"
    )
    async with api(lambda _: Reply({"ok": False, "error": "invalid_auth"})) as world:
        connector = world.open({"a": tool})
        with pytest.raises(IntegrationUnavailable, match="credential"):
            await connector.execute(call(connector, "a"))


async def test_an_answer_has_to_keep_its_schema() -> None:
    schema = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}
    tool = {"path": "/a", "response": {"schema": schema}}

    assert await answer(Reply({"id": 1}), tool) == {"id": 1}
    error = await failure(Reply({"id": "confidential"}), tool)
    assert "id breaks 'type'" in error.message and "confidential" not in error.message


async def test_what_is_wanted_is_taken_out() -> None:
    tool = {"path": "/a", "response": {"select": "items[?open].{n: name, first: tags[0]}"}}
    items = [{"name": "x", "open": True, "tags": ["t"]}, {"name": "y", "open": False}]

    assert await answer(Reply({"items": items}), tool) == [{"n": "x", "first": "t"}]


async def test_large_answers_are_read_beside_the_loop() -> None:
    rows = [{"name": "x" * 100, "n": number} for number in range(20_000)]
    tool = {"path": "/a", "response": {"select": "[].n"}}

    assert await answer(Reply(rows), tool) == list(range(20_000))


async def test_a_selection_that_does_not_fit_the_answer_is_a_failure() -> None:
    error = await failure(Reply({"a": "text"}), {"path": "/a", "response": {"select": "sum(a)"}})

    assert "JMESPath" in error.message and "text" not in error.message


@pytest.mark.parametrize(
    "text",
    [
        "[@,@]" + "|[@,@]" * 10,
        "[@,@,@,@,@,@,@,@,@] | [@,@,@,@,@,@,@,@,@]",
        "a[",
        "x" * 5000,
        "[" * 900 + "]" * 900,
    ],
)
def test_expressions_that_make_much_of_little_are_not_taken(text: str) -> None:
    with pytest.raises(ValueError):
        expression(text)


def test_naming_members_is_no_growth() -> None:
    members = ", ".join(f"m{number}: user.f{number}" for number in range(100))

    assert expression(f"items[].{{{members}}}").growth == 1


async def test_chosen_headers_are_shown() -> None:
    tool = {"path": "/a", "response": {"headers": ["ETag"]}}
    async with api(lambda _: Reply({}, headers={"ETag": '"1"', "Set-Cookie": "s=1"})) as world:
        connector = world.open({"a": tool})

        outcome = await connector.execute(call(connector, "a"))

        assert outcome.value["headers"] == {"etag": '"1"'}
        assert "s=1" not in json.dumps(outcome.value)


@pytest.mark.parametrize(
    ("status", "reachable"),
    [
        ("200 OK", True),
        ("404 No", True),
        ("405 No", True),
        ("401 No", False),
        ("403 No", False),
        ("500 No", False),
    ],
)
async def test_a_check_believes_any_answer_that_is_no_refusal(status: str, reachable: bool) -> None:
    async with api(lambda _: Reply(status=status, raw=b"")) as world:
        connector = world.open(GET, retries={"max": 0}, check={"method": "GET", "path": "/ping"}, **bearer())

        if reachable:
            assert await connector.check() == {"status": int(status[:3])}
        else:
            with pytest.raises(IntegrationUnavailable):
                await connector.check()

        assert world.asked[0].target == "/ping"
