"""What one issuer's tokens have to be like before they let anybody in, and whom they let in then.

Everything about a token is pinned here, by the operator: nothing a token says of itself chooses how it is
checked. Signatures are checked elsewhere; what comes here are headers nobody vouches for yet, and claims
somebody does.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

from domain.errors import InvalidToken

ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
"""Signatures of a key pair. Shared secrets and `none` are in no list: with them, whoever can check a token
could make one."""
ACCESS_TOKEN: Final = "at+jwt"  # noqa: S105 - a type's name
PLAIN: Final = "jwt"
"""Also what tokens without a type count as."""
TYPES: Final = (ACCESS_TOKEN, PLAIN)
TOKEN_BYTES_MAX: Final = 8192
KEY_ID_CHARS_MAX: Final = 200
NUMBER_MAX: Final = 2**40
HEADERS_KNOWN: Final = frozenset({"alg", "kid", "typ", "x5t", "x5t#S256", "cty", "nonce"})
"""Other headers bring keys along, name addresses of keys, or change what is signed."""
ONLY_IN_ID_TOKENS: Final = ("at_hash", "c_hash", "s_hash", "events")
"""Claims of tokens that tell a client who logged in, or out; nobody calls with those."""
OTHER_KINDS: Final = frozenset({"id", "refresh", "offline", "logout"})
"""What some issuers write into a claim `typ`."""

Claims = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """One issuer and what its tokens mean here.

    The tenant is `tenant`, or what `tenant_claim` says: looked up in `tenants`, else read out of the claim by
    `tenant_pattern`, whose first group it is. `roles` are pairs of a value of `roles_claim` and a role; the
    first that a token has counts, `default_role` where it has none (empty: it lets nobody in). With
    `scopes_claim`, permissions are only those the token names after `scope_prefix`. `clients`, if any, are
    those a token may have been made for. Times are seconds.
    """

    issuer: str
    audiences: tuple[str, ...]
    algorithms: tuple[str, ...]
    types: tuple[str, ...] = TYPES
    clients: tuple[str, ...] = ()
    keys_url: str = ""
    """Empty: what its discovery document says."""
    leeway_s: float = 30.0
    age_s_max: float = 86_400.0
    tenant: str = ""
    tenant_claim: str = ""
    tenants: tuple[tuple[str, str], ...] = ()
    tenant_pattern: str = ""
    roles_claim: str = "roles"
    roles: tuple[tuple[str, str], ...] = ()
    default_role: str = ""
    scopes_claim: str = ""
    scope_prefix: str = ""
    user_claim: str = "sub"
    agent_claim: str = ""
    name_claim: str = "sub"
    team_claim: str = ""
    project_claim: str = ""
    cost_center_claim: str = ""
    id_tokens: bool = False
    """For logins: its tokens tell this server who came, and nobody may call with them."""

    def fingerprint(self) -> str:
        """Changes with anything that could change whom a token lets in."""
        said = repr([(field.name, getattr(self, field.name)) for field in fields(self)])
        return hashlib.sha256(said.encode()).hexdigest()


def check_head(issuer: Issuer, head: Mapping[str, object]) -> tuple[str, str]:
    """(algorithm, key id or empty) of a token's header.

    Raises:
        InvalidToken: an algorithm that is not this issuer's, a type that is none to call with, or a header
            that would have the token checked in another way.
    """
    unknown = sorted(head.keys() - HEADERS_KNOWN)
    if unknown:
        raise InvalidToken(f"this token has the header {unknown[0][:40]!r}, which is not accepted")
    algorithm, key_id = head.get("alg"), head.get("kid", "")
    if not isinstance(algorithm, str) or algorithm not in issuer.algorithms or algorithm not in ALGORITHMS:
        raise InvalidToken("this token is signed with an algorithm that its issuer does not use here")
    if not isinstance(key_id, str) or len(key_id) > KEY_ID_CHARS_MAX or not key_id.isprintable():
        raise InvalidToken("this token's key id is not one")
    kind = head.get("typ", PLAIN)
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in issuer.types:
        raise InvalidToken("this token's type is not one to call with")
    return algorithm, key_id


def check_claims(issuer: Issuer, claims: Claims, now_s: float) -> float:
    """When the token ends, in seconds since 1970, the leeway included.

    Raises:
        InvalidToken: of another issuer, for somebody else, over, not begun, too old, or no access token.
    """
    if claims.get("iss") != issuer.issuer:
        raise InvalidToken("this token is of another issuer")
    audience = claims.get("aud")
    listed = [audience] if isinstance(audience, str) else audience
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise InvalidToken("this token does not say whom it is for")
    if not set(listed) & set(issuer.audiences):
        raise InvalidToken("this token is for another audience")
    ends_s = _number(claims, "exp") + issuer.leeway_s
    issued_s = _number(claims, "iat")
    if now_s >= ends_s:
        raise InvalidToken("this token has expired")
    if issued_s > now_s + issuer.leeway_s:
        raise InvalidToken("this token was issued in the future")
    if now_s - issued_s > issuer.age_s_max + issuer.leeway_s:
        raise InvalidToken("this token was issued too long ago")
    if "nbf" in claims and _number(claims, "nbf") > now_s + issuer.leeway_s:
        raise InvalidToken("this token is not valid yet")
    _check_kind(issuer, claims, listed)
    return min(ends_s, issued_s + issuer.age_s_max + issuer.leeway_s)


def _check_kind(issuer: Issuer, claims: Claims, audience: list[str]) -> None:
    client = claims.get("azp", claims.get("client_id", claims.get("cid")))
    if issuer.clients and client not in issuer.clients:
        raise InvalidToken("this token was made for a client that may not call here")
    kind = claims.get("typ", "")
    if not isinstance(kind, str):
        raise InvalidToken("this token's kind is not one")
    if issuer.id_tokens:
        if len(audience) > 1 and claims.get("azp") not in issuer.audiences:
            raise InvalidToken("this token was made for another client")
        return
    if any(name in claims for name in ONLY_IN_ID_TOKENS) or kind.lower() in OTHER_KINDS:
        raise InvalidToken("this is no access token")


def _number(claims: Claims, name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= NUMBER_MAX:
        raise InvalidToken(f"this token lacks {name!r}, or it is no time")
    return float(value)
