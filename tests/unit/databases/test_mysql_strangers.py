"""Servers that want more than they should get, and what MySQL itself is told."""

import re

import pytest

from adapters.databases.destination import Destination, TlsMode
from adapters.databases.mysql import MySqlEngine
from adapters.databases.sessions import PoolSettings
from application.ports.database_engine import Limits, Statement
from contracts.ports.database_engine import becomes
from domain.errors import IntegrationUnavailable, ToolFailed
from domain.vault.secret import SecretBytes
from tests.unit.databases.mysql_impostor import OK, MySqlImpostor

LIMITS = Limits(rows=10, bytes=10_000, timeout_s=2.5)
READ = Statement("SELECT 1", {})


async def _here(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


def _engine(server: MySqlImpostor, tls: TlsMode = TlsMode.OFF) -> MySqlEngine:
    return MySqlEngine(
        Destination(
            host="localhost",
            port=server.port,
            database="shop",
            username="agent",
            password=SecretBytes(b"correct horse"),
            tls=tls,
            ca_pem="",
            guard=_here,
        ),
        PoolSettings(places=1),
    )


def _clear(packets: list[bytes]) -> bool:
    return any(b"correct horse" in packet for packet in packets)


async def test_without_the_tls_that_was_asked_for_nobody_logs_in() -> None:
    async with MySqlImpostor() as server:
        engine = _engine(server, TlsMode.REQUIRE)

        with pytest.raises(IntegrationUnavailable, match="no TLS"):
            await engine.read(READ, LIMITS)

        await engine.aclose()
        assert server.packets == []


async def test_words_slipped_in_before_tls_are_not_taken_for_the_servers() -> None:
    async with MySqlImpostor(tls=True, after_greeting=b"\x07\x00\x00\x02" + OK) as server:
        engine = _engine(server, TlsMode.REQUIRE)

        with pytest.raises(IntegrationUnavailable, match="more than its greeting"):
            await engine.read(READ, LIMITS)

        await engine.aclose()


@pytest.mark.parametrize("plugin", [b"mysql_clear_password", b"mysql_old_password", b"dialog"])
async def test_a_password_is_not_sent_in_clear_to_whoever_asks(plugin: bytes) -> None:
    async with MySqlImpostor(to_login=[b"\xfe" + plugin + b"\x00salt\x00", OK]) as server:
        engine = _engine(server)

        with pytest.raises(IntegrationUnavailable, match="in clear"):
            await engine.read(READ, LIMITS)

        await engine.aclose()
        assert not _clear(server.packets)


async def test_a_server_that_asks_for_a_file_of_ours_gets_none() -> None:
    async with MySqlImpostor(lambda text: [b"\xfb/etc/hostname"] if "SELECT" in text else [OK]) as server:
        engine = _engine(server)

        with pytest.raises(IntegrationUnavailable):
            await engine.read(READ, LIMITS)

        await engine.aclose()
        assert server.packets[-1].startswith((b"\x03SELECT", b"\x03KILL"))


@pytest.mark.parametrize("nonsense", [b"\x01", b"\x05\x00", b"", b"\xff", b"\xfc"])
async def test_what_is_not_the_protocol_is_told_and_closed(nonsense: bytes) -> None:
    async with MySqlImpostor(lambda text: [nonsense] * 5 if "SELECT" in text else [OK]) as server:
        engine = _engine(server)

        with pytest.raises((IntegrationUnavailable, ToolFailed, TimeoutError)):
            await engine.read(READ, LIMITS._replace(timeout_s=0.2))

        await engine.aclose()
        assert engine.figures().open == 0


async def test_mysql_is_told_its_own_words() -> None:
    async with MySqlImpostor(lambda text: None if text == "SELECT 1" else [OK]) as server:
        engine = _engine(server)
        with pytest.raises(IntegrationUnavailable):
            await engine.read(READ, LIMITS)
        await engine.aclose()

    settings, begin = server.heard[:2]
    assert "transaction_read_only=1" in settings and "max_execution_time=2500" in settings
    assert "tx_read_only" not in settings and "max_statement_time" not in settings
    assert re.search(r"sql_mode='[A-Z_,]+'", settings) and "BACKSLASH" not in settings
    assert begin == "START TRANSACTION READ ONLY"


async def test_newer_mariadb_is_told_the_newer_name() -> None:
    async with MySqlImpostor(version="5.5.5-11.4.2-MariaDB") as server:
        engine = _engine(server)
        await engine.read(READ, LIMITS)
        await engine.aclose()

    assert server.heard[0] == "SELECT CURRENT_ROLE()"
    assert ", transaction_read_only=1, max_statement_time=2.500," in server.heard[1]


async def test_what_was_used_is_reset_before_it_is_used_again() -> None:
    async with MySqlImpostor() as server:
        engine = _engine(server)
        for _ in range(2):
            await engine.write(Statement("DELETE FROM t", {}), LIMITS)

        async def reset_twice() -> bool:
            return len(server.packets) >= 15

        assert await becomes(reset_twice)
        await engine.aclose()

    first = [packet[:12] for packet in server.packets[1:8]]
    assert first == [
        b"\x03SET charact", b"\x03START TRANS", b"\x03DELETE FROM", b"\x03COMMIT", b"\x1f", b"\x02shop",
        b"\x03SET ROLE DE",
    ]  # fmt: skip
