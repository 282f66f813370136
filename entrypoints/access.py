"""Puts together who is let in and who gives out keys, from ports alone."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from application.guards import AgentGuards
from application.key_following import FLUSH_EVERY_S, LOOK_EVERY_S, KeyFollowing
from application.key_ring import KeyRing
from application.ports.keys import (
    KeyHasher,
    KeyNews,
    KeyPages,
    KeyStore,
    KeyUses,
    OwnerKeyFile,
    PepperKeeper,
)
from application.ports.system import Clock
from application.role_book import RoleBook
from application.tenant_book import TenantBook
from application.tenant_registry import KeyRegistry
from application.turned_away import TurnedAway
from application.use_cases.change_keys import ChangeKey, KeyUseCases, RotateKey, ShowKey
from application.use_cases.manage_keys import CreateKey, ListKeys, RecoverKey, RevokeKey
from application.use_cases.page_keys import PageKeys
from application.use_cases.turn_peppers import TurnPeppers
from entrypoints.background import BackgroundTasks, every, in_any_case
from entrypoints.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyBackends:
    """What keys are kept in."""

    store: KeyStore
    pages: KeyPages
    uses: KeyUses
    hasher: KeyHasher
    peppers: PepperKeeper
    owner_file: OwnerKeyFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What routes, commands and the lifespan use. `following` is for the lifespan to run."""

    following: KeyFollowing
    turned_away: TurnedAway
    keys: KeyUseCases
    page: PageKeys


def make_key_ring(
    settings: Settings,
    store: KeyStore,
    hasher: KeyHasher,
    clock: Clock,
    roles: RoleBook,
    tenants: TenantBook,
) -> KeyRing:
    """Who is let in."""
    return KeyRing(store, hasher, clock, max_stale_s=settings.auth.max_stale_s, roles=roles, tenants=tenants)


def make_access(
    backends: KeyBackends,
    ring: KeyRing,
    clock: Clock,
    settings: Settings,
    news: KeyNews | None,
    roles: RoleBook,
    registry: KeyRegistry | None,
) -> Access:
    """Everything around callers' keys."""
    store, hasher = backends.store, backends.hasher
    following = KeyFollowing(ring, backends.uses, clock, news, backends.peppers.look)
    changed = following.changed
    keys = KeyUseCases(
        create=CreateKey(store, hasher, clock, changed, roles, registry),
        list=ListKeys(store),
        show=ShowKey(store),
        revoke=RevokeKey(store, clock, changed),
        rotate=RotateKey(store, hasher, clock, changed, roles),
        change=ChangeKey(store, clock, changed, roles, registry),
        recover=RecoverKey(store, hasher, clock, backends.owner_file, changed),
        peppers=TurnPeppers(backends.peppers, backends.pages, clock),
        clock=clock,
    )
    return Access(
        following=following,
        turned_away=TurnedAway(clock, settings.auth.failures_per_minute),
        keys=keys,
        page=PageKeys(backends.pages, clock),
    )


def start_keys(
    stack: AsyncExitStack,
    tasks: BackgroundTasks,
    access: Access,
    ring: KeyRing,
    guards: AgentGuards,
    tenants: TenantBook,
) -> None:
    """What follows keys beside requests, and ends what runs for those that are revoked or suspended."""
    following = access.following
    ring.on_revoked, guards.lets_in = guards.end_keys, ring.holds
    tenants.on_change(lambda: guards.end_suspended(tenants))
    guards.end_suspended(tenants)
    stack.push_async_callback(in_any_case, following.flush)
    tasks.start("key ring", lambda: every(LOOK_EVERY_S, following.look))
    tasks.start("key news", following.listen)
    tasks.start("key uses", lambda: every(FLUSH_EVERY_S, following.flush))
