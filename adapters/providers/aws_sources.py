"""Where AWS keys come from: the environment, files, and the services that lend them for a while.

The order and the variables are those of the AWS SDKs ("Standardized credential providers" of their
reference guide). A source that is not set up gives None and the next one is asked; one that is set up and
fails ends the search, because silently using other keys would be worse.
"""

import configparser
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec

from adapters.providers.aws_signature import AwsKeys, Scope, signed
from application.ports.http import Endpoint, HttpRequest, HttpTransport, TransportFailed, TransportStage
from application.ports.llm import UpstreamFailed
from application.ports.system import Clock
from domain.llm.failures import Failure, FailureKind

SERVICE_TIMEOUT_S: Final = 5.0
INSTANCE_TIMEOUT_S: Final = 1.0
"""What the SDKs grant the instance's metadata service: elsewhere nobody answers at that address."""
ANSWER_BYTES_MAX: Final = 64 * 1024
_FILE_BYTES_MAX: Final = 1024 * 1024
_CONTAINER_HOSTS: Final = frozenset({"169.254.170.2", "169.254.170.23", "fd00:ec2::23"})
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_SESSION_NAME: Final = "interchange"
_STS_TAG: Final = re.compile(r"<(AccessKeyId|SecretAccessKey|SessionToken|Expiration|Code)>([^<]*)</")


def auth_failure(message: str, *, kind: FailureKind = FailureKind.AUTH) -> UpstreamFailed:
    """No proof to be had; nothing reached the model's provider."""
    return UpstreamFailed(Failure(kind=kind, message=message, sent=False))


def environment_keys(environ: Mapping[str, str]) -> AwsKeys | None:
    """Keys in the environment itself."""
    key_id, secret = environ.get("AWS_ACCESS_KEY_ID", ""), environ.get("AWS_SECRET_ACCESS_KEY", "")
    return AwsKeys(key_id, secret, environ.get("AWS_SESSION_TOKEN", "")) if key_id and secret else None


def read_profile(environ: Mapping[str, str], name: str) -> dict[str, str]:
    """One profile of the shared files, the credentials file before the configuration file; maybe empty.

    Reads files: run it on a thread. Raises UpstreamFailed for a file that cannot be read.
    """
    found: dict[str, str] = {}
    home = Path(environ.get("HOME", "~")).expanduser()
    for variable, default, section in (
        ("AWS_CONFIG_FILE", home / ".aws/config", name if name == "default" else f"profile {name}"),
        ("AWS_SHARED_CREDENTIALS_FILE", home / ".aws/credentials", name),
    ):
        path = Path(environ.get(variable) or default).expanduser()
        parser = configparser.RawConfigParser()
        try:
            if not path.is_file():
                continue
            parser.read_string(path.read_bytes()[:_FILE_BYTES_MAX].decode())
        except (OSError, UnicodeDecodeError, configparser.Error):
            raise auth_failure(f"the AWS file {path.name} cannot be read") from None
        if parser.has_section(section):
            found |= dict(parser.items(section))
    return found


def profile_keys(profile: Mapping[str, str]) -> AwsKeys | None:
    """Keys that stand in the profile itself."""
    key_id, secret = profile.get("aws_access_key_id", ""), profile.get("aws_secret_access_key", "")
    return AwsKeys(key_id, secret, profile.get("aws_session_token", "")) if key_id and secret else None


class AwsServices:
    """The services that lend keys: STS, the container agent, the instance's metadata service.

    Every request is tried once within `SERVICE_TIMEOUT_S` or `INSTANCE_TIMEOUT_S`.
    """

    def __init__(self, transport: HttpTransport, clock: Clock, region: str, *, sts_url: str = "") -> None:
        self._transport = transport
        self._clock = clock
        self._region = region
        domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        self._sts = sts_url.rstrip("/") or f"https://sts.{region}.{domain}"

    async def assumed_with_token(self, role_arn: str, token: str, session: str) -> AwsKeys:
        """Keys of a role, for a token of an identity provider the role trusts. Raises UpstreamFailed."""
        fields = {"RoleArn": role_arn, "RoleSessionName": session or _SESSION_NAME, "WebIdentityToken": token}
        return await self._sts_keys("AssumeRoleWithWebIdentity", fields, None)

    async def assumed(self, role_arn: str, source: AwsKeys, session: str, external_id: str) -> AwsKeys:
        """Keys of a role, for keys that may assume it. Raises UpstreamFailed."""
        fields = {"RoleArn": role_arn, "RoleSessionName": session or _SESSION_NAME}
        if external_id:
            fields["ExternalId"] = external_id
        return await self._sts_keys("AssumeRole", fields, source)

    async def container_keys(self, environ: Mapping[str, str], authorization: str) -> AwsKeys | None:
        """Keys of the task or pod this runs in; None outside of one. Raises UpstreamFailed."""
        url = environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")
        relative = environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "")
        if relative:
            url = "http://169.254.170.2" + relative
        if not url:
            return None
        parts = urlsplit(url)
        near = parts.scheme == "http" and parts.hostname in _CONTAINER_HOSTS | _LOOPBACK
        if parts.scheme != "https" and not near:
            raise auth_failure("AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor an address of AWS")
        headers = (("authorization", authorization),) if authorization else ()
        body = await self._fetch("GET", url, headers, what="the container's credentials")
        return _keys_from_json(body)

    async def instance_keys(self, environ: Mapping[str, str]) -> AwsKeys | None:
        """Keys of the instance's role (IMDSv2); None where no such service answers. Raises UpstreamFailed."""
        if environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
            return None
        base = environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "") or "http://169.254.169.254"
        base = base.rstrip("/")
        lifetime = (("x-aws-ec2-metadata-token-ttl-seconds", "21600"),)
        try:
            token = await self._instance("PUT", f"{base}/latest/api/token", lifetime)
        except UpstreamFailed:
            return None  # Not on an instance: that is the usual case, not a failure.
        proof = (("x-aws-ec2-metadata-token", token.decode("latin-1").strip()),)
        root = f"{base}/latest/meta-data/iam/security-credentials/"
        role = (await self._instance("GET", root, proof)).decode("latin-1").strip().split("\n")[0]
        return _keys_from_json(await self._instance("GET", root + role, proof))

    async def _instance(self, method: str, url: str, headers: tuple[tuple[str, str], ...]) -> bytes:
        what = "the instance's metadata service"
        return await self._fetch(method, url, headers, what=what, timeout_s=INSTANCE_TIMEOUT_S)

    async def _sts_keys(self, action: str, fields: dict[str, str], source: AwsKeys | None) -> AwsKeys:
        form = urlencode({"Action": action, "Version": "2011-06-15", **fields}).encode()
        headers = (("content-type", "application/x-www-form-urlencoded"),)
        answer = await self._fetch(
            "POST", self._sts + "/", headers, form, what=f"STS {action}", signed_with=source
        )
        found = dict(_STS_TAG.findall(answer.decode("utf-8", "replace")))
        return _keys(found, token_name="SessionToken", what=f"STS {action}")  # noqa: S106 - a field's name

    async def _fetch(
        self,
        method: str,
        url: str,
        headers: tuple[tuple[str, str], ...],
        body: bytes = b"",
        *,
        what: str,
        timeout_s: float = SERVICE_TIMEOUT_S,
        signed_with: AwsKeys | None = None,
    ) -> bytes:
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            raise auth_failure(f"{what}: the address cannot be read") from None
        endpoint = Endpoint(parts.scheme, parts.hostname or "", port)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        request = HttpRequest(
            method, endpoint, path, headers, body, connect_timeout_s=timeout_s, total_timeout_s=timeout_s
        )
        if signed_with is not None:
            request = signed(request, signed_with, Scope(self._region, "sts"), self._clock.utc_now())
        try:
            response = await self._transport.send(request)
            answer = await response.read()
        except TransportFailed as error:
            late = error.stage in (TransportStage.HEADERS_TIMEOUT, TransportStage.BODY_TIMEOUT)
            kind = FailureKind.TIMEOUT if late else FailureKind.NETWORK
            kind = FailureKind.EGRESS_REFUSED if error.by_rule else kind
            raise auth_failure(f"{what}: {error.stage.value}", kind=kind) from None
        if response.status != 200:
            code = dict(_STS_TAG.findall(answer[:ANSWER_BYTES_MAX].decode("utf-8", "replace"))).get("Code")
            busy = response.status == 429 or response.status >= 500
            kind = FailureKind.OVERLOADED if busy else FailureKind.AUTH
            raise auth_failure(f"{what} answered {response.status} {code or ''}".rstrip(), kind=kind)
        return answer[:ANSWER_BYTES_MAX]


def _keys_from_json(body: bytes) -> AwsKeys:
    what = "the service that lends AWS keys"
    try:
        found: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise auth_failure(f"{what} gave no JSON") from None
    if not isinstance(found, dict):
        raise auth_failure(f"{what} gave no object")
    return _keys(found, token_name="Token", what=what)  # noqa: S106 - a field's name


def _keys(found: Mapping[str, Any], *, token_name: str, what: str) -> AwsKeys:
    """Raises UpstreamFailed when a part is missing or no text that fits a header."""
    names = ("AccessKeyId", "SecretAccessKey", token_name, "Expiration")
    key_id, secret, token, expires_at = (found.get(name) or "" for name in names)
    whole = all(isinstance(part, str) and part.isprintable() for part in (key_id, secret, token, expires_at))
    if not whole or not key_id or not secret:
        raise auth_failure(f"{what} gave no keys")
    try:
        ends_at = datetime.fromisoformat(expires_at).astimezone(UTC) if expires_at else None
    except (ValueError, OverflowError):
        raise auth_failure(f"{what} gave keys with an end that is no time") from None
    return AwsKeys(key_id, secret, token, ends_at)
