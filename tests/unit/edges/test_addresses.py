"""Where a caller is: the peer, or what a trusted proxy saw; nothing anybody else wrote."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.tenancy.networks import ANYWHERE, parse_networks
from entrypoints.http.addresses import client_address, forwarded_client
from entrypoints.http.edge import Edge

PROXIES = parse_networks(["10.0.0.0/8", "fd00::/8", "127.0.0.1"], "trusted_proxies")
XFF = b"x-forwarded-for"


def seen(peer: str, *values: str, header: bytes = XFF, name: bytes = XFF) -> str:
    return forwarded_client(peer, [(name, value.encode("latin-1")) for value in values], PROXIES, header)


def test_a_stranger_is_not_believed() -> None:
    assert seen("203.0.113.9", "1.1.1.1") == "203.0.113.9"
    assert seen("::ffff:203.0.113.9", "1.1.1.1") == "203.0.113.9"


def test_a_trusted_proxy_is_believed_about_its_own_peer() -> None:
    assert seen("10.0.0.1", "203.0.113.9") == "203.0.113.9"
    assert seen("::ffff:10.0.0.1", "203.0.113.9") == "203.0.113.9"
    assert seen("fd00::1", "2001:db8:0::1") == "2001:db8::1"


def test_what_the_caller_wrote_itself_is_not_read() -> None:
    assert seen("10.0.0.1", "1.1.1.1, 203.0.113.9") == "203.0.113.9"
    assert seen("10.0.0.1", "1.1.1.1", "203.0.113.9") == "203.0.113.9"
    assert seen("10.0.0.1", "10.0.0.9, 203.0.113.9, 10.0.0.2") == "203.0.113.9"
    assert seen("10.0.0.1", "nonsense, 203.0.113.9") == "203.0.113.9"


def test_a_chain_of_proxies_alone_ends_at_its_first() -> None:
    assert seen("10.0.0.1", "10.0.0.3, 10.0.0.2") == "10.0.0.3"
    assert seen("10.0.0.1") == "10.0.0.1"
    assert seen("10.0.0.1", "") == "10.0.0.1"


def test_ports_and_brackets_are_read() -> None:
    assert seen("10.0.0.1", "203.0.113.9:4711") == "203.0.113.9"
    assert seen("10.0.0.1", "[2001:db8::1]:4711") == "2001:db8::1"
    assert seen("10.0.0.1", "[2001:db8::1]") == "2001:db8::1"


@pytest.mark.parametrize(
    "value",
    ["unknown", "_hidden", "203.0.113.9.evil", "203.0.113", "0x7f.1", "fe80::1%eth0", "a\x00b", ",", ";"],
)
def test_what_is_no_address_is_nobody(value: str) -> None:
    assert seen("10.0.0.1", value) == ""
    assert seen("10.0.0.1", f"203.0.113.9, {value}") == ""


def test_too_many_hops_are_nobody() -> None:
    assert seen("10.0.0.1", ", ".join(["10.0.0.2"] * 40)) == ""


@pytest.mark.parametrize(
    ("values", "address"),
    [
        (["for=203.0.113.9"], "203.0.113.9"),
        (['For="[2001:db8::1]:4711";proto=https;by=10.0.0.1'], "2001:db8::1"),
        (["for=1.1.1.1, for=203.0.113.9"], "203.0.113.9"),
        (["for=1.1.1.1", "by=10.0.0.2; for=203.0.113.9"], "203.0.113.9"),
        (["for=203.0.113.9;for=1.1.1.1"], ""),
        (["for=unknown"], ""),
        (["for=_secret"], ""),
        (["proto=https"], ""),
        (['for="1.1.1.1, for=203.0.113.9'], "203.0.113.9"),
        (['for="1.1.1.1', 'for="[2001:db8::1]"'], "2001:db8::1"),
        (['for="1.1.1.1,for=9.9.9.9"'], ""),
        ([], "10.0.0.1"),
    ],
)
def test_the_standard_header_is_read_from_the_right_too(values: list[str], address: str) -> None:
    assert seen("10.0.0.1", *values, header=b"forwarded", name=b"forwarded") == address


def test_only_the_header_that_the_proxies_write_is_read() -> None:
    assert seen("10.0.0.1", "for=1.1.1.1", name=b"forwarded") == "10.0.0.1"
    assert seen("10.0.0.1", "1.1.1.1", header=b"forwarded") == "10.0.0.1"


@given(st.lists(st.text(st.characters(codec="latin-1"), max_size=30), max_size=4), st.ip_addresses())
@settings(max_examples=150)
def test_nothing_left_of_the_last_stranger_matters(written: list[str], stranger: object) -> None:
    stranger_text = str(stranger)
    if PROXIES.holds(stranger_text):
        return

    assert seen("10.0.0.1", *written, stranger_text) == seen("10.0.0.1", stranger_text)


def scope_of(peer: str, path: str = "/v1/models", **headers: str) -> dict[str, object]:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": "GET", "path": path, "client": (peer, 1), "headers": raw}


def test_an_address_outside_the_list_is_turned_away_but_may_probe() -> None:
    edge = Edge(allowed=parse_networks(["203.0.113.0/24"], "allowed_networks"))

    refused = edge.problem(scope_of("198.51.100.1"))
    assert refused is not None
    assert refused.status == 403
    assert edge.problem(scope_of("203.0.113.5")) is None
    assert edge.problem(scope_of("198.51.100.1", "/health/live")) is None


def test_the_list_is_about_the_caller_and_not_about_the_proxy() -> None:
    edge = Edge(allowed=parse_networks(["203.0.113.0/24"], "allowed_networks"), trusted=PROXIES)
    scope = scope_of("10.0.0.1", x_forwarded_for="203.0.113.5")

    assert edge.problem(scope) is None
    assert client_address(scope) == "203.0.113.5"
    assert edge.problem(scope_of("10.0.0.1", x_forwarded_for="1.1.1.1")) is not None
    assert edge.problem(scope_of("10.0.0.1", x_forwarded_for="unknown")) is not None
    assert edge.problem(scope_of("1.1.1.1", x_forwarded_for="203.0.113.5")) is not None


def test_nothing_is_done_where_nothing_is_asked_for() -> None:
    assert Edge().plain
    assert not Edge(trusted=PROXIES).plain
    assert not Edge(allowed=ANYWHERE, hsts=True).plain
