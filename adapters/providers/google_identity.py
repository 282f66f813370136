"""Google Cloud: tokens for service accounts, federated workloads, users and machines.

Sources: AIP-4112 (service account keys), AIP-4113 (users), AIP-4115 (metadata server) and AIP-4117 (workload
identity federation); "Using OAuth 2.0 for server to server applications" for the signed grant.
"""

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from adapters.providers.token_files import FILE_BYTES_MAX, content_of_file, one_token
from adapters.providers.token_requests import (
    AccessToken,
    HeaderPairs,
    TokenRequests,
    TokenUrl,
    checked_token,
    decoded,
    no_token,
    token_in,
    token_url,
)
from adapters.providers.tokens import TokenSource
from adapters.providers.vertex import GOOGLE_SCOPE

TOKEN_URL: Final = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
METADATA: Final = "http://metadata.google.internal"
LIFETIME_S: Final = 3600
_WHO: Final = "Google's token service"
_WHO_METADATA: Final = "the metadata server"
_WHO_SOURCE: Final = "the workload's own identity endpoint"
_JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a type's name

Document = Mapping[str, Any]


class ServiceAccount(TokenSource):
    """A service account's key signs a grant, which is changed for a token."""

    def __init__(self, document: Document, scope: str) -> None:
        """Raises ValueError for a document without a usable key."""
        self.headers = _paying_project(document)
        self._email = _text(document, "client_email")
        self._key_id = str(document.get("private_key_id", ""))
        self._audience = str(document.get("token_uri") or TOKEN_URL)
        self._url = _url(document, "token_uri", TOKEN_URL)
        self._scope = scope
        try:
            key = load_pem_private_key(_text(document, "private_key").encode(), None)
        except (ValueError, TypeError):
            raise ValueError("private_key is not a private key in PEM") from None
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError("private_key is not an RSA key")
        self._key = key

    async def obtain(self, requests: TokenRequests) -> AccessToken:
        issued_at = int(requests.now().timestamp())
        claims = {
            "iss": self._email,
            "scope": self._scope,
            "aud": self._audience,
            "iat": issued_at,
            "exp": issued_at + LIFETIME_S,
        }
        fields = {"grant_type": _JWT_BEARER, "assertion": self._signed(claims)}
        answer = await requests.post_form(self._url, fields, who=_WHO)
        return token_in(answer, requests.now(), who=_WHO)

    def _signed(self, claims: Document) -> str:
        head = {"alg": "RS256", "typ": "JWT"} | ({"kid": self._key_id} if self._key_id else {})
        content = f"{_part(head)}.{_part(claims)}"
        signature = self._key.sign(content.encode(), padding.PKCS1v15(), SHA256())
        return f"{content}.{_base64(signature)}"


class AuthorizedUser(TokenSource):
    """A person who ran `gcloud auth application-default login`."""

    def __init__(self, document: Document) -> None:
        """Raises ValueError for a document that lacks a part."""
        self.headers = _paying_project(document)
        self._url = _url(document, "token_uri", TOKEN_URL)
        self._fields = {
            "grant_type": "refresh_token",
            **{name: _text(document, name) for name in ("client_id", "client_secret", "refresh_token")},
        }

    async def obtain(self, requests: TokenRequests) -> AccessToken:
        answer = await requests.post_form(self._url, self._fields, who=_WHO)
        return token_in(answer, requests.now(), who=_WHO)


class FederatedWorkload(TokenSource):
    """Another platform's token, changed for Google's, and that for a service account's where one is named.

    The other token comes from a file or an address; signed AWS requests, programs and certificates as
    sources are refused.
    """

    def __init__(self, document: Document, scope: str) -> None:
        """Raises ValueError for a document that lacks a part or names a source that is not supported."""
        self.headers = _paying_project(document)
        self._sts = _url(document, "token_url", "https://sts.googleapis.com/v1/token")
        source = document.get("credential_source")
        if not isinstance(source, Mapping):
            raise ValueError("credential_source is missing")
        self._file = str(source.get("file", ""))
        self._source_url: TokenUrl | None = None
        if not self._file:
            if not source.get("url") or "environment_id" in source:
                raise ValueError("credential_source must be a file or a url; others are not supported")
            self._source_url = _checked("credential_source.url", str(source["url"]), metadata=True)
        given = source.get("headers")
        self._source_headers: HeaderPairs = tuple(
            (str(name).lower(), str(value)) for name, value in (given or {}).items()
        )
        shape = source.get("format") or {}
        self._field = str(shape.get("subject_token_field_name", "")) if shape.get("type") == "json" else ""
        self._grant = {
            "grant_type": _EXCHANGE,
            "audience": _text(document, "audience"),
            "subject_token_type": _text(document, "subject_token_type"),
            "requested_token_type": _ACCESS_TOKEN,
        }
        self._scope = scope
        self._impersonation: TokenUrl | None = None
        if document.get("service_account_impersonation_url"):
            self._impersonation = _url(document, "service_account_impersonation_url", "")
        lifetime = (document.get("service_account_impersonation") or {}).get("token_lifetime_seconds")
        self._lifetime_s = lifetime if isinstance(lifetime, int) else LIFETIME_S
        self._client: HeaderPairs = ()
        if document.get("client_id") and document.get("client_secret"):
            pair = f"{quote(str(document['client_id']))}:{quote(str(document['client_secret']))}"
            self._client = (("authorization", "Basic " + b64encode(pair.encode()).decode()),)

    async def obtain(self, requests: TokenRequests) -> AccessToken:
        scope = GOOGLE_SCOPE if self._impersonation else self._scope
        fields = {**self._grant, "scope": scope, "subject_token": await self._subject_token(requests)}
        answer = await requests.post_form(self._sts, fields, who=_WHO, headers=self._client)
        federated = token_in(answer, requests.now(), who=_WHO)
        if self._impersonation is None:
            return federated
        wanted = {"scope": [self._scope], "lifetime": f"{self._lifetime_s}s"}
        proof = (("authorization", f"Bearer {federated.value}"),)
        lent = await requests.post_json(self._impersonation, wanted, who=_WHO, headers=proof)
        try:
            ends_at = datetime.fromisoformat(lent["expireTime"]).astimezone(UTC)
        except (KeyError, TypeError, ValueError):
            raise no_token(f"{_WHO} gave a token without an end") from None
        return AccessToken(checked_token(lent.get("accessToken"), _WHO), ends_at)

    async def _subject_token(self, requests: TokenRequests) -> str:
        if self._source_url is None:
            content = await content_of_file(self._file)
        else:
            content = await requests.get(self._source_url, who=_WHO_SOURCE, headers=self._source_headers)
        if not self._field:
            return one_token(content)
        return checked_token(decoded(content, _WHO_SOURCE).get(self._field), _WHO_SOURCE)


class MetadataServer(TokenSource):
    """The service account attached to the machine, pod or Cloud Run service."""

    headers: HeaderPairs = ()

    def __init__(self, values: Mapping[str, str]) -> None:
        """`endpoint_url` replaces the metadata server; raises ValueError for one off this machine."""
        base = (values.get("endpoint_url") or METADATA).rstrip("/")
        query = urlencode({"scopes": values.get("scope") or GOOGLE_SCOPE})
        account = "/computeMetadata/v1/instance/service-accounts/default/token"
        self._url = _checked("endpoint_url", f"{base}{account}?{query}", metadata=True)

    async def obtain(self, requests: TokenRequests) -> AccessToken:
        proof = (("metadata-flavor", "Google"),)
        body = await requests.get(self._url, who=_WHO_METADATA, headers=proof)
        return token_in(decoded(body, _WHO_METADATA), requests.now(), who=_WHO_METADATA)


def google_credentials(values: Mapping[str, str]) -> TokenSource:
    """The identity of a credentials document: `credentials_json`, or the content of `credentials_file`.

    Reads the file. Raises ValueError, without any content, for a document that cannot be used.
    """
    document = _document(values)
    scope = values.get("scope") or GOOGLE_SCOPE
    kind = document.get("type")
    if kind == "service_account":
        return ServiceAccount(document, scope)
    if kind == "external_account":
        return FederatedWorkload(document, scope)
    if kind == "authorized_user":
        return AuthorizedUser(document)
    raise ValueError(
        "the credentials' type must be service_account, external_account or authorized_user"
        + (f", not {kind!r}" if isinstance(kind, str) and len(kind) <= 60 else "")
    )


def _document(values: Mapping[str, str]) -> Document:
    text = values.get("credentials_json", "")
    if not text:
        try:
            with Path(values["credentials_file"]).expanduser().open("rb") as file:
                text = file.read(FILE_BYTES_MAX).decode()
        except OSError as error:
            raise ValueError(f"credentials_file cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ValueError("the credentials are not JSON") from None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("the credentials are not JSON") from None
    if not isinstance(document, dict):
        raise ValueError("the credentials are not a JSON object")
    return document


def _text(document: Document, name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"the credentials lack {name}")
    return value


def _url(document: Document, name: str, default: str) -> TokenUrl:
    return _checked(name, str(document.get(name) or default))


def _checked(name: str, url: str, *, metadata: bool = False) -> TokenUrl:
    try:
        return token_url(url, metadata=metadata)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None


def _paying_project(document: Document) -> HeaderPairs:
    project = document.get("quota_project_id")
    return (("x-goog-user-project", project),) if isinstance(project, str) and project.isprintable() else ()


def _part(value: Document) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
