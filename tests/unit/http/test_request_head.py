"""What goes out is exactly what was asked for, or nothing."""

import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.http.request_head import check_endpoint, request_head
from application.ports.http import Endpoint, HttpRequest, TransportFailed, TransportStage

ENDPOINT = Endpoint("http", "upstream.test", 8080)
TOKEN = st.text(alphabet="abcXYZ019-_!#$%&'*+.^`|~", min_size=1, max_size=12)
VALUE = st.text(alphabet=[chr(code) for code in [9, *range(32, 127), *range(160, 256)]], max_size=30)


class Heard:
    """What a strict server's parser makes of the bytes."""

    def __init__(self, data: bytes) -> None:
        self.url = b""
        self.headers: list[tuple[str, str]] = []
        self.messages = 0
        parser = httptools.HttpRequestParser(self)
        parser.feed_data(data)
        self.method = parser.get_method().decode()

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_message_begin(self) -> None:
        self.messages += 1


def head_of(
    method: str = "POST", path: str = "/", headers: tuple[tuple[str, str], ...] = (), body: bytes = b""
) -> bytes:
    return request_head(HttpRequest(method, ENDPOINT, path, headers, body), ENDPOINT.authority)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TOKEN, VALUE), max_size=6), st.binary(max_size=20))
def test_every_accepted_request_is_heard_as_exactly_one_request_with_those_headers(
    headers: list[tuple[str, str]], body: bytes
) -> None:
    try:
        head = head_of(headers=tuple(headers), body=body)
    except TransportFailed as failure:
        assert failure.stage is TransportStage.REFUSED
        return
    heard = Heard(head + body)
    assert heard.messages == 1
    own = ("host", "accept-encoding", "content-length")
    sent = [(name, value) for name, value in headers if name.lower() not in own]
    theirs = [(name, value.strip(" \t")) for name, value in heard.headers if name.lower() not in own]
    assert theirs == [(name, value.strip(" \t")) for name, value in sent]


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_no_text_whatsoever_makes_a_second_header_or_request(name: str, value: str, path: str) -> None:
    try:
        head = head_of(path="/" + path, headers=((name, value),))
    except TransportFailed as failure:
        assert failure.stage is TransportStage.REFUSED
        return
    lines = 5 if name.lower() == "accept-encoding" else 6
    assert head.count(b"\r\n") == head.count(b"\n") == head.count(b"\r") == lines
    assert b"\x00" not in head


def test_the_head_has_host_identity_and_length() -> None:
    assert head_of(body=b"abc", headers=(("x-a", "1"),)) == (
        b"POST / HTTP/1.1\r\nhost: upstream.test:8080\r\nx-a: 1\r\n"
        b"accept-encoding: identity\r\ncontent-length: 3\r\n\r\n"
    )


def test_a_post_without_body_says_so_and_a_get_says_nothing() -> None:
    assert b"content-length: 0\r\n" in head_of()
    assert b"content-length" not in head_of("GET")


def test_encodings_the_caller_can_decode_are_left_alone() -> None:
    head = head_of(headers=(("Accept-Encoding", "gzip"),))
    assert head.lower().count(b"accept-encoding") == 1


def test_headers_beyond_the_limit_are_refused_without_showing_them() -> None:
    with pytest.raises(TransportFailed) as caught:
        head_of(headers=(("authorization", "s3cret" * 20_000),))
    assert caught.value.stage is TransportStage.REFUSED
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize("value", ["s3cret\r\n", "s3cret\u20ac", "s3cret\x7f", "s3cret\x85x\u2028"])
def test_a_refusal_names_the_header_but_never_its_value(value: str) -> None:
    with pytest.raises(TransportFailed) as caught:
        head_of(headers=(("authorization", value),))
    assert "s3cret" not in caught.value.message
    assert "authorization" in caught.value.message


@pytest.mark.parametrize(
    "host", ["api.example.com", "127.0.0.1", "::1", "fe80::1%eth0", "xn--bcher-kva.example", "a_b"]
)
def test_names_and_addresses_are_hosts(host: str) -> None:
    check_endpoint(Endpoint("https", host, 443))


@pytest.mark.parametrize(
    "host", ["", "a b", "a\r\nb", "user@host", "host:80", "[::1]", "b\u00fccher.example", "-x", "a/b"]
)
def test_anything_else_is_not(host: str) -> None:
    with pytest.raises(TransportFailed):
        check_endpoint(Endpoint("https", host, 443))


@pytest.mark.parametrize("path", ["/v1/models/../admin", "/v1/..", "/../x?y", "/v1/./x", "/a/b/../../c?d=e"])
def test_a_path_that_climbs_is_refused(path: str) -> None:
    with pytest.raises(TransportFailed, match="request target"):
        head_of(path=path)


@pytest.mark.parametrize("path", ["/.well-known/x", "/v1/a..b/c", "/v1/...", "/v1/x?next=/../y", "/a/.b/c"])
def test_dots_that_lead_nowhere_are_fine(path: str) -> None:
    assert head_of(path=path).startswith(f"POST {path} HTTP/1.1".encode())
