"""Bodies made to cost more than they are worth, or to be read in two ways: at every route that takes one."""

import gzip
import json
import zlib
from collections import Counter
from typing import Any

import httpx
import pytest
import zstandard

from tests.e2e.stack import Stack
from tests.security.attack_world import WITH_BODY, WITH_JSON, Operation, in_order, still_well
from tests.thorough import some_of

MEGABYTE = 1_000_000
NOT_JSON = {
    "nothing": b"",
    "half": b'{"name": "a"',
    "two values": b"{} {}",
    "a list": b"[]",
    "a word": b'"x"',
    "null": b"null",
    "deep": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep and open": b'{"a":' * 100_000,
    "deep below strings": b'{"a":["' + b"\\\\\\" * 5_000 + b'",' + b"[" * 5_000 + b"]" * 5_000 + b"]}",
    "NaN": b'{"limit_usd": NaN, "max_tokens": NaN, "requests": NaN}',
    "Infinity": b'{"limit_usd": -Infinity, "max_tokens": Infinity, "requests": Infinity}',
    "a number without end": b'{"limit_usd": 1e999999999, "max_tokens": 1e999999999, "requests": 1e99999}',
    "many digits": b'{"max_tokens": ' + b"9" * 50_000 + b', "requests": ' + b"9" * 50_000 + b"}",
    "UTF-8 written too long": b'{"name": "\xc0\xaf\xe0\x80\xaf"}',
    "half a pair": b'{"name": "\xed\xa0\x80"}',
    "UTF-16": '{"name": "a"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"name": "a"}',
    "bare control characters": b'{"name": "a\x00b\x1f"}',
}
SQUEEZED = {
    "gzip": gzip.compress(b'{"a":"' + b"a" * 40 * MEGABYTE + b'"}', 9),
    "deflate": zlib.compress(b'{"a":"' + b"a" * 40 * MEGABYTE + b'"}', 9),
    "zstd": zstandard.ZstdCompressor(level=3).compress(b'{"a":"' + b"a" * 40 * MEGABYTE + b'"}'),
}
TWICE = gzip.compress(gzip.compress(b"a" * 10 * MEGABYTE))
SECOND_CODES = ("gzip, gzip", "br", "compress", "x", "gzip\t,deflate")
BROKEN = {
    f"{encoding}: {what}": (encoding, body)
    for encoding in ("gzip", "deflate", "zstd")
    for what, body in {
        "nothing": b"",
        "a beginning": b"\x1f\x8b\x08",
        "half": SQUEEZED[encoding][:1000],
        "plain": b"{}",
    }.items()
}
NOT_JSON_EACH, SECOND_CODES_EACH, BROKEN_EACH = 6, 2, 4
"""How many of them each route gets: few readers read the bodies of all of them, and they take turns."""


def post(client: httpx.Client, operation: Operation, body: bytes, **headers: str) -> httpx.Response:
    # What is refused before it was read leaves a connection that the server closes: the next one is new.
    media = {"content-type": operation.media, "connection": "close"}
    return client.request(operation.method, operation.filled(), content=body, headers=media | headers)


@pytest.mark.parametrize("operation", WITH_JSON, ids=str)
def test_what_is_no_json_object_is_400_and_names_the_body(owner: httpx.Client, operation: Operation) -> None:
    for what in some_of([*NOT_JSON], operation, NOT_JSON_EACH):
        body = NOT_JSON[what]
        answer = in_order(post(owner, operation, body))
        # No body at all means the usual where everything in it has a default.
        assert answer.status_code in (400, 404, 413) or not body, (what, answer.text)
        if answer.status_code == 400:
            assert error_of(answer)["message"], what


def error_of(answer: httpx.Response) -> dict[str, Any]:
    whole = answer.json()
    error: dict[str, Any] = (whole[0] if isinstance(whole, list) else whole)["error"]
    return error


@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
def test_what_grows_without_end_is_refused_before_it_has_grown(
    owner: httpx.Client, operation: Operation
) -> None:
    for encoding in some_of([*SQUEEZED], operation, 1):
        answer = in_order(post(owner, operation, SQUEEZED[encoding], **{"content-encoding": encoding}))
        assert answer.status_code in (400, 413, 415), (encoding, answer.text)
    for encoding in some_of(SECOND_CODES, operation, SECOND_CODES_EACH):
        answer = in_order(post(owner, operation, TWICE, **{"content-encoding": encoding}))
        assert answer.status_code in (400, 415), (encoding, answer.text)
    for what in some_of([*BROKEN], operation, BROKEN_EACH):
        encoding, broken = BROKEN[what]
        answer = in_order(post(owner, operation, broken, **{"content-encoding": encoding}))
        assert 400 <= answer.status_code < 500 or not broken, (what, answer.text)


def test_routes_take_turns_until_every_body_was_at_several() -> None:
    for kinds, count, routes in (
        ([*NOT_JSON], NOT_JSON_EACH, WITH_JSON),
        ([*SQUEEZED], 1, WITH_BODY),
        (SECOND_CODES, SECOND_CODES_EACH, WITH_BODY),
        ([*BROKEN], BROKEN_EACH, WITH_BODY),
    ):
        sent = Counter(what for operation in routes for what in some_of(kinds, operation, count))
        assert all(sent[what] >= 10 for what in kinds), sent


@pytest.mark.parametrize("operation", WITH_BODY, ids=str)
def test_what_is_too_large_is_413(owner: httpx.Client, operation: Operation) -> None:
    """An honest length is refused by it; without one the bytes are counted as they come."""
    size = 5 if operation.path.startswith("/api/") else 40
    body = b'{"name":"' + b"a" * size * MEGABYTE + b'"}'

    def pieces() -> Any:
        for start in range(0, len(body), MEGABYTE):
            yield body[start : start + MEGABYTE]

    if operation.path in ("/v1/files", "/api/v1/cache/warm"):
        pytest.skip("files are as large as their quota; lines are counted one by one")
    if operation.path.endswith("/objects/{key}"):
        pytest.skip("objects are as large as their integration says")
    for content in (body, pieces()):
        try:
            answer = owner.request(
                operation.method,
                operation.filled(),
                content=content,
                headers={"content-type": operation.media},
            )
        except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
            continue  # the connection was closed on the bytes nobody wants
        assert in_order(answer).status_code in (400, 413), answer.text


@pytest.mark.parametrize("operation", WITH_JSON, ids=str)
def test_names_that_collide_or_come_twice_cost_nothing_and_mean_one_thing(
    owner: httpx.Client, operation: Operation
) -> None:
    many = {**operation.base, **{f"k{number * 2654435761}": number for number in range(5_000)}}
    in_order(post(owner, operation, json.dumps(many).encode()))
    if operation.fields:
        name = operation.fields[0]
        base = json.dumps(operation.base)[1:-1]
        twice = f'{{"{name}": 1, {base or chr(34) + "x" + chr(34) + ": 1"}, "{name}": {{"a": []}}}}'
        in_order(post(owner, operation, twice.encode()))


@pytest.mark.parametrize("path", ["/v1/messages", "/v1beta/models/{name}:generateContent"])
def test_names_nobody_knows_are_told_of_in_few_words(owner: httpx.Client, path: str) -> None:
    """They are left out where a request is translated; keeping a list of them must not take their square."""
    operation = next(each for each in WITH_JSON if each.path == path)
    many = {**operation.base, **{f"unknown-{number}": number for number in range(120_000)}}

    answer = post(owner, operation, json.dumps(many).encode())

    assert answer.status_code == 200, answer.text[:300]
    assert 0 < len(answer.headers["x-interchange-dropped"]) < 5_000


SLOW = (
    "a" * 60_000 + "!",
    "a@" * 20_000,
    "1-" * 30_000,
    "((((((((((" * 3_000,
    "." * 60_000,
    " " * 60_000 + "x",
    "http://" * 8_000,
    "{{" * 30_000,
)


@pytest.mark.parametrize("operation", WITH_JSON, ids=str)
def test_text_made_to_keep_patterns_busy_does_not(owner: httpx.Client, operation: Operation) -> None:
    """The client gives up after 30 seconds; a pattern that backtracks takes hours for these."""
    for name in operation.fields:
        words = (
            SLOW if operation.path.startswith("/api/v1/privacy") else some_of(SLOW, f"{operation} {name}", 2)
        )
        for word in words:
            in_order(post(owner, operation, json.dumps({**operation.base, name: word}).encode()))


def test_after_all_of_it_the_server_is_well(target: Stack, owner: httpx.Client) -> None:
    still_well(target, owner)
