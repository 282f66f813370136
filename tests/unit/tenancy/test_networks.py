"""Allow-lists of callers' addresses, and names that people read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidRequest
from domain.tenancy.names import check_shown_name
from domain.tenancy.networks import ANYWHERE, allows, check_networks, parse_networks


def test_no_list_lets_everybody_in() -> None:
    assert ANYWHERE.admits("203.0.113.9")
    assert ANYWHERE.admits("")


def test_a_list_lets_in_what_it_names() -> None:
    office = parse_networks(["203.0.113.0/24", "2001:db8:1::/48", "198.51.100.7"], "networks")

    for address in (
        "203.0.113.9",
        "::ffff:203.0.113.9",
        "2001:db8:1::5",
        "2001:db8:1::5%eth0",
        "198.51.100.7",
    ):
        assert office.admits(address)
    for address in ("203.0.114.1", "2001:db8:2::1", "198.51.100.8", "", "unknown", "203.0.113.9.evil"):
        assert not office.admits(address)


def test_mapped_networks_are_the_networks_they_map() -> None:
    mapped = parse_networks(["::ffff:10.0.0.0/104"], "networks")

    assert mapped.texts() == ("10.0.0.0/8",)
    assert mapped.admits("10.1.2.3")
    assert not mapped.admits("::a01:203")


def test_everything_of_ipv6_is_not_everything_of_ipv4() -> None:
    assert not parse_networks(["::/0"], "networks").admits("10.0.0.1")
    assert not parse_networks(["0.0.0.0/0"], "networks").admits("2001:db8::1")


def test_lists_of_texts_are_judged_by_the_same_rule() -> None:
    assert allows((), "10.0.0.1")
    assert allows(("10.0.0.0/8",), "::ffff:10.0.0.1")
    assert not allows(("10.0.0.0/8",), "11.0.0.1")
    with pytest.raises(InvalidRequest):
        check_networks(["10.0.0.0/8"] * 257, "networks")


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0", "x", "", "fe80::%eth0/64", "10.0.0.0/33"])
def test_what_is_no_network_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_networks([text], "allowed_networks")

    assert refused.value.param == "allowed_networks"


@given(st.ip_addresses())
def test_an_address_is_within_itself(address: object) -> None:
    assert parse_networks([str(address)], "networks").admits(str(address))


@pytest.mark.parametrize("name", ["CI key", "Zoë's agent", "日本チーム", "Команда", "naïve-agent_2"])
def test_ordinary_names_are_taken(name: str) -> None:
    assert check_shown_name(name, "name", chars_max=100) == name


@pytest.mark.parametrize(
    "name",
    ["", " a", "a ", "a  b", "a\tb", "a\nb", "a\u202eb", "a\u200bb", "a\u2066b", "\uff41dmin", "\ufb01le",
     "\u0430dmin", "p\u0430ypal", "\u03bfwner", "a\u00a0b", "a\ufeff", "a\u00adb", "a\ue000", "a\ud800",
     "e\u0301x", "x" * 101],
)  # fmt: skip
def test_names_that_could_pass_for_others_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequest):
        check_shown_name(name, "name", chars_max=100)
