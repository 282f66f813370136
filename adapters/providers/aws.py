"""Proving to AWS who calls: SigV4 over each request, with keys found as the AWS SDKs find them."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

from adapters.providers.authentication import Authenticator
from adapters.providers.aws_signature import AwsKeys, Scope, signed
from adapters.providers.aws_sources import (
    AwsServices,
    auth_failure,
    environment_keys,
    profile_keys,
    read_profile,
)
from adapters.providers.family import Address
from adapters.providers.renewal import Renewed
from adapters.providers.token_requests import token_url
from application.ports.http import HttpRequest, HttpTransport
from application.ports.system import Clock
from domain.llm.failures import FailureKind

BEDROCK_SERVICE: Final = "bedrock"
"""The name in the signature's scope, for `bedrock-runtime` hosts too."""
BEARER_VARIABLE: Final = "AWS_BEARER_TOKEN_BEDROCK"
_FILE_TIMEOUT_S: Final = 5.0
_TOKEN_BYTES_MAX: Final = 64 * 1024
_PROFILE_DEPTH_MAX: Final = 5
_REGION: Final = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d{1,2}")
_UNSUPPORTED: Final = ("sso_session", "sso_start_url", "credential_process", "credential_source")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsIdentity:
    """Who to be. With keys given, those; with a profile named, that; else whoever the surroundings say.

    `role_arn` is assumed on top of what was found. `sts_url` replaces the region's endpoint.
    """

    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)
    profile: str = ""
    role_arn: str = ""
    session_name: str = ""
    external_id: str = field(default="", repr=False)
    sts_url: str = ""


def base_url(options: Mapping[str, str]) -> str:
    """Where a region's models are asked. Raises ValueError without a region, or for one that cannot be."""
    region = options.get("region", "")
    if not _REGION.fullmatch(region):
        raise ValueError("region: required for Bedrock, such as us-east-1")
    china = ".cn" if region.startswith("cn-") else ""
    return f"https://bedrock-runtime.{region}.amazonaws.com{china}"


def path(address: Address) -> str:
    """The request target of a model id, an inference profile or an ARN, as one segment."""
    stream = "-stream" if address.stream else ""
    model = _profile_of(address.model, address.options.get("region", ""))
    target = f"{address.base.path}/model/{quote(model, safe='-_.~')}/converse{stream}"
    return f"{target}?{address.base.query}" if address.base.query else target


def check_aws(values: Mapping[str, str]) -> None:
    """Raises ValueError, without any secret, for an identity that cannot work; asks nobody, reads no file."""
    if not _REGION.fullmatch(values.get("region", "")):
        raise ValueError("region: required to sign, such as us-east-1")
    if ("access_key_id" in values) != ("secret_access_key" in values):
        raise ValueError("access_key_id and secret_access_key go together")
    if "session_token" in values and "access_key_id" not in values:
        raise ValueError("session_token: belongs to an access_key_id")
    if "profile" in values and "access_key_id" in values:
        raise ValueError("profile: give either keys or a profile, not both")
    if any(not value.isprintable() for value in values.values()):
        raise ValueError("a value contains a line break or another control character")
    if "role_arn" in values and not values["role_arn"].startswith("arn:"):
        raise ValueError("role_arn: must be an ARN")
    if "role_arn" not in values and ("external_id" in values or "session_name" in values):
        raise ValueError("external_id and session_name belong to a role_arn")
    if "sts_url" in values:
        try:
            token_url(values["sts_url"])
        except ValueError as error:
            raise ValueError(f"sts_url {error}") from None


def aws_authenticator(
    values: Mapping[str, str], transport: HttpTransport, clock: Clock
) -> "AwsAuthenticator":
    """`values`: `region`, the fields of `AwsIdentity`, and AWS's own variables under their names.

    Raises ValueError as `check_aws` does.
    """
    check_aws(values)
    named = {field.name: values[field.name] for field in fields(AwsIdentity) if field.name in values}
    environ = {name: value for name, value in values.items() if name.isupper()}
    return AwsAuthenticator(transport, clock, values["region"], environ, AwsIdentity(**named))


_GEOGRAPHIES: Final = (("us-gov-", "us-gov"), ("us-", "us"), ("ca-", "us"), ("eu-", "eu"), ("ap-", "apac"))


def _profile_of(model: str, region: str) -> str:
    """The inference profile of the region where the catalogue says `regional.` for that of any geography."""
    if not model.startswith("regional."):
        return model
    for begin, geography in _GEOGRAPHIES:
        if region.startswith(begin):
            return geography + model.removeprefix("regional")
    return model.removeprefix("regional.")


class AwsAuthenticator(Authenticator):
    """Signs for one region. Keys with an end are renewed ahead of it."""

    def __init__(
        self,
        transport: HttpTransport,
        clock: Clock,
        region: str,
        environ: Mapping[str, str],
        identity: AwsIdentity | None = None,
        *,
        service: str = BEDROCK_SERVICE,
    ) -> None:
        self._clock = clock
        self._scope = Scope(region, service)
        self._environ = environ
        self._identity = identity or AwsIdentity()
        self._services = AwsServices(transport, clock, region, sts_url=self._identity.sts_url)
        self._keys = Renewed(self._found, lambda keys: keys.expires_at, clock)
        nobody_named = self._identity == AwsIdentity(sts_url=self._identity.sts_url)
        self._bearer = environ.get(BEARER_VARIABLE, "").strip() if nobody_named else ""

    async def sign(self, request: HttpRequest, credential: str) -> HttpRequest:  # noqa: ARG002 - one identity
        if self._bearer:
            # As in the SDKs: a Bedrock API key in the environment comes before every other source.
            proof = ("authorization", f"Bearer {self._bearer}")
            return request._replace(headers=(*request.headers, proof))
        return signed(request, await self._keys.current(), self._scope, self._clock.utc_now())

    async def _found(self) -> AwsKeys:
        identity = self._identity
        keys = await self._without_role()
        if not identity.role_arn:
            return keys
        return await self._services.assumed(
            identity.role_arn, keys, identity.session_name, identity.external_id
        )

    async def _without_role(self) -> AwsKeys:
        identity, environ = self._identity, self._environ
        if identity.access_key_id:
            return AwsKeys(identity.access_key_id, identity.secret_access_key, identity.session_token)
        if identity.profile:
            return await self._of_named_profile(identity.profile)
        return (
            environment_keys(environ)
            or await self._with_token(
                environ.get("AWS_ROLE_ARN", ""),
                environ.get("AWS_WEB_IDENTITY_TOKEN_FILE", ""),
                environ.get("AWS_ROLE_SESSION_NAME", ""),
            )
            or await self._of_surrounding_profile()
            or await self._services.container_keys(environ, await self._container_authorization())
            or await self._services.instance_keys(environ)
            or _nobody()
        )

    async def _of_named_profile(self, name: str) -> AwsKeys:
        keys = await self._of_profile(name, ())
        if keys is None:
            raise auth_failure(f"the AWS profile {name!r} has no keys and no role")
        return keys

    async def _of_surrounding_profile(self) -> AwsKeys | None:
        """None without a default profile; one that the environment names must be good for something."""
        if name := self._environ.get("AWS_PROFILE", ""):
            return await self._of_named_profile(name)
        return await self._of_profile("default", ())

    async def _of_profile(self, name: str, seen: tuple[str, ...]) -> AwsKeys | None:
        profile = await _on_a_thread(read_profile, self._environ, name)
        role_arn, session = profile.get("role_arn", ""), profile.get("role_session_name", "")
        if not role_arn or profile.get("source_profile") == name:
            keys = profile_keys(profile)
        else:
            keys = await self._with_token(role_arn, profile.get("web_identity_token_file", ""), session)
            source = profile.get("source_profile", "")
            if keys is None and source:
                if source in seen or len(seen) >= _PROFILE_DEPTH_MAX:
                    raise auth_failure(f"the AWS profile {name!r} leads back to itself")
                keys = await self._of_profile(source, (*seen, name))
        if keys is None:
            for setting in _UNSUPPORTED:
                if setting in profile:
                    raise auth_failure(
                        f"the AWS profile {name!r} uses {setting}, which Interchange does not run; put keys "
                        f"into the environment with `aws configure export-credentials`"
                    )
            return None
        if role_arn and profile.get("source_profile"):
            return await self._services.assumed(role_arn, keys, session, profile.get("external_id", ""))
        return keys

    async def _with_token(self, role_arn: str, token_file: str, session: str) -> AwsKeys | None:
        if not role_arn or not token_file:
            return None
        token = await _on_a_thread(_token_in, token_file)
        return await self._services.assumed_with_token(role_arn, token, session)

    async def _container_authorization(self) -> str:
        token_file = self._environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "")
        if token_file:
            return await _on_a_thread(_token_in, token_file)
        return self._environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")


def _nobody() -> AwsKeys:
    raise auth_failure(
        "no AWS credentials: give the provider `auth: {kind: aws, ...}`, a Bedrock API key, or one of the "
        "AWS SDKs' own sources (environment, profile, web identity, container, instance)"
    )


async def _on_a_thread(read: Callable[..., T], *arguments: object) -> T:
    """Files may lie on a network: their reading must not hold up the loop, nor for ever the caller."""
    try:
        async with asyncio.timeout(_FILE_TIMEOUT_S):
            return await asyncio.to_thread(read, *arguments)
    except TimeoutError:
        raise auth_failure("the AWS files cannot be read in time", kind=FailureKind.TIMEOUT) from None


def _token_in(path: str) -> str:
    """Raises UpstreamFailed when the file cannot be read; the platform renews its content."""
    try:
        token = Path(path).read_bytes()[:_TOKEN_BYTES_MAX].decode().strip()
    except (OSError, UnicodeDecodeError):
        raise auth_failure("the AWS token file cannot be read") from None
    if not token or "\n" in token or "\r" in token:
        raise auth_failure("the AWS token file holds no token")
    return token
