"""Heads that could be read in two ways, or that are too large, are looked at no further."""

from typing import Any

import pytest

from entrypoints.http.head_limits import HEADER_BYTES_MAX, head_problem

HOST = (b"host", b"a")


def scope_of(*headers: tuple[bytes, bytes], **more: Any) -> dict[str, Any]:
    scope = {"type": "http", "method": "POST", "path": "/v1/x", "query_string": b"", "http_version": "1.1"}
    return {**scope, "headers": list(headers), **more}


def test_an_ordinary_head_passes() -> None:
    lists = [(b"accept", b"a"), (b"accept", b"b"), (b"x-forwarded-for", b"1"), (b"x-forwarded-for", b"2")]

    assert head_problem(scope_of(HOST, (b"content-length", b"1"), *lists)) is None
    assert head_problem(scope_of(HOST, (b"transfer-encoding", b"Chunked"))) is None
    assert head_problem(scope_of(http_version="1.0")) is None


@pytest.mark.parametrize(
    "headers",
    [
        [HOST, HOST],
        [HOST, (b"host", b"b")],
        [HOST, (b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")],
        [HOST, (b"x-interchange-user-id", b"a"), (b"x-interchange-user-id", b"b")],
        [HOST, (b"content-length", b"1"), (b"content-length", b"1")],
        [HOST, (b"content-length", b"1"), (b"transfer-encoding", b"chunked")],
        [HOST, (b"transfer-encoding", b"gzip, chunked")],
        [HOST, (b"transfer-encoding", b"identity")],
        [],
    ],
)
def test_what_could_be_read_in_two_ways_ends_the_connection(headers: list[tuple[bytes, bytes]]) -> None:
    problem = head_problem(scope_of(*headers))

    assert problem is not None
    assert (problem.status, problem.closes) == (400, True)


@pytest.mark.parametrize(
    "headers",
    [
        [HOST, *((b"x-%d" % number, b"") for number in range(101))],
        [HOST, (b"x", b"a" * HEADER_BYTES_MAX)],
        [HOST, (b"x" * HEADER_BYTES_MAX, b"")],
        [HOST, *[(b"accept", b"a" * 1024)] * 65],
    ],
)
def test_too_much_of_a_head_is_431(headers: list[tuple[bytes, bytes]]) -> None:
    problem = head_problem(scope_of(*headers))

    assert problem is not None
    assert problem.status == 431


def test_long_addresses_are_414() -> None:
    for more in ({"path": "/" + "a" * 9000}, {"query_string": b"a" * 40_000}):
        problem = head_problem(scope_of(HOST, **more))
        assert problem is not None
        assert problem.status == 414


def test_a_long_method_is_refused() -> None:
    assert head_problem(scope_of(HOST, method="A" * 33)) is not None
