"""What checks tokens and keeps logins, opened for this process. Part of the composition root."""

from adapters.identity.discovery import Discovery
from adapters.identity.jwks import KeySets
from adapters.identity.jwt import SignedTokens
from adapters.sql.database import Database
from adapters.sql.sessions import SqlSessionStore
from application.ports.system import Clock
from application.role_book import RoleBook
from entrypoints.identity import Identities, IdentityBackends
from entrypoints.outgoing import Outgoing
from entrypoints.settings import Settings


def open_identities(
    settings: Settings, outgoing: Outgoing, database: Database, clock: Clock, roles: RoleBook
) -> Identities:
    """Opens nothing. `database` reaches every tenant: whose session it is shows when it is found."""
    provider = Discovery(outgoing.issuers, clock)
    backends = IdentityBackends(
        verifier=SignedTokens(KeySets(outgoing.issuers, provider, clock)),
        provider=provider,
        sessions=SqlSessionStore(database),
    )
    return Identities(backends, clock, roles, settings)
