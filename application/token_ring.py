"""Whom a signed token lets in. Asked anew for every token, answered from memory for those seen lately.

A token is known by the digest of its whole text: two that begin alike are two tokens. What is remembered is
kept until the token ends and no longer than `kept_s`, because issuers withdraw keys.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, NamedTuple

from application.ports.system import Clock
from application.ports.token_verifier import TokenVerifier
from application.role_book import RoleBook
from domain.errors import InvalidToken
from domain.tenancy.identity import identify, principal_of
from domain.tenancy.issuer import TOKEN_BYTES_MAX, Issuer, check_claims
from domain.tenancy.principal import Principal

TOKENS_MAX: Final = 10_000
KEPT_S_MAX: Final = 60.0
START: Final = "eyJ"
"""How a JSON object begins in base64url; no key of ours does."""


class _Known(NamedTuple):
    principal: Principal
    until_s: float


class TokenRing:
    """Belongs to one event loop. `use` puts other issuers in force and forgets what was let in before."""

    def __init__(
        self,
        verifier: TokenVerifier,
        clock: Clock,
        roles: RoleBook,
        *,
        tokens_max: int = TOKENS_MAX,
    ) -> None:
        self._verifier = verifier
        self._clock = clock
        self._roles = roles
        self._kept_s = KEPT_S_MAX
        self._tokens_max = tokens_max
        self._issuers: dict[str, Issuer] = {}
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._generation = 0
        roles.on_change(self._forget)

    def use(self, issuers: Iterable[Issuer], kept_s: float = KEPT_S_MAX) -> None:
        """Those whose tokens let in from now on, and how long one that was checked is not checked again."""
        self._kept_s = min(kept_s, KEPT_S_MAX)
        self._issuers = {each.issuer: each for each in issuers}
        self._forget()

    def may_be_one(self, shown: str) -> bool:
        """Whether a credential could be a token of anybody who is known here."""
        return shown.startswith(START) and bool(self._issuers)

    async def authenticate(self, token: str) -> Principal:
        """The caller.

        Raises:
            InvalidToken: not one of these issuers', or it does not let in (any more).
            Forbidden: it is genuine, and no tenant or role here is its subject's.
            StoreUnavailable: the issuer's keys cannot be had.
        """
        if len(token) > TOKEN_BYTES_MAX:
            raise InvalidToken(f"a token may have at most {TOKEN_BYTES_MAX} bytes")
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        now_s = self._clock.utc_now().timestamp()
        known = self._known.get(digest)
        if known is not None and now_s < known.until_s:
            self._known.move_to_end(digest)
            return known.principal
        generation = self._generation
        issuer = self._issuers.get(self._verifier.issuer_named(token))
        if issuer is None:
            raise InvalidToken("this token's issuer is not known here")
        claims = await self._verifier.claims(token, issuer)
        now_s = self._clock.utc_now().timestamp()
        ends_s = check_claims(issuer, claims, now_s)
        identity = identify(issuer, claims)
        granted = self._roles.permissions_of(identity.role, identity.tenant_id, identity.scopes)
        principal = principal_of(identity, granted, "token")
        if generation == self._generation:
            self._keep(digest, _Known(principal, min(ends_s, now_s + self._kept_s)))
        return principal

    def _keep(self, digest: bytes, known: _Known) -> None:
        self._known[digest] = known
        self._known.move_to_end(digest)
        if len(self._known) > self._tokens_max:
            self._known.popitem(last=False)

    def _forget(self) -> None:
        self._generation += 1
        self._known.clear()
