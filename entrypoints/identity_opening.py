"""What checks tokens and keeps logins, opened for this process. Part of the composition root."""

from contextlib import AsyncExitStack

from adapters.identity.discovery import Discovery
from adapters.identity.jwks import KeySets
from adapters.identity.jwt import SignedTokens
from adapters.sql.database import Database
from adapters.sql.sessions import SqlSessionStore
from adapters.system.clock import SystemClock
from application.key_ring import KeyRing
from application.ports.system import Clock
from application.role_book import RoleBook
from domain.errors import StoreUnavailable
from entrypoints.identity import Identities, IdentityBackends, IssuerTold
from entrypoints.outgoing import Outgoing, open_outgoing
from entrypoints.settings import Settings


async def issuers_told(settings: Settings) -> list[IssuerTold]:
    """What each issuer of the configuration says of itself now."""
    told = []
    async with AsyncExitStack() as stack:
        outgoing, clock = open_outgoing(stack, settings), SystemClock()
        provider = Discovery(outgoing.issuers, clock)
        keys = KeySets(outgoing.issuers, provider, clock)
        login = settings.identity.login
        for issuer in settings.identity.policies():
            try:
                if login is not None and login.issuer == issuer.issuer:
                    facts = await provider.facts(issuer)
                    if not facts.authorization_url or not facts.token_url:
                        told.append(IssuerTold(issuer.issuer, "it has no endpoints to log in at"))
                        continue
                usable = await keys.usable(issuer)
            except StoreUnavailable:
                told.append(IssuerTold(issuer.issuer, "its description or its keys cannot be had"))
            else:
                problem = "" if usable else f"none of its keys is for {', '.join(issuer.algorithms)}"
                told.append(IssuerTold(issuer.issuer, problem, usable))
    return told


def open_identities(
    settings: Settings,
    outgoing: Outgoing,
    database: Database,
    clock: Clock,
    roles: RoleBook,
    keys: KeyRing,
) -> Identities:
    """Opens nothing. `database` reaches every tenant: whose session it is shows when it is found."""
    provider = Discovery(outgoing.issuers, clock)
    backends = IdentityBackends(
        verifier=SignedTokens(KeySets(outgoing.issuers, provider, clock)),
        provider=provider,
        sessions=SqlSessionStore(database),
    )
    return Identities(backends, clock, roles, settings, keys)
