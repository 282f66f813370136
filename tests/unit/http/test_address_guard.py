"""Where drivers may connect to: the table of attacks, names that change where they lead, tenants' lists."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest

from adapters.http.address_guard import DriverAddressGuard, address_guards
from adapters.http.egress import DRIVERS, OUTSIDE, EgressGate
from domain.egress.entries import parse_entries
from domain.egress.policy import EgressPolicy
from domain.errors import EgressRefused, IntegrationUnavailable

Answers = dict[str, list[list[str]]]


def guard(policy: EgressPolicy | None = None, *entries: str) -> DriverAddressGuard:
    return DriverAddressGuard(EgressGate(policy), lambda: entries)


def allowing(*entries: str, **more: Any) -> EgressPolicy:
    return EgressPolicy(allow=parse_entries(entries), **more)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answers], list[str]]:
    """Names and what each asking of them is answered; the last answer stays."""

    def use(answers: Answers) -> list[str]:
        asked: list[str] = []

        async def getaddrinfo(_loop: Any, host: str, port: int, **_more: Any) -> list[Any]:
            asked.append(host)
            left = answers.get(host)
            if not left:
                raise socket.gaierror(socket.EAI_NONAME, "unknown")
            found = left.pop(0) if len(left) > 1 else left[0]
            family = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in found]
            return [(kind, 1, 6, "", (address, port)) for kind, address in zip(family, found, strict=True)]

        monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", getaddrinfo)
        return asked

    return use


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "::1",
        "[::1]",
        "::ffff:127.0.0.1",
        "0x7f.1",
        "0177.0.0.1",
        "2130706433",
        "127.1",
        "0.0.0.0",
        "::",
        "10.0.0.5",
        "172.16.3.4",
        "192.168.1.1",
        "100.64.0.1",
        "fd00::1",
        "fe80::1",
        "fe80::1%lo",
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
        "100.100.100.200",
        "168.63.129.16",
        "fd00:ec2::254",
        "metadata.google.internal",
        "METADATA.google.internal.",
        "224.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "192.0.2.1",
    ],
)
async def test_nothing_inside_is_reached_unless_the_operator_named_it(host: str) -> None:
    with pytest.raises((EgressRefused, IntegrationUnavailable)) as refused:
        await guard()(host, 5432)

    assert isinstance(refused.value, EgressRefused) or "resolved" in refused.value.message


@pytest.mark.parametrize(
    "host",
    [
        "",
        "/var/run/postgresql",
        "\\\\server\\pipe",
        "a.example,b.example",
        "user@93.184.216.34",
        "93.184.216.34/32",
        "a b",
        "a\n",
        "a\0b",
        "x" * 300,
    ],
)
async def test_what_is_no_host_is_refused_before_anybody_resolves_it(
    host: str, names: Callable[[Answers], list[str]]
) -> None:
    asked = names({})

    with pytest.raises(EgressRefused):
        await guard()(host, 5432)

    assert asked == []


async def test_public_addresses_are_open_on_ports_of_databases_and_closed_on_those_of_others() -> None:
    for port in (5432, 3306, 1433, 1521, 6543, 26257):
        assert await guard()("93.184.216.34", port) == ["93.184.216.34"]
    for port in (22, 25, 6379, 11211, 10250):
        with pytest.raises(EgressRefused):
            await guard()("93.184.216.34", port)
    for port in (0, 70_000):
        with pytest.raises(EgressRefused):
            await guard()("93.184.216.34", port)


async def test_ports_of_databases_stay_closed_to_http() -> None:
    assert not EgressGate().rule(OUTSIDE)("93.184.216.34", "93.184.216.34", 5432)


async def test_what_the_operator_named_may_be_inside_but_never_a_metadata_service() -> None:
    assert await guard(allowing("127.0.0.1"))("127.0.0.1", 5432) == ["127.0.0.1"]
    assert await guard(EgressPolicy(private=True))("10.1.2.3", 5432) == ["10.1.2.3"]
    with pytest.raises(EgressRefused):
        await guard(EgressPolicy(private=True))("127.0.0.1", 5432)
    with pytest.raises(EgressRefused):
        await guard(allowing("169.254.169.254", "169.254.169.254:5432"))("169.254.169.254", 5432)


async def test_a_denied_host_is_denied_whatever_else_allows_it() -> None:
    policy = EgressPolicy(deny=parse_entries(("93.184.216.34",)), allow=parse_entries(("93.184.216.34",)))

    with pytest.raises(EgressRefused):
        await guard(policy)("93.184.216.34", 5432)


async def test_one_forbidden_address_among_the_answers_refuses_them_all(
    names: Callable[[Answers], list[str]],
) -> None:
    names({"db.example.com": [["93.184.216.34", "127.0.0.1"]]})

    with pytest.raises(EgressRefused):
        await guard()("db.example.com", 5432)


async def test_a_name_is_resolved_once_and_its_addresses_are_what_is_connected_to(
    names: Callable[[Answers], list[str]],
) -> None:
    asked = names({"flip.example.com": [["93.184.216.34", "2606:4700::1111"], ["127.0.0.1"]]})

    found = await guard()("flip.example.com", 5432)

    assert sorted(found) == ["2606:4700::1111", "93.184.216.34"]
    assert asked == ["flip.example.com"]
    with pytest.raises(EgressRefused):
        await guard()("flip.example.com", 5432)


async def test_a_name_nobody_knows_is_told_as_such(names: Callable[[Answers], list[str]]) -> None:
    names({})

    with pytest.raises(IntegrationUnavailable, match="cannot be resolved"):
        await guard()("nowhere.example.com", 5432)


async def test_a_tenants_list_narrows_what_it_may_reach() -> None:
    one = guard(None, "93.184.216.34:5432")

    assert await one("93.184.216.34", 5432) == ["93.184.216.34"]
    with pytest.raises(EgressRefused):
        await one("93.184.216.34", 5433)
    with pytest.raises(EgressRefused):
        await one("93.184.216.35", 5432)


async def test_a_tenants_list_opens_nothing_the_installation_closes() -> None:
    with pytest.raises(EgressRefused):
        await guard(None, "127.0.0.1")("127.0.0.1", 5432)


async def test_each_tenant_is_judged_by_its_own_list_as_it_is_now() -> None:
    lists = {"a": ("93.184.216.34",), "b": ("93.184.216.35",)}
    guards = address_guards(EgressGate(), lambda tenant_id: lists[tenant_id])
    one = guards("a")

    assert await one("93.184.216.34", 5432)
    with pytest.raises(EgressRefused):
        await guards("b")("93.184.216.34", 5432)
    lists["a"] = ("93.184.216.99",)
    with pytest.raises(EgressRefused):
        await one("93.184.216.34", 5432)


async def test_another_policy_counts_from_the_next_question_on_and_refusals_are_counted() -> None:
    gate = EgressGate(allowing("127.0.0.1"))
    one = DriverAddressGuard(gate, lambda: ())
    assert await one("127.0.0.1", 5432)

    gate.use_policy(EgressPolicy())

    with pytest.raises(EgressRefused):
        await one("127.0.0.1", 5432)
    assert gate.refusals[DRIVERS] == 1
