"""What OpenID providers say of themselves (OpenID Connect Discovery 1.0), and changing codes for tokens."""

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from adapters.identity.fetching import Fetching, away, target_of, unusable
from application.ports.http import HttpTransport
from application.ports.system import Clock
from application.ports.token_verifier import IdentityProvider, ProviderFacts
from domain.errors import InvalidToken, StoreUnavailable
from domain.tenancy.issuer import Issuer

FACTS_KEPT_S: Final = 600.0
ISSUERS_KEPT_MAX: Final = 1000
ASKED_AGAIN_AFTER_S: Final = 5.0
"""One that just failed is not asked at once for everybody who wants to log in."""


class Discovery(IdentityProvider):
    """Remembers what each issuer said for `FACTS_KEPT_S`."""

    def __init__(self, transport: HttpTransport, clock: Clock) -> None:
        self._fetching = Fetching(transport)
        self._clock = clock
        self._known: dict[str, tuple[float, ProviderFacts]] = {}
        self._failed_at_s: dict[str, float] = {}
        self._asking = asyncio.Lock()

    async def facts(self, issuer: Issuer) -> ProviderFacts:
        if (kept := self._kept(issuer)) is not None:
            return kept
        async with self._asking:
            # Somebody else may have asked meanwhile.
            if (kept := self._kept(issuer)) is not None:
                return kept
            url = f"{issuer.issuer.rstrip('/')}/.well-known/openid-configuration"
            failed_at_s = self._failed_at_s.get(issuer.issuer)
            if failed_at_s is not None and self._clock.monotonic() - failed_at_s < ASKED_AGAIN_AFTER_S:
                raise away()
            if len(self._known) + len(self._failed_at_s) >= ISSUERS_KEPT_MAX:
                self._known.clear()
                self._failed_at_s.clear()
            try:
                found = _facts(issuer, url, await self._fetching.get(url))
            except StoreUnavailable:
                self._failed_at_s[issuer.issuer] = self._clock.monotonic()
                raise
            self._known[issuer.issuer] = self._clock.monotonic(), found
            return found

    def _kept(self, issuer: Issuer) -> ProviderFacts | None:
        kept = self._known.get(issuer.issuer)
        fresh = kept is not None and self._clock.monotonic() - kept[0] < FACTS_KEPT_S
        return kept[1] if kept is not None and fresh else None

    async def redeem(self, facts: ProviderFacts, fields: Mapping[str, str], client_secret: str | None) -> str:
        headers: tuple[tuple[str, str], ...] = ()
        form = dict(fields)
        if client_secret is not None:
            pair = f"{quote(form['client_id'], safe='')}:{quote(client_secret, safe='')}"
            headers = (("authorization", "Basic " + b64encode(pair.encode()).decode()),)
        status, answer = await self._fetching.post(facts.token_url, form, headers)
        token = answer.get("id_token")
        if status != 200 or not isinstance(token, str):
            raise InvalidToken("the identity provider did not accept this login; begin it again")
        return token


def _facts(issuer: Issuer, url: str, said: Mapping[str, Any]) -> ProviderFacts:
    """Raises StoreUnavailable for a document that is not this issuer's: its keys would be somebody else's."""
    if said.get("issuer") != issuer.issuer:
        raise unusable(url, "it says that it is another issuer")
    names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    found = {name: said.get(name, "") for name in names}
    for name, value in found.items():
        if name != "jwks_uri" and value == "":
            continue
        try:
            target_of(value if isinstance(value, str) else "")
        except ValueError as error:
            raise unusable(url, f"{name} {error}") from None
    return ProviderFacts(
        issuer=issuer.issuer,
        authorization_url=found["authorization_endpoint"],
        token_url=found["token_endpoint"],
        keys_url=found["jwks_uri"],
        names_itself=said.get("authorization_response_iss_parameter_supported") is True,
    )
