"""OAuth tokens: one question for everybody, renewed in time, replaced when refused, never shown."""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jws
from joserfc.jwk import RSAKey

from adapters.http.transport import StreamlinedTransport
from domain.errors import EgressRefused, IntegrationUnavailable, InvalidConfiguration
from domain.vault.secret import SecretBytes
from tests.faults.scripted_server import ReceivedRequest, ScriptedPeer, ScriptedServer
from tests.unit.rest.world import Api, Reply, api, call, opened

SECRET = "client-secret-0123456789"
GRANT: dict[str, Any] = {"type": "oauth2_client_credentials", "client_id": "me", "scopes": ["a", "b"]}


class Issuer:
    """Gives numbered tokens; only the newest is good."""

    def __init__(self, **answer: Any) -> None:
        self.asked: list[dict[str, str]] = []
        self.answer = {"token_type": "Bearer", "expires_in": 3600, **answer}
        self.revoked: set[str] = set()

    def __call__(self, request: ReceivedRequest) -> Reply:
        if request.target == "/token":
            form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
            self.asked.append({**form, "authorization": request.header("authorization") or ""})
            return Reply({"access_token": f"token-{len(self.asked):08d}", **self.answer})
        sent = (request.header("authorization") or "").removeprefix("Bearer ")
        if sent != f"token-{len(self.asked):08d}" or sent in self.revoked:
            return Reply({"message": f"bad {sent}"}, status="401 Unauthorized")
        return Reply({"ok": True})


def open_with(world: Api, authentication: dict[str, Any], **secrets: str) -> Any:
    authentication = {"token_url": f"{world.url}/token", **authentication}
    return world.open({"a": {"method": "POST", "path": "/a"}}, authentication=authentication, secrets=secrets)


async def test_everybody_who_waits_shares_one_token() -> None:
    issuer = Issuer()
    async with api(issuer) as world:
        connector = open_with(world, GRANT, client_secret=SECRET)

        await asyncio.gather(*(connector.execute(call(connector, "a")) for _ in range(20)))

        assert len(issuer.asked) == 1
        assert issuer.asked[0]["grant_type"] == "client_credentials"
        assert issuer.asked[0]["scope"] == "a b"
        assert issuer.asked[0]["authorization"].startswith("Basic ")
        assert "client_secret" not in issuer.asked[0]


async def test_a_secret_in_the_form_is_an_option() -> None:
    issuer = Issuer()
    async with api(issuer) as world:
        connector = open_with(world, {**GRANT, "auth_style": "body", "audience": "x"}, client_secret=SECRET)

        await connector.execute(call(connector, "a"))

        assert issuer.asked[0]["client_secret"] == SECRET
        assert issuer.asked[0]["client_id"] == "me"
        assert issuer.asked[0]["audience"] == "x"


async def test_a_token_is_renewed_before_its_end() -> None:
    issuer = Issuer(expires_in=0)
    async with api(issuer) as world:
        connector = open_with(world, GRANT, client_secret=SECRET)

        await connector.execute(call(connector, "a"))
        await connector.execute(call(connector, "a"))

        assert len(issuer.asked) == 2


async def test_a_token_that_ends_in_flight_is_replaced_once() -> None:
    issuer = Issuer()
    async with api(issuer) as world:
        connector = open_with(world, GRANT, client_secret=SECRET)
        await connector.execute(call(connector, "a"))
        issuer.revoked.add("token-00000001")

        outcome = await connector.execute(call(connector, "a"))

        assert outcome.value["data"] == {"ok": True}
        assert len(issuer.asked) == 2


async def test_a_token_refused_again_is_the_end() -> None:
    issuer = Issuer()
    issuer.revoked |= {f"token-{number:08d}" for number in range(10)}
    async with api(issuer) as world:
        connector = open_with(world, GRANT, client_secret=SECRET)

        with pytest.raises(IntegrationUnavailable) as caught:
            await connector.execute(call(connector, "a"))

        assert len(issuer.asked) == 2
        assert "token-" not in caught.value.message


async def test_a_wrong_secret_is_not_tried_with_every_call() -> None:
    asked = 0

    def refusing(request: ReceivedRequest) -> Reply:
        nonlocal asked
        asked += 1
        return Reply({"error": "invalid_client", "error_description": SECRET}, status="401 Unauthorized")

    async with api(refusing) as world:
        connector = open_with(world, GRANT, client_secret=SECRET)

        for _ in range(5):
            with pytest.raises(IntegrationUnavailable) as caught:
                await connector.execute(call(connector, "a"))
            assert "401 (invalid_client)" in caught.value.message
            assert SECRET not in caught.value.message

        assert asked == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply({"access_token": "a\r\nx: y"}),
        Reply({"access_token": ""}),
        Reply({"access_token": 5}),
        Reply([1]),
        Reply(raw=b"not json"),
        Reply(raw=b"x" * 300_000),
        Reply({"access_token": "abc", "token_type": "mac"}),
        Reply({}, status="302 Found", headers={"Location": "http://169.254.169.254/"}),
        Reply({}, status="500 Oops"),
    ],
)
async def test_what_is_no_token_is_never_sent(reply: Reply) -> None:
    async with api(lambda _: reply) as world:
        connector = open_with(world, GRANT, client_secret=SECRET)

        with pytest.raises(IntegrationUnavailable, match="no token"):
            await connector.execute(call(connector, "a"))

        assert [asked.target for asked in world.asked] == ["/token"]


async def test_a_replaced_refresh_token_is_kept() -> None:
    kept: list[tuple[str, bytes]] = []

    async def keep(field: str, secret: SecretBytes) -> None:
        kept.append((field, secret.reveal()))

    issuer = Issuer(expires_in=0, refresh_token="second-refresh")
    async with api(issuer) as world:
        grant = {"type": "oauth2_refresh", "client_id": "me", "token_url": f"{world.url}/token"}
        connector = opened(
            {"endpoint": world.url, "authentication": grant, "tools": {"a": {"path": "/a"}}},
            secrets={"refresh_token": "first-refresh"},
            transport=world.transport,
            keep=keep,
        )

        await connector.execute(call(connector, "a"))
        await connector.execute(call(connector, "a"))

        assert [form["refresh_token"] for form in issuer.asked] == ["first-refresh", "second-refresh"]
        assert kept == [("refresh_token", b"second-refresh")]


async def test_a_signed_assertion_proves_who_we_are() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    issuer = Issuer()
    async with api(issuer) as world:
        grant = {**GRANT, "auth_style": "private_key_jwt", "key_id": "k1"}
        connector = open_with(world, grant, private_key=pem)

        await connector.execute(call(connector, "a"))

        [form] = issuer.asked
        signed = jws.deserialize_compact(
            form["client_assertion"], RSAKey.import_key(pem), algorithms=["RS256"]
        )
        claims = json.loads(signed.payload or b"")
        assert signed.headers()["kid"] == "k1"
        assert (claims["iss"], claims["sub"], claims["aud"]) == ("me", "me", f"{world.url}/token")
        assert claims["exp"] - claims["iat"] == 120


async def test_the_last_who_leaves_ends_the_question() -> None:
    async def silent(peer: ScriptedPeer) -> None:
        await peer.request()
        begun.set()
        await peer.gone()

    begun = asyncio.Event()
    async with api(lambda _: Reply()) as world, ScriptedServer(silent) as issuer:
        grant = {**GRANT, "token_url": f"http://127.0.0.1:{issuer.port}/token"}
        connector = open_with(world, grant, client_secret=SECRET)
        calls = [asyncio.create_task(connector.execute(call(connector, "a"))) for _ in range(2)]
        await begun.wait()

        calls[0].cancel()
        await asyncio.gather(calls[0], return_exceptions=True)
        assert issuer.connections == 1
        calls[1].cancel()
        await asyncio.gather(calls[1], return_exceptions=True)

        await issuer.left()
        assert world.asked == []


@pytest.mark.parametrize("url", ["http://issuer.example/token", "ftp://x/", "https://u:p@x/", "nonsense"])
async def test_secrets_go_to_no_token_address_without_tls(url: str) -> None:
    async with api(lambda _: Reply()) as world:
        with pytest.raises(InvalidConfiguration) as caught:
            open_with(world, {**GRANT, "token_url": url}, client_secret=SECRET)

        assert caught.value.param == "authentication.token_url"


async def test_closing_ends_a_question_for_everybody() -> None:
    async def silent(peer: ScriptedPeer) -> None:
        await peer.request()
        begun.set()
        await peer.gone()

    begun = asyncio.Event()
    async with api(lambda _: Reply()) as world, ScriptedServer(silent) as issuer:
        grant = {**GRANT, "token_url": f"http://127.0.0.1:{issuer.port}/token"}
        connector = open_with(world, grant, client_secret=SECRET)
        waiting = asyncio.create_task(connector.execute(call(connector, "a")))
        await begun.wait()

        await connector.aclose()

        with pytest.raises(IntegrationUnavailable, match="closed"):
            await waiting
        await issuer.left()


async def test_a_token_address_that_egress_forbids_is_said_as_such() -> None:
    transport = StreamlinedTransport(allow=lambda host, ip, port: False)
    grant = {**GRANT, "token_url": "https://127.0.0.1:9/token"}
    connector = opened(
        {"endpoint": "https://127.0.0.1:9", "authentication": grant, "tools": {"a": {"path": "/a"}}},
        secrets={"client_secret": SECRET},
        transport=transport,
    )

    with pytest.raises(EgressRefused, match="token_url"):
        await connector.execute(call(connector, "a"))
    await transport.aclose()
