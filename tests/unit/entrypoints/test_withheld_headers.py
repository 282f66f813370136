"""Callers' headers that no provider gets: proofs, orders to servers, what ends with a connection."""

import pytest

from entrypoints.http.callers import read_headers


@pytest.mark.parametrize(
    "name",
    [
        b"x-amz-security-token", b"x-amz-target", b"x-amzn-trace-id", b"x-goog-user-project",
        b"x-goog-iam-authorization-token", b"ocp-apim-subscription-key", b"x-ms-authorization-auxiliary",
        b"x-original-url", b"x-rewrite-url", b"x-http-method-override", b"x-method-override", b"range",
        b"if-none-match", b"x-portkey-config", b"proxy-connection", b"transfer-encoding", b"x-forwarded-host",
        b"cookie", b"api-key",
    ],
)  # fmt: skip
def test_a_header_that_speaks_for_us_is_withheld(name: bytes) -> None:
    call = read_headers([(name, b"x"), (b"x-vendor-wish", b"1")])

    assert call.vendor_headers == (("x-vendor-wish", "1"),)


def test_headers_that_the_connection_names_end_with_it() -> None:
    raw = [(b"connection", b"Keep-Alive, X-Hop"), (b"x-hop", b"1"), (b"x-vendor-wish", b"1")]

    assert read_headers(raw).vendor_headers == (("x-vendor-wish", "1"),)
