"""Tokens of Entra ID and Google Cloud, from identity providers on loopback, and how they are kept."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from adapters.http.transport import StreamlinedTransport
from adapters.memory.system import SteppingClock
from adapters.providers.authentication import Authenticator
from adapters.providers.identities import Authenticators
from application.ports.http import Endpoint, HttpRequest
from application.ports.llm import UpstreamFailed
from contracts.ports.llm_calls import until
from domain.llm.failures import FailureKind
from tests.identity.token_server import CLIENT, ROBOT, SECRET, TENANT, TokenServer, claims_of, token_server

REQUEST = HttpRequest(
    "POST", Endpoint("https", "up.example", 443), "/x", (("accept", "*/*"), ("authorization", "old")), b"{}"
)
ENTRA = {"tenant_id": TENANT, "client_id": CLIENT}


@pytest.fixture
async def tokens() -> AsyncIterator[TokenServer]:
    async with token_server() as tokens:
        yield tokens


@pytest.fixture
async def transport() -> AsyncIterator[StreamlinedTransport]:
    transport = StreamlinedTransport()
    yield transport
    await transport.aclose()


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock()


@pytest.fixture
def identities(transport: StreamlinedTransport, clock: SteppingClock) -> Authenticators:
    return Authenticators(transport, clock)


async def proof(identity: Authenticator) -> dict[str, str]:
    """The headers of a signed request."""
    signed = await identity.sign(REQUEST, "")
    assert (signed.body, signed.path, signed.endpoint) == (REQUEST.body, REQUEST.path, REQUEST.endpoint)
    assert [name for name, _ in signed.headers].count("authorization") == 1
    return dict(signed.headers)


async def refusal(identity: Authenticator) -> UpstreamFailed:
    with pytest.raises(UpstreamFailed) as caught:
        await identity.sign(REQUEST, "")
    assert not caught.value.failure.sent
    return caught.value


def google(document: Mapping[str, Any], **more: str) -> dict[str, str]:
    return {"credentials_json": json.dumps(document), **more}


# -- what each identity asks ------------------------------------------------------------------------


async def test_an_application_proves_itself_with_its_secret(
    tokens: TokenServer, identities: Authenticators
) -> None:
    values = {**ENTRA, "client_secret": SECRET, "authority_url": tokens.base_url}
    assert (await proof(identities.of("entra_client_secret", values)))["authorization"] == "Bearer token-1"
    assert tokens.asked[0][1]["scope"] == "https://cognitiveservices.azure.com/.default"


async def test_a_workload_proves_itself_with_the_file_as_it_is_at_that_moment(
    tokens: TokenServer, identities: Authenticators, clock: SteppingClock, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("federated-1\n")
    values = {**ENTRA, "token_file": str(file), "authority_url": tokens.base_url, "scope": "api://x/.default"}
    identity = identities.of("entra_workload_identity", values)
    await proof(identity)
    file.write_text("federated-2")
    clock.advance(3600)
    await proof(identity)
    assert [form["client_assertion"] for _, form in tokens.asked] == ["federated-1", "federated-2"]
    assert tokens.asked[0][1]["scope"] == "api://x/.default"


async def test_a_managed_identity_asks_its_machine(tokens: TokenServer, identities: Authenticators) -> None:
    values = {"endpoint_url": tokens.base_url, "client_id": CLIENT}
    assert (await proof(identities.of("entra_managed_identity", values)))["authorization"] == "Bearer token-1"
    path, query = tokens.asked[0]
    assert path == "/metadata/identity/oauth2/token"
    assert query["resource"] == "https://cognitiveservices.azure.com" and query["client_id"] == CLIENT


async def test_a_managed_identity_of_an_app_service_shows_its_header(
    tokens: TokenServer, identities: Authenticators
) -> None:
    values = {"endpoint_url": f"{tokens.base_url}/msi/token", "identity_header": SECRET}
    await proof(identities.of("entra_managed_identity", values))
    assert tokens.asked[0][0] == "/msi/token"


async def test_a_service_account_signs_a_grant(tokens: TokenServer, identities: Authenticators) -> None:
    document = tokens.service_account(quota_project_id="payer")
    headers = await proof(identities.of("google_credentials", google(document)))
    assert headers["authorization"] == "Bearer token-1" and headers["x-goog-user-project"] == "payer"
    head, claims = claims_of(tokens.asked[0][1]["assertion"])
    assert head == {"alg": "RS256", "typ": "JWT", "kid": "key-1"}
    assert claims["scope"] == "https://www.googleapis.com/auth/cloud-platform" and claims["iss"] == ROBOT
    assert claims["exp"] - claims["iat"] == 3600


async def test_credentials_may_lie_in_a_file(
    tokens: TokenServer, identities: Authenticators, tmp_path: Path
) -> None:
    file = tmp_path / "robot.json"
    file.write_text(json.dumps(tokens.service_account()))
    await proof(identities.of("google_credentials", {"credentials_file": str(file)}))


async def test_a_users_login_is_refreshed(tokens: TokenServer, identities: Authenticators) -> None:
    document = {
        "type": "authorized_user",
        "client_id": CLIENT,
        "client_secret": "x",
        "refresh_token": SECRET,
        "token_uri": f"{tokens.base_url}/google/token",
    }
    assert (await proof(identities.of("google_credentials", google(document))))["authorization"]


async def test_a_federated_workload_changes_its_token_and_borrows_a_service_accounts(
    tokens: TokenServer, identities: Authenticators, tmp_path: Path
) -> None:
    file = tmp_path / "subject"
    file.write_text("federated-file")
    document = tokens.external_account(
        {"file": str(file)}, service_account_impersonation_url=f"{tokens.base_url}/impersonate"
    )
    assert (await proof(identities.of("google_credentials", google(document))))["authorization"] == (
        "Bearer token-2"
    )
    (_, exchanged), (path, _) = tokens.asked
    assert exchanged["subject_token"] == "federated-file" and path == "/impersonate"
    assert exchanged["requested_token_type"].endswith("access_token")


async def test_a_federated_workloads_token_may_come_from_an_address_as_json(
    tokens: TokenServer, identities: Authenticators
) -> None:
    source = {
        "url": f"{tokens.base_url}/subject",
        "headers": {"X-Proof": "me"},
        "format": {"type": "json", "subject_token_field_name": "value"},
    }
    document = tokens.external_account(source, client_id="a", client_secret="b")
    await proof(identities.of("google_credentials", google(document)))
    assert tokens.asked[0][1]["subject_token"] == "federated-me"
    assert tokens.seen_headers[0]["authorization"].startswith("Basic ")


async def test_the_metadata_server_knows_the_machines_account(
    tokens: TokenServer, identities: Authenticators
) -> None:
    values = {"endpoint_url": tokens.base_url}
    assert (await proof(identities.of("google_metadata_server", values)))["authorization"] == "Bearer token-1"


# -- how tokens are kept ----------------------------------------------------------------------------


def entra(tokens: TokenServer) -> dict[str, str]:
    return {**ENTRA, "client_secret": SECRET, "authority_url": tokens.base_url}


async def test_a_token_serves_until_its_end_draws_near(
    tokens: TokenServer, identities: Authenticators, clock: SteppingClock
) -> None:
    identity = identities.of("entra_client_secret", entra(tokens))
    for _ in range(5):
        await proof(identity)
    clock.advance(3200)
    await proof(identity)
    assert len(tokens.issued) == 1
    clock.advance(500)
    assert (await proof(identity))["authorization"] == "Bearer token-2"


async def test_it_is_renewed_beside_the_requests_ahead_of_its_end(
    tokens: TokenServer, identities: Authenticators, clock: SteppingClock
) -> None:
    identity = identities.of("entra_client_secret", entra(tokens))
    await proof(identity)
    clock.advance(3600 - 200)
    assert (await proof(identity))["authorization"] == "Bearer token-1", "the old one serves meanwhile"
    await until(lambda: len(tokens.issued) == 2)
    clock.advance(199)
    assert (await proof(identity))["authorization"] == "Bearer token-2"
    assert len(tokens.asked) == 2


async def test_many_requests_at_once_ask_once_and_one_that_leaves_takes_nothing_away(
    tokens: TokenServer, identities: Authenticators
) -> None:
    tokens.held = asyncio.Event()
    identity = identities.of("entra_client_secret", entra(tokens))
    waiting = [asyncio.create_task(proof(identity)) for _ in range(20)]
    async with asyncio.timeout(5):
        await until(lambda: bool(tokens.asked))
        waiting[0].cancel()
        tokens.held.set()
        results = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert all(not isinstance(result, BaseException) for result in results[1:])
    assert len(tokens.asked) == 1


async def test_providers_of_one_identity_share_its_token(
    tokens: TokenServer, identities: Authenticators
) -> None:
    first = identities.of("entra_client_secret", entra(tokens))
    assert identities.of("entra_client_secret", entra(tokens)) is first
    assert identities.of("entra_client_secret", {**entra(tokens), "scope": "other"}) is not first


async def test_a_token_that_lives_shortly_still_serves_for_half_its_life(
    tokens: TokenServer, identities: Authenticators, clock: SteppingClock
) -> None:
    tokens.lifetime_s = 60
    identity = identities.of("entra_client_secret", entra(tokens))
    await proof(identity)
    clock.advance(25)
    await proof(identity)
    assert len(tokens.issued) == 1


# -- failures ---------------------------------------------------------------------------------------


async def test_a_refusal_is_an_authentication_failure_that_names_codes_only(
    tokens: TokenServer, identities: Authenticators
) -> None:
    values = {**entra(tokens), "client_secret": "wrong-Secret-9"}
    failure = (await refusal(identities.of("entra_client_secret", values))).failure
    assert failure.kind is FailureKind.AUTH
    assert failure.message == (
        "Microsoft Entra ID refused a token with status 401 (invalid_client, AADSTS7000215)"
    )


@pytest.mark.parametrize(("status", "kind"), [(429, FailureKind.OVERLOADED), (503, FailureKind.OVERLOADED)])
async def test_a_busy_identity_provider_is_overloaded(
    tokens: TokenServer, identities: Authenticators, status: int, kind: FailureKind
) -> None:
    tokens.refuses = (status, {"error": "temporarily_unavailable"})
    failed = await refusal(identities.of("entra_client_secret", entra(tokens)))
    assert failed.failure.kind is kind


async def test_an_identity_provider_that_cannot_be_reached_is_a_network_failure(
    identities: Authenticators,
) -> None:
    values = {**ENTRA, "client_secret": SECRET, "authority_url": "http://127.0.0.1:1"}
    assert (await refusal(identities.of("entra_client_secret", values))).failure.kind is FailureKind.NETWORK


@pytest.mark.parametrize(
    "answer",
    [
        {"token": "x"},
        {"access_token": "x"},
        {"access_token": "x\r\ny: z", "expires_in": 9},
        {"access_token": "x", "expires_in": -1},
        {"access_token": "x", "expires_in": "soon"},
        {"access_token": 7, "expires_in": 9},
    ],
)
async def test_an_answer_without_a_usable_token_is_refused(
    tokens: TokenServer, identities: Authenticators, answer: dict[str, Any]
) -> None:
    tokens.refuses = (200, answer)
    failed = await refusal(identities.of("entra_client_secret", entra(tokens)))
    assert failed.failure.kind is FailureKind.AUTH


async def test_a_token_file_that_is_gone_is_an_authentication_failure(
    tokens: TokenServer, identities: Authenticators, tmp_path: Path
) -> None:
    values = {**ENTRA, "token_file": str(tmp_path / "gone"), "authority_url": tokens.base_url}
    failed = await refusal(identities.of("entra_workload_identity", values))
    assert failed.failure.kind is FailureKind.AUTH and str(tmp_path) not in failed.failure.message


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        (
            "entra_client_secret",
            {**ENTRA, "client_secret": "s", "authority_url": "http://x.example"},
            "https",
        ),
        ("entra_managed_identity", {"endpoint_url": "http://x.example"}, "https"),
        ("google_metadata_server", {"endpoint_url": "http://x.example"}, "https"),
        ("google_credentials", {"credentials_json": "{"}, "not JSON"),
        ("google_credentials", {"credentials_json": "[]"}, "not a JSON object"),
        ("google_credentials", google({"type": "gdch_service_account"}), "gdch_service_account"),
        ("google_credentials", google({"type": "service_account", "client_email": "e"}), "private_key"),
        (
            "google_credentials",
            google({"type": "service_account", "client_email": "e", "private_key": "PEM-9"}),
            "not a private key",
        ),
        (
            "google_credentials",
            google({"type": "external_account", "credential_source": {"environment_id": "aws1", "url": "x"}}),
            "not supported",
        ),
        ("google_credentials", {"credentials_file": "/nowhere/at/all.json"}, "No such file"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_asked(
    identities: Authenticators, kind: str, values: dict[str, str], said: str
) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        identities.of(kind, values)
    assert "PEM-9" not in str(caught.value)
