"""Signed tokens in their compact form (RFC 7515, 7519), checked as RFC 8725 asks."""

import re
import warnings
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning

from adapters.identity.fetching import NotAnObject, read_object
from adapters.identity.jwks import KeySets
from application.ports.token_verifier import TokenVerifier
from domain.errors import InvalidToken
from domain.tenancy.issuer import TOKEN_BYTES_MAX, Claims, Issuer, check_head

_COMPACT: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_ISSUER_CHARS_MAX: Final = 2048


class SignedTokens(TokenVerifier):
    """Judges header and signature; the key is always the issuer's own, whatever the header offers."""

    def __init__(self, keys: KeySets) -> None:
        self._keys = keys

    def issuer_named(self, token: str) -> str:
        _, payload, _ = _parts(token)
        named = _object(payload).get("iss")
        if not isinstance(named, str) or len(named) > _ISSUER_CHARS_MAX:
            raise InvalidToken("this token names no issuer")
        return named

    async def claims(self, token: str, issuer: Issuer) -> Claims:
        head, payload, _ = _parts(token)
        algorithm, key_id = check_head(issuer, _object(head))
        key = await self._keys.key(issuer, algorithm, key_id)
        try:
            with warnings.catch_warnings():
                # RFC 9864 has another name for EdDSA; issuers still write this one.
                warnings.simplefilter("ignore", SecurityWarning)
                checked = jws.deserialize_compact(token, key, algorithms=[algorithm])
        except (JoseError, ValueError, TypeError):
            raise InvalidToken("this token's signature is not its issuer's") from None
        signed = _object(payload)
        if checked.payload != _decoded(payload):
            raise InvalidToken("this token's signature is not its issuer's")
        return signed


def _parts(token: str) -> tuple[str, str, str]:
    """Header, claims and signature, still encoded."""
    if len(token) > TOKEN_BYTES_MAX:
        raise InvalidToken(f"a token may have at most {TOKEN_BYTES_MAX} bytes")
    found = _COMPACT.fullmatch(token)
    if found is None:
        raise InvalidToken("this is no signed token in its compact form")
    head, payload, signature = found.groups()
    _decoded(signature)
    return head, payload, signature


def _decoded(part: str) -> bytes:
    """The bytes of one part, which has exactly one spelling."""
    try:
        raw = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        raise InvalidToken("this is no signed token in its compact form") from None
    if urlsafe_b64encode(raw).rstrip(b"=").decode() != part:
        raise InvalidToken("this is no signed token in its compact form")
    return raw


def _object(part: str) -> dict[str, Any]:
    try:
        return read_object(_decoded(part).decode())
    except (NotAnObject, UnicodeDecodeError):
        raise InvalidToken("a part of this token is no JSON object, or says something twice") from None
