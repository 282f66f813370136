"""Where AWS keys come from, each source against a fake of its service on loopback."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.http.transport import StreamlinedTransport
from adapters.memory.system import SteppingClock
from adapters.providers.authentication import Authenticator
from adapters.providers.identities import Authenticators, check_identity
from application.ports.http import Endpoint, HttpRequest
from application.ports.llm import UpstreamFailed
from contracts.ports.llm_calls import until
from domain.llm.failures import Failure, FailureKind
from tests.identity.aws_server import ROLE, AwsServer, aws_server

KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
STATIC = {"access_key_id": KEY_ID, "secret_access_key": SECRET}
REQUEST = HttpRequest("POST", Endpoint("https", "up.example", 443), "/x", (("accept", "*/*"),), b"{}")


@pytest.fixture
async def aws() -> AsyncIterator[AwsServer]:
    async with aws_server() as aws:
        yield aws


@pytest.fixture
async def transport() -> AsyncIterator[StreamlinedTransport]:
    transport = StreamlinedTransport()
    yield transport
    await transport.aclose()


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock()


class Identities:
    """Identities in surroundings where nothing is found by chance."""

    def __init__(self, transport: StreamlinedTransport, clock: SteppingClock, home: Path, aws: AwsServer):
        self._made = Authenticators(transport, clock)
        self._usual = {
            "region": "eu-central-1",
            "sts_url": aws.base_url,
            "HOME": str(home),
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def of(self, values: dict[str, str] | None = None, /, **environ: str) -> Authenticator:
        return self._made.of("aws", {**self._usual, **(values or {}), **environ})


@pytest.fixture
def identities(
    transport: StreamlinedTransport, clock: SteppingClock, tmp_path: Path, aws: AwsServer
) -> Identities:
    return Identities(transport, clock, tmp_path, aws)


async def signer(identity: Authenticator) -> str:
    """The access key id a request was signed with, and whether a token went along."""
    headers = dict((await identity.sign(REQUEST, "")).headers)
    key_id = headers["authorization"].partition("Credential=")[2].partition("/")[0]
    assert "/eu-central-1/bedrock/aws4_request" in headers["authorization"]
    token = headers.get("x-amz-security-token", "")
    return f"{key_id} {token}".strip()


async def refusal(identity: Authenticator) -> Failure:
    with pytest.raises(UpstreamFailed) as caught:
        await identity.sign(REQUEST, "")
    assert not caught.value.failure.sent
    return caught.value.failure


def files(home: Path, config: str, credentials: str = "") -> None:
    (home / ".aws").mkdir()
    (home / ".aws/config").write_text(config)
    (home / ".aws/credentials").write_text(credentials)


async def test_keys_of_the_configuration_come_before_the_environments(identities: Identities) -> None:
    found = identities.of(STATIC, AWS_ACCESS_KEY_ID="OTHER", AWS_SECRET_ACCESS_KEY="o")
    assert await signer(found) == KEY_ID
    assert await signer(identities.of({**STATIC, "session_token": "t-1"})) == f"{KEY_ID} t-1"


async def test_the_environments_keys_serve_without_any(identities: Identities) -> None:
    environ = {"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
    assert await signer(identities.of(**environ)) == "ENV t"


async def test_an_api_key_in_the_environment_comes_first_where_nobody_is_named(
    identities: Identities,
) -> None:
    environ = {"AWS_BEARER_TOKEN_BEDROCK": "key-1", "AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "s"}
    headers = dict((await identities.of(**environ).sign(REQUEST, "")).headers)
    assert headers["authorization"] == "Bearer key-1" and "x-amz-date" not in headers
    assert await signer(identities.of(STATIC, **environ)) == KEY_ID


async def test_profiles_are_read_and_the_credentials_file_wins(
    identities: Identities, tmp_path: Path
) -> None:
    files(
        tmp_path,
        "[default]\naws_access_key_id = A\naws_secret_access_key = s\n"
        "[profile work]\naws_access_key_id = B\naws_secret_access_key = s\n",
        "[work]\naws_access_key_id = C\naws_secret_access_key = s\naws_session_token = t\n",
    )
    assert await signer(identities.of()) == "A"
    assert await signer(identities.of({"profile": "work"})) == "C t"
    assert await signer(identities.of(AWS_PROFILE="work")) == "C t"


async def test_a_profile_assumes_its_role_with_the_keys_of_another(
    identities: Identities, tmp_path: Path, aws: AwsServer
) -> None:
    role = f"[profile prod]\nrole_arn = {ROLE}\nsource_profile = base\nexternal_id = e-1\n"
    files(tmp_path, role, "[base]\naws_access_key_id = BASE\naws_secret_access_key = s\n")
    assert await signer(identities.of({"profile": "prod"})) == "LENT1 token-of-LENT1"
    ((action, fields, headers),) = aws.asked
    assert (action, fields["RoleArn"], fields["ExternalId"]) == ("AssumeRole", ROLE, "e-1")
    assert "Credential=BASE/" in headers["Authorization"]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (f"[profile x]\nrole_arn = {ROLE}\nsource_profile = y\n"
         f"[profile y]\nrole_arn = {ROLE}\nsource_profile = x\n", "leads back to itself"),
        ("[profile x]\nsso_session = corp\n", "sso_session"),
        ("[profile x]\ncredential_process = /bin/keys\n", "credential_process"),
        ("[profile other]\n", "has no keys and no role"),
        ("no file at all", "cannot be read"),
    ],
    ids=["circle", "sign-on", "program", "unknown", "broken"],
)  # fmt: skip
async def test_a_profile_that_is_good_for_nothing_says_why(
    identities: Identities, tmp_path: Path, config: str, said: str
) -> None:
    files(tmp_path, config)
    for identity in (identities.of({"profile": "x"}), identities.of(AWS_PROFILE="x")):
        failure = await refusal(identity)
        assert failure.kind is FailureKind.AUTH and said in failure.message


async def test_a_web_identity_is_exchanged_for_keys(
    identities: Identities, tmp_path: Path, aws: AwsServer
) -> None:
    file = tmp_path / "token"
    file.write_text("jwt-1\n")
    environ = {
        "AWS_ROLE_ARN": ROLE,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(file),
        "AWS_ROLE_SESSION_NAME": "pod-1",
    }
    assert await signer(identities.of(**environ)) == "LENT1 token-of-LENT1"
    ((action, fields, headers),) = aws.asked
    assert (action, fields["RoleSessionName"]) == ("AssumeRoleWithWebIdentity", "pod-1")
    assert "Authorization" not in headers


async def test_a_token_file_that_is_missing_or_refused_ends_the_search(
    identities: Identities, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    environ = {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": str(file)}
    assert "cannot be read" in (await refusal(identities.of(**environ))).message
    file.write_text("jwt-of-somebody")
    failure = await refusal(identities.of(**environ))
    assert failure.kind is FailureKind.AUTH
    assert failure.message == "STS AssumeRoleWithWebIdentity answered 403 AccessDenied"


async def test_a_containers_agent_lends_keys_for_its_token(
    identities: Identities, tmp_path: Path, aws: AwsServer
) -> None:
    file = tmp_path / "agent"
    file.write_text("agent-1")
    url = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{aws.base_url}/container"}
    told = identities.of(**url, AWS_CONTAINER_AUTHORIZATION_TOKEN="agent-1")
    from_file = identities.of(**url, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(file))
    assert await signer(told) == "LENT1 token-of-LENT1"
    assert await signer(from_file) == "LENT2 token-of-LENT2"
    assert (await refusal(identities.of(**url))).kind is FailureKind.AUTH


@pytest.mark.parametrize(
    "environ",
    [
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://keys.example/"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "ftp://169.254.170.2/"},
        {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "@keys.example/"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "https://keys.example:port/"},
    ],
)
async def test_an_agent_elsewhere_is_never_asked(identities: Identities, environ: dict[str, str]) -> None:
    failure = await refusal(identities.of(**environ, AWS_CONTAINER_AUTHORIZATION_TOKEN="agent-1"))
    assert failure.kind is FailureKind.AUTH and "agent-1" not in failure.message


async def test_an_instances_role_is_asked_last_and_with_a_session(
    identities: Identities, aws: AwsServer
) -> None:
    environ = {"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"{aws.base_url}/"}
    assert await signer(identities.of(**environ)) == "LENT1 token-of-LENT1"
    assert [path for path, _, _ in aws.asked] == [
        "PUT /latest/api/token",
        "GET /latest/meta-data/iam/security-credentials/",
        "GET /latest/meta-data/iam/security-credentials/models",
    ]


async def test_a_role_of_the_configuration_is_assumed_on_top(identities: Identities, aws: AwsServer) -> None:
    role = {"role_arn": ROLE, "session_name": "gateway", "external_id": "e-2"}
    assert await signer(identities.of({**STATIC, **role})) == "LENT1 token-of-LENT1"
    ((_, fields, headers),) = aws.asked
    assert (fields["RoleSessionName"], fields["ExternalId"]) == ("gateway", "e-2")
    assert f"Credential={KEY_ID}/" in headers["Authorization"]


async def test_lent_keys_are_kept_and_renewed_ahead_of_their_end(
    identities: Identities, aws: AwsServer, clock: SteppingClock
) -> None:
    aws.ends_at = clock.utc_now() + timedelta(hours=1)
    identity = identities.of({**STATIC, "role_arn": ROLE})
    waiting = [asyncio.create_task(signer(identity)) for _ in range(10)]
    assert set(await asyncio.gather(*waiting)) == {"LENT1 token-of-LENT1"}
    clock.advance(3600 - 300)
    aws.ends_at = clock.utc_now() + timedelta(hours=1)
    assert await signer(identity) == "LENT1 token-of-LENT1", "the old ones serve meanwhile"
    await until(lambda: aws.lent == 2)
    await until(lambda: len(aws.asked) == 2)
    clock.advance(299)
    assert await signer(identity) == "LENT2 token-of-LENT2"


async def test_a_busy_lender_is_overloaded(identities: Identities, aws: AwsServer) -> None:
    aws.status = 503
    assert (await refusal(identities.of({**STATIC, "role_arn": ROLE}))).kind is FailureKind.OVERLOADED


async def test_a_lender_that_cannot_be_reached_is_a_network_failure(identities: Identities) -> None:
    values = {**STATIC, "role_arn": ROLE, "sts_url": "http://127.0.0.1:1"}
    failure = await refusal(identities.of(values))
    assert failure.kind is FailureKind.NETWORK and SECRET not in failure.message


async def test_nobody_is_an_authentication_failure_that_names_the_ways(identities: Identities) -> None:
    failure = await refusal(identities.of())
    assert failure.kind is FailureKind.AUTH and "auth: {kind: aws" in failure.message


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "region"),
        ({"region": "Frankfurt"}, "region"),
        ({"region": "eu-central-1", "access_key_id": "A"}, "go together"),
        ({"region": "eu-central-1", "session_token": "t"}, "session_token"),
        ({"region": "eu-central-1", **STATIC, "profile": "p"}, "profile"),
        ({"region": "eu-central-1", "role_arn": "models"}, "role_arn"),
        ({"region": "eu-central-1", "external_id": "e"}, "belong to a role_arn"),
        ({"region": "eu-central-1", "sts_url": "http://sts.example"}, "sts_url"),
        ({"region": "eu-central-1", **STATIC, "session_token": "a\nb"}, "line break"),
    ],
)
def test_an_identity_that_cannot_work_is_told_before_anybody_is_asked(
    values: dict[str, str], said: str
) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        check_identity("aws", values)
    assert SECRET not in str(caught.value)
