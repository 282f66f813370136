"""The one place where callers are recognised: who they are, and whether they may come from there."""

from collections.abc import Awaitable, Callable

from application.key_ring import KeyRing
from application.reach import reach_as
from application.tenant_book import TenantBook
from application.turned_away import TurnedAway
from domain.errors import Forbidden, InterchangeError, TenantSuspended, Unauthenticated
from domain.tenancy.networks import allows
from domain.tenancy.principal import Principal
from entrypoints.http.addresses import client_address
from entrypoints.http.asgi import Scope
from entrypoints.http.callers import credential
from entrypoints.http.login_cookies import attended, login_shown, shows_login
from entrypoints.http.page_origins import page_origins
from entrypoints.identity import Identities

LET_IN_FOR_S = 0.25
"""Whoever was let in longer ago and sent the rest of the request since is looked at again."""

Refused = Callable[[Principal | None, str, str, str], None]
"""Told of everybody who is not let in: who (None: nobody knows), `authenticate`, the error's code, and the
address."""


def _nobody_notes(_by: Principal | None, _action: str, _code: str, _address: str) -> None:
    return None


class Entrance:
    """Nothing else authenticates requests."""

    def __init__(
        self,
        key_ring: KeyRing,
        tenants: TenantBook,
        turned_away: TurnedAway,
        identities: Identities | None = None,
    ) -> None:
        self._key_ring = key_ring
        self._tenants = tenants
        self._turned_away = turned_away
        self._identities = identities
        self.on_refused: Refused = _nobody_notes

    async def admit(self, scope: Scope, headers: dict[bytes, bytes]) -> Principal:
        """Whoever calls. Waits only for what is not known here yet.

        Raises:
            Unauthenticated: no credential, or none that lets anybody in.
            InvalidToken: the same, of tokens and logins.
            TooManyFailures: the same, once more than an address may fail in a minute.
            InvalidRequest: two keys that contradict each other, or a login beside another credential.
            Forbidden: not from this address, the tenant is suspended, or a page of somebody else's sent it.
            StoreUnavailable: nobody can tell.
        """
        found = self.let_in(scope, headers)
        return found if isinstance(found, Principal) else await found

    def let_in(self, scope: Scope, headers: dict[bytes, bytes]) -> Principal | Awaitable[Principal]:
        """As `admit`, without a wait for whoever is known here, as nearly everybody is."""
        found = self._recognised(scope, headers)
        if not isinstance(found, Principal):
            return self._let_in_later(scope, found)
        self.check_place(scope, found)
        reach_as(found)
        return found

    async def _let_in_later(self, scope: Scope, found: Awaitable[Principal]) -> Principal:
        principal = await found
        self.check_place(scope, principal)
        reach_as(principal)
        return principal

    def check_login(self, scope: Scope) -> None:
        """Raises TooManyFailures before an identity provider is asked once more for such an address."""
        self._turned_away.refuse(client_address(scope))

    def note_login(self, scope: Scope, error: Unauthenticated | Forbidden) -> None:
        """A login that let nobody in. Raises TooManyFailures when it is one too many."""
        address = client_address(scope)
        self.on_refused(None, "sessions.create", error.code, address)
        if isinstance(error, Unauthenticated):
            self._turned_away.count(address)

    def check_place(self, scope: Scope, principal: Principal) -> None:
        """Raises Forbidden where somebody known may not come in: a suspended tenant, or this address."""
        tenant = self._tenants.known(principal.tenant_id)
        if tenant is not None and not tenant.active:
            raise self._noted(scope, principal, TenantSuspended(tenant.tenant_id))
        if (
            tenant is not None
            and tenant.projects_enforced
            and principal.kind == "token"
            and not principal.project
        ):
            refusal = Forbidden("this tenant wants a project, and the token names none (project_claim)")
            raise self._noted(scope, principal, refusal)
        if principal.networks or (tenant is not None and tenant.networks):
            address = client_address(scope)
            theirs = () if tenant is None else tenant.networks
            if not (allows(principal.networks, address) and allows(theirs, address)):
                where = address or "an unknown address"
                refusal = Forbidden(f"this credential may not be used from {where}")
                raise self._noted(scope, principal, refusal)

    def _recognised(self, scope: Scope, headers: dict[bytes, bytes]) -> Principal | Awaitable[Principal]:
        """At once whoever shows a key of ours, as nearly everybody does."""
        others = self._identities
        if others is None or b"cookie" not in headers:
            shown = credential(headers)
            try:
                if others is None or not others.tokens.may_be_one(shown):
                    return self._key_ring.authenticate(shown)
            except (Unauthenticated, Forbidden) as error:
                self._turn_away(scope, error)
                raise
        return self._looked_up(scope, headers)

    async def _looked_up(self, scope: Scope, headers: dict[bytes, bytes]) -> Principal:
        others = self._identities
        origins: tuple[str, ...] = ()
        if others is not None and b"cookie" in headers:
            origins = page_origins(scope, headers, others.origin)
        came_logged_in = shows_login(scope, headers, origins)
        shown = "" if came_logged_in else credential(headers)
        try:
            if others is not None:
                if came_logged_in:
                    secret = login_shown(scope, headers, origins)
                    return await others.sessions.authenticate(secret, attended=attended(scope))
                if others.tokens.may_be_one(shown):
                    return await others.tokens.authenticate(shown)
            return self._key_ring.authenticate(shown)
        except (Unauthenticated, Forbidden) as error:
            self._turn_away(scope, error)
            raise

    def _turn_away(self, scope: Scope, error: Unauthenticated | Forbidden) -> None:
        address = client_address(scope)
        self.on_refused(None, "authenticate", error.code, address)
        if isinstance(error, Unauthenticated):
            self._turned_away.count(address)

    def _noted(self, scope: Scope, by: Principal, refusal: Forbidden) -> Forbidden:
        self.on_refused(by, "authenticate", refusal.code, client_address(scope))
        return refusal

    async def known(self, scope: Scope) -> Principal | None:
        """As `admit` for public pages, where it is no error to be nobody."""
        try:
            return await self.admit(scope, dict(scope["headers"]))
        except InterchangeError:
            return None
