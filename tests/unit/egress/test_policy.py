"""What may be connected to: public addresses and what was named, metadata services only by their address."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.egress.addresses import AddressClass, classify, parse_address
from domain.egress.entries import parse_entries, parse_entry
from domain.egress.policy import (
    EgressPolicy,
    OperatorEgress,
    TenantEgress,
    TrustedEgress,
    endpoint_key,
)
from domain.errors import InvalidRequest

CLOSED = EgressPolicy()
METADATA = "169.254.169.254"


def policy(*allow: str, deny: tuple[str, ...] = (), private: bool = False) -> EgressPolicy:
    return EgressPolicy(allow=parse_entries(allow), deny=parse_entries(deny), private=private)


def test_public_addresses_may_be_reached_and_no_others() -> None:
    assert CLOSED.allows("api.example.com", "93.184.216.34", 443)
    for ip in ("10.0.0.1", "127.0.0.1", "::1", METADATA, "0.0.0.0", "::ffff:10.0.0.1", "fd00::1"):
        assert not CLOSED.allows("api.example.com", ip, 443)


def test_a_named_host_may_be_private() -> None:
    rule = policy("vault.corp.example", "*.tools.example:8443", "10.1.0.0/16")

    assert rule.allows("Vault.corp.example.", "10.9.9.9", 8200)
    assert rule.allows("a.tools.example", "192.168.0.7", 8443)
    assert not rule.allows("a.tools.example", "192.168.0.7", 443)
    assert not rule.allows("tools.example", "192.168.0.7", 8443)
    assert not rule.allows("eviltools.example", "192.168.0.7", 8443)
    assert rule.allows("anything.example", "10.1.2.3", 80)
    assert rule.allows("anything.example", "::ffff:10.1.2.3", 80)
    assert not rule.allows("anything.example", "10.2.2.3", 80)


def test_a_named_host_never_leads_to_a_metadata_service() -> None:
    rule = policy("vault.corp.example", "169.254.0.0/16", "0.0.0.0/0", "*.example", private=True)

    for ip in (METADATA, "::ffff:169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16"):
        assert not rule.allows("vault.corp.example", ip, 80)
    assert not policy("*.google.internal").allows("metadata.google.internal", METADATA, 80)


def test_a_metadata_service_can_be_named_exactly() -> None:
    assert policy(METADATA).allows("x.example", METADATA, 80)
    assert not policy(METADATA + ":80").allows("x.example", METADATA, 443)
    assert policy("metadata.google.internal").allows("metadata.google.internal", METADATA, 80)
    assert not policy("metadata.google.internal").allows("other.example", METADATA, 80)


def test_private_opens_private_networks_and_not_this_machine() -> None:
    rule = policy(private=True)

    assert rule.allows("a.example", "10.0.0.1", 443)
    assert rule.allows("a.example", "100.64.0.1", 443)
    for ip in ("127.0.0.1", "::1", "169.254.1.1", METADATA, "0.0.0.0", "224.0.0.1"):
        assert not rule.allows("a.example", ip, 443)


def test_what_is_denied_stays_denied() -> None:
    rule = policy("*.example", deny=("bad.example", "93.184.0.0/16"))

    assert not rule.allows("bad.example", "1.1.1.1", 443)
    assert not rule.allows("good.example", "93.184.216.34", 443)
    assert rule.allows("good.example", "1.1.1.1", 443)


def test_ports_of_other_protocols_take_an_entry_of_their_own() -> None:
    assert not CLOSED.allows("a.example", "1.1.1.1", 25)
    assert not policy("a.example").allows("a.example", "1.1.1.1", 6379)
    assert policy("a.example:6379").allows("a.example", "1.1.1.1", 6379)


def test_behind_a_proxy_only_the_name_can_be_judged() -> None:
    assert CLOSED.allows("api.example.com", "", 443)
    for host in ("localhost", "metadata.google.internal", "db", "0x7f.1", "2130706433", "10.0.0.1", METADATA):
        assert not CLOSED.allows(host, "", 443)
    assert policy("db").allows("db", "", 443)


def test_what_the_operator_configured_may_be_anywhere_but_at_a_metadata_service() -> None:
    rule = OperatorEgress(policy=CLOSED, endpoints=frozenset({endpoint_key("LLM.corp.example", 8000)}))

    assert rule.allows("llm.corp.example", "10.0.0.5", 8000)
    assert rule.allows("llm.corp.example.", "127.0.0.1", 8000)
    assert not rule.allows("llm.corp.example", METADATA, 8000)
    assert not rule.allows("llm.corp.example", "0.0.0.0", 8000)
    assert not rule.allows("llm.corp.example", "10.0.0.5", 8001)
    assert not rule.allows("other.corp.example", "10.0.0.5", 8000)
    assert rule.allows("api.example.com", "1.1.1.1", 443)


def test_an_operators_address_literal_is_that_address() -> None:
    literal = OperatorEgress(policy=CLOSED, endpoints=frozenset({endpoint_key("127.0.0.1", 8123)}))

    assert literal.allows("127.0.0.1", "127.0.0.1", 8123)
    assert not literal.allows("127.0.0.1", "127.0.0.1", 8124)
    assert not literal.allows("127.0.0.2", "127.0.0.2", 8123)


def test_identity_services_are_the_operators_own_choice() -> None:
    assert TrustedEgress(policy=CLOSED).allows(METADATA, METADATA, 80)
    assert not TrustedEgress(policy=policy(deny=(METADATA,))).allows(METADATA, METADATA, 80)


def test_a_tenants_list_narrows_by_name() -> None:
    tenant = TenantEgress(parse_entries(("api.example.com", "*.partner.example:443", "1.1.1.1")))

    assert tenant.judge("API.example.com.", 80).allowed
    assert tenant.judge("a.partner.example", 443).allowed
    assert tenant.judge("1.1.1.1", 443).allowed
    assert not tenant.judge("a.partner.example", 80).allowed
    assert not tenant.judge("elsewhere.example", 443).allowed
    assert TenantEgress().judge("elsewhere.example", 443).allowed
    assert not TenantEgress(()).judge("api.example.com", 443).allowed


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("API.Example.com.", "api.example.com"),
        ("*.example.com:443", "*.example.com:443"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.0.0.0/8:8443", "10.0.0.0/8:8443"),
        ("[fd00::/8]:443", "[fd00::/8]:443"),
        ("fd00::1", "fd00::1"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("localhost:8080", "localhost:8080"),
    ],
)
def test_entries_are_read_and_shown(text: str, shown: str) -> None:
    assert str(parse_entry(text)) == shown


@pytest.mark.parametrize(
    "text",
    ["", "*", "*.", "a b", "http://a.example", "a.example/path", "a.example:0", "a.example:99999",
     "10.0.0.1/8", "user@a.example", "a..b", "*.*.example", "a*.example", "0x7f.1", "2130706433", "127.1",
     "fe80::1%eth0", "exämple.com", "a\u3002example", "-a.example"],
)  # fmt: skip
def test_what_is_no_destination_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_entry(text)


@given(st.ip_addresses())
@settings(max_examples=200)
def test_nothing_that_is_not_public_is_reached_unless_it_was_named(address: object) -> None:
    text = str(address)
    parsed = parse_address(text)
    assert parsed is not None

    assert CLOSED.allows("host.example.com", text, 443) == (classify(parsed) is AddressClass.PUBLIC)
