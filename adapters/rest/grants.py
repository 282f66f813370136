"""From `authentication` and its secrets to a credential."""

import logging
import secrets as chance
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from adapters.rest.authentication_section import (
    ApiKey,
    Authentication,
    Basic,
    Bearer,
    ClientCertificate,
    ClientCredentials,
    RefreshToken,
    Signed,
)
from adapters.rest.credentials import (
    Credential,
    NoCredential,
    basic_credential,
    bearer_credential,
    key_credential,
    secret_text,
    signing_credential,
)
from adapters.rest.oauth2 import Asked, OAuthCredential, TokenSource, client_proof
from adapters.rest.origin import Origin, parse_origin
from application.ports.connector import Surroundings
from application.ports.system import Clock
from domain.errors import InterchangeError, InvalidConfiguration
from domain.vault.secret import SecretBytes

log = logging.getLogger("interchange")

ASSERTION_LIFETIME_S: Final = 120
_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def credential_of(
    section: Authentication, surroundings: Surroundings, origin: Origin, clock: Clock
) -> Credential:
    """Raises InvalidConfiguration, also for a secret that is not there."""
    known = surroundings.secrets
    if isinstance(section, ApiKey):
        return key_credential(section, known)
    if isinstance(section, Basic):
        return basic_credential(section, known)
    if isinstance(section, Bearer):
        return bearer_credential(section, known)
    if isinstance(section, Signed):
        return signing_credential(section, known, origin.endpoint.authority, clock)
    if isinstance(section, ClientCredentials):
        return _client_credentials(section, surroundings, clock)
    if isinstance(section, RefreshToken):
        return _refreshed(section, surroundings, clock)
    if isinstance(section, ClientCertificate):
        # The connection itself is the proof.
        secret_text(known, "certificate"), secret_text(known, "private_key")
    return NoCredential()


def token_origin(url: str) -> Origin:
    """Where tokens are asked for: https, or this machine. Raises InvalidConfiguration."""
    try:
        origin = parse_origin(url)
    except ValueError as error:
        raise InvalidConfiguration(
            f"authentication.token_url: {error}", param="authentication.token_url"
        ) from None
    if origin.endpoint.scheme != "https" and not origin.is_near:
        raise InvalidConfiguration(
            "authentication.token_url: must be https, because secrets travel there",
            param="authentication.token_url",
        )
    return origin


def _client_credentials(section: ClientCredentials, surroundings: Surroundings, clock: Clock) -> Credential:
    known = surroundings.secrets
    fields = {"grant_type": "client_credentials"}
    if section.scopes:
        fields["scope"] = " ".join(section.scopes)
    if section.audience:
        fields["audience"] = section.audience
    if section.auth_style == "private_key_jwt":
        assertion = _assertions(section, secret_text(known, "private_key"), clock)
        hidden: tuple[str, ...] = ()

        def ask() -> Asked:
            proof = {"client_assertion_type": _ASSERTION_TYPE, "client_assertion": assertion()}
            return Asked({**fields, "client_id": section.client_id, **proof})
    else:
        secret = secret_text(known, "client_secret")
        proof = client_proof(section.auth_style, section.client_id, secret)
        hidden = (secret,)

        def ask() -> Asked:
            return Asked({**fields, **proof.fields}, proof.headers)

    source = TokenSource(surroundings.transport, token_origin(section.token_url), clock, ask=ask)
    return OAuthCredential(source, lambda: hidden)


def _refreshed(section: RefreshToken, surroundings: Surroundings, clock: Clock) -> Credential:
    known = surroundings.secrets
    grant = _Grant(secret_text(known, "refresh_token"), surroundings)
    # Public clients have no secret (RFC 6749, 2.1).
    secret = secret_text(known, "client_secret") if "client_secret" in known else ""
    proof = client_proof(section.auth_style, section.client_id, secret)
    scope = {"scope": " ".join(section.scopes)} if section.scopes else {}

    def ask() -> Asked:
        fields = {"grant_type": "refresh_token", "refresh_token": grant.token, **scope}
        return Asked({**fields, **proof.fields}, proof.headers)

    source = TokenSource(
        surroundings.transport, token_origin(section.token_url), clock, ask=ask, taken=grant.taken
    )
    return OAuthCredential(source, lambda: tuple(each for each in (secret, grant.token) if each))


class _Grant:
    """The refresh token of now: some servers give another with each access token, and take no old one."""

    def __init__(self, token: str, surroundings: Surroundings) -> None:
        self.token = token
        self._keep: Callable[[str, SecretBytes], Awaitable[None]] | None = surroundings.keep

    async def taken(self, answer: Mapping[str, Any]) -> None:
        another = answer.get("refresh_token")
        if not isinstance(another, str) or not another or another == self.token:
            return
        self.token = another
        if self._keep is None:
            log.warning("a refresh token was replaced and can be kept nowhere: it ends with this process")
            return
        try:
            await self._keep("refresh_token", SecretBytes(another.encode()))
        except InterchangeError as error:
            # It still serves as long as this process lives.
            log.error("a refresh token was replaced and could not be kept: %s", error.code)


def _assertions(section: ClientCredentials, pem: str, clock: Clock) -> Callable[[], str]:
    """Makes signed statements of who we are. Raises InvalidConfiguration for what is no such key."""
    header = {"alg": section.algorithm, "typ": "JWT"}
    if section.key_id:
        header["kid"] = section.key_id
    key: RSAKey | ECKey
    try:
        key = (RSAKey if section.algorithm == "RS256" else ECKey).import_key(pem)
        jws.serialize_compact(header, b"{}", key, algorithms=[section.algorithm])
    except (JoseError, ValueError, TypeError):
        raise InvalidConfiguration(
            f"authentication.private_key: is no PEM key for {section.algorithm}",
            param="authentication.private_key",
        ) from None

    def assertion() -> str:
        now = int(clock.utc_now().timestamp())
        claims = {
            "iss": section.client_id,
            "sub": section.client_id,
            "aud": section.token_url,
            "iat": now,
            "exp": now + ASSERTION_LIFETIME_S,
            "jti": chance.token_urlsafe(16),
        }
        payload = msgspec.json.encode(claims)
        return jws.serialize_compact(header, payload, key, algorithms=[section.algorithm])

    return assertion
