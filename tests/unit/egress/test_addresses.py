"""Addresses are judged by where they lead, however they are spelled."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.egress.addresses import (
    AddressClass,
    classify,
    is_local_name,
    is_metadata_name,
    normalised_host,
    parse_address,
)

PUBLIC = AddressClass.PUBLIC


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("93.184.216.34", PUBLIC),
        ("1.1.1.1", PUBLIC),
        ("2606:4700:4700::1111", PUBLIC),
        ("::ffff:1.1.1.1", PUBLIC),
        ("64:ff9b::1.1.1.1", PUBLIC),
        ("10.0.0.1", AddressClass.PRIVATE),
        ("172.16.0.1", AddressClass.PRIVATE),
        ("172.31.255.255", AddressClass.PRIVATE),
        ("172.32.0.1", PUBLIC),
        ("192.168.1.1", AddressClass.PRIVATE),
        ("fd12:3456::1", AddressClass.PRIVATE),
        ("fec0::1", AddressClass.PRIVATE),
        ("100.64.0.1", AddressClass.SHARED),
        ("100.127.255.255", AddressClass.SHARED),
        ("127.0.0.1", AddressClass.LOOPBACK),
        ("127.255.255.254", AddressClass.LOOPBACK),
        ("::1", AddressClass.LOOPBACK),
        ("::ffff:127.0.0.1", AddressClass.LOOPBACK),
        ("::ffff:7f00:1", AddressClass.LOOPBACK),
        ("64:ff9b::7f00:1", AddressClass.LOOPBACK),
        ("64:ff9b::10.0.0.1", AddressClass.PRIVATE),
        ("64:ff9b::a9fe:a9fe", AddressClass.METADATA),
        ("64:ff9b:1::1.1.1.1", AddressClass.RESERVED),
        ("::127.0.0.1", AddressClass.RESERVED),
        ("::ffff:0:127.0.0.1", AddressClass.RESERVED),
        ("2002:7f00:1::", AddressClass.RESERVED),
        ("2002:0101:0101::1", AddressClass.RESERVED),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", AddressClass.RESERVED),
        ("2600::5efe:7f00:1", AddressClass.RESERVED),
        ("2600::200:5efe:a00:1", AddressClass.RESERVED),
        ("169.254.1.1", AddressClass.LINK_LOCAL),
        ("fe80::1", AddressClass.LINK_LOCAL),
        ("fe80::1%eth0", AddressClass.LINK_LOCAL),
        ("169.254.169.254", AddressClass.METADATA),
        ("169.254.170.2", AddressClass.METADATA),
        ("100.100.100.200", AddressClass.METADATA),
        ("168.63.129.16", AddressClass.METADATA),
        ("192.0.0.192", AddressClass.METADATA),
        ("fd00:ec2::254", AddressClass.METADATA),
        ("fe80::a9fe:a9fe%1", AddressClass.METADATA),
        ("::ffff:169.254.169.254", AddressClass.METADATA),
        ("0.0.0.0", AddressClass.UNSPECIFIED),
        ("0.1.2.3", AddressClass.UNSPECIFIED),
        ("::", AddressClass.UNSPECIFIED),
        ("::ffff:0.0.0.0", AddressClass.UNSPECIFIED),
        ("224.0.0.1", AddressClass.MULTICAST),
        ("ff02::1", AddressClass.MULTICAST),
        ("255.255.255.255", AddressClass.RESERVED),
        ("240.0.0.1", AddressClass.RESERVED),
        ("192.0.0.8", AddressClass.RESERVED),
        ("192.88.99.1", AddressClass.RESERVED),
        ("192.0.2.1", AddressClass.DOCUMENTATION),
        ("2001:db8::1", AddressClass.DOCUMENTATION),
        ("198.18.0.1", AddressClass.BENCHMARKING),
        ("100::1", AddressClass.RESERVED),
        ("4000::1", AddressClass.RESERVED),
    ],
)
def test_every_kind_of_address_is_known(text: str, kind: AddressClass) -> None:
    address = parse_address(text)

    assert address is not None
    assert classify(address) is kind


@pytest.mark.parametrize(
    "text",
    [
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "127.0.0.01",
        "1.2.3",
        "x",
        "",
        "\uff11\uff12\uff17.0.0.1",
    ],
)
def test_other_spellings_are_names_until_somebody_resolved_them(text: str) -> None:
    assert parse_address(text) is None


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=200)
def test_an_ipv4_address_is_the_same_however_it_is_wrapped(number: int) -> None:
    plain = classify(IPv4Address(number))

    assert classify(IPv6Address((0xFFFF << 32) | number)) is plain
    assert classify(IPv6Address((0x64FF9B << 96) | number)) is plain


@given(st.integers(0, 2**32 - 1), st.sampled_from([0x2002 << 112, 0]), st.integers(0, 2**16 - 1))
@settings(max_examples=100)
def test_tunnels_are_never_public(number: int, prefix: int, host: int) -> None:
    wrapped = (prefix | (number << 80) | host) if prefix else number

    assert classify(IPv6Address(wrapped)) is not PUBLIC


def test_names_are_compared_in_one_spelling() -> None:
    assert normalised_host("Metadata.Google.Internal.") == "metadata.google.internal"
    assert normalised_host("[FE80::1%eth0]") == "fe80::1"
    assert is_metadata_name(normalised_host("METADATA.google.internal."))


@pytest.mark.parametrize(
    "name", ["localhost", "a.localhost", "db", "x.internal", "nas.local", "0x7f000001", "10.1", "1.2.3.0x4"]
)
def test_names_of_local_networks_are_told_without_resolving_them(name: str) -> None:
    assert is_local_name(name)


@pytest.mark.parametrize("name", ["api.example.com", "a.b.co", "x1.dev"])
def test_public_names_are_not_local(name: str) -> None:
    assert not is_local_name(name)
