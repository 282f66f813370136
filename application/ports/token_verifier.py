"""Whether a token is really its issuer's.

Failure policy: closed. A token that cannot be checked lets nobody in; where that is because the issuer's keys
cannot be had, it is StoreUnavailable and not the caller's fault. Keys that are known serve for a bounded time
while the issuer is away. A cancelled call leaves nothing behind.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from domain.tenancy.issuer import Claims, Issuer


class TokenVerifier(Protocol):
    """Knows issuers' keys."""

    @abstractmethod
    def issuer_named(self, token: str) -> str:
        """Which issuer a token names, before anything of it is believed.

        Raises InvalidToken for what is no signed token in its compact form.
        """
        ...

    @abstractmethod
    async def claims(self, token: str, issuer: Issuer) -> Claims:
        """What the issuer signed. Only header and signature are judged here.

        Raises:
            InvalidToken: not its issuer's, or signed otherwise than the policy says.
            StoreUnavailable: the issuer's keys cannot be had.
        """
        ...


class ProviderFacts(NamedTuple):
    """Where an issuer's endpoints are. `names_itself`: it says who it is when it sends people back."""

    issuer: str
    authorization_url: str
    token_url: str
    keys_url: str
    names_itself: bool = False


class IdentityProvider(Protocol):
    """An OpenID provider, as whoever sends people there for a login sees it."""

    @abstractmethod
    async def facts(self, issuer: Issuer) -> ProviderFacts:
        """Raises StoreUnavailable: it cannot be asked, or what it says of itself is not usable."""
        ...

    @abstractmethod
    async def redeem(self, facts: ProviderFacts, fields: Mapping[str, str], client_secret: str | None) -> str:
        """The ID token a code is changed for; `fields` are those of the request.

        Raises:
            InvalidToken: the provider refuses the code.
            StoreUnavailable: it cannot be asked.
        """
        ...
