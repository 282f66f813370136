"""Upstream headers that never reach a caller: those that would bend our answer, or a proxy in front of us."""

import pytest

from adapters.wire.errors import open_headers


@pytest.mark.parametrize(
    "name",
    [
        "x-accel-redirect", "x-sendfile", "x-lighttpd-send-file", "x-litespeed-location", "x-reproxy-url",
        "set-cookie", "set-cookie2", "location", "refresh", "link", "clear-site-data", "www-authenticate",
        "proxy-authenticate", "transfer-encoding", "trailer", "content-length", "content-range", "etag",
        "x-interchange-cost-usd", "x-portkey-trace-id", "access-control-allow-origin", "surrogate-control",
    ],
)  # fmt: skip
def test_a_header_that_gives_orders_is_left_out(name: str) -> None:
    assert open_headers([(name, "x"), ("x-vendor-fact", "kept")]) == (("x-vendor-fact", "kept"),)
