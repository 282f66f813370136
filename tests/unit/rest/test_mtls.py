"""A client certificate is shown to its own host, on connections that nobody else uses."""

import ssl
from typing import Any

import pytest
import trustme

from adapters.http.tls import TlsPolicy
from domain.errors import IntegrationUnavailable, InvalidConfiguration
from tests.faults.scripted_server import ReceivedRequest
from tests.unit.rest.world import Api, Reply, api, call

AUTHORITY = trustme.CA()
PEM = AUTHORITY.cert_pem.bytes().decode()
HOST = "127.0.0.1"


def client(authority: trustme.CA = AUTHORITY) -> dict[str, str]:
    leaf = authority.issue_cert("client@example.org")
    certificate = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
    return {"certificate": certificate.decode(), "private_key": leaf.private_key_pem.bytes().decode()}


def serving(*, demanding: bool, most: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(HOST).configure_cert(context)
    if demanding:
        context.verify_mode = ssl.CERT_REQUIRED
        AUTHORITY.configure_trust(context)
    if most is not None:
        context.maximum_version = most
    return context


def fine(request: ReceivedRequest) -> Reply:
    del request
    return Reply({"ok": True})


def opening(world: Api, secrets: dict[str, str] | None, **more: Any) -> Any:
    kind = "none" if secrets is None else "mtls"
    return world.open(
        {"a": {"path": "/a"}},
        authentication={"type": kind},
        secrets=secrets,
        retries={"max": 0},
        tls={"authority": PEM, **more},
    )


async def test_a_certificate_lets_us_in() -> None:
    async with api(fine, tls=TlsPolicy(), server_tls=serving(demanding=True)) as world:
        connector = opening(world, client())

        outcome = await connector.execute(call(connector, "a"))

        assert outcome.value["data"] == {"ok": True}


async def test_without_one_or_with_anothers_nobody_gets_in() -> None:
    async with api(fine, tls=TlsPolicy(), server_tls=serving(demanding=True)) as world:
        for secrets in (None, client(trustme.CA())):
            connector = opening(world, secrets)

            with pytest.raises(IntegrationUnavailable):
                await connector.execute(call(connector, "a"))


async def test_connections_of_one_certificate_serve_nobody_else() -> None:
    async with api(fine, tls=TlsPolicy(), server_tls=serving(demanding=True)) as world:
        proven, other = opening(world, client()), opening(world, None)
        await proven.execute(call(proven, "a"))
        await proven.execute(call(proven, "a"))
        assert world.server.connections == 1

        with pytest.raises(IntegrationUnavailable):
            await other.execute(call(other, "a"))


async def test_tls_1_2_is_an_option_of_one_integration() -> None:
    old = serving(demanding=False, most=ssl.TLSVersion.TLSv1_2)
    async with api(fine, tls=TlsPolicy(), server_tls=old) as world:
        modern, lenient = opening(world, None), opening(world, None, tls12=True)

        with pytest.raises(IntegrationUnavailable):
            await modern.execute(call(modern, "a"))
        assert (await lenient.execute(call(lenient, "a"))).value["data"] == {"ok": True}


@pytest.mark.parametrize(
    "secrets",
    [
        {},
        {"certificate": "x", "private_key": "y"},
        {"certificate": client()["certificate"], "private_key": client()["private_key"]},
        {"certificate": client()["certificate"]},
    ],
)
async def test_a_pair_that_is_none_is_a_mistake_of_the_configuration(secrets: dict[str, str]) -> None:
    async with api(fine, tls=TlsPolicy(), server_tls=serving(demanding=False)) as world:
        with pytest.raises(InvalidConfiguration) as caught:
            opening(world, secrets)

        assert "PRIVATE KEY" not in f"{caught.value!r} {caught.value.message}"
