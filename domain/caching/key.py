"""What an answer is filed under. Two requests share a key only if nothing that could change the answer, or
who may see it, differs; the parts are told apart by their lengths, so no text can pass for two."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final, NamedTuple

from domain.caching.policy import CachePolicy, CacheScope, CacheWish
from domain.routing.requirements import Requirements
from domain.tenancy.principal import Principal

KEY_BYTES: Final = 32
SCHEMA: Final = b"interchange-answers-1"
"""Part of every key: entries written under other rules are never found."""
WHOLE: Final = "whole"
"""The form of an answer that is no stream."""


class Partition(NamedTuple):
    """Everything beside the body. `route_version` covers the route's whole policy and its targets;
    `policy_version` whatever guards and privacy rules change in prompts and answers."""

    tenant_id: str
    who: str
    route: str
    route_version: str
    policy_version: str
    namespace: str
    demands: bytes
    dialect: str
    form: str
    """How the answer is delivered: whole, streamed, streamed with usage."""


def who_shares(policy: CachePolicy, principal: Principal, user_id: str) -> str | None:
    """Among whom of the tenant; None: nobody can be told, so nothing is shared."""
    if policy.scope is CacheScope.TENANT:
        return ""
    if policy.scope is CacheScope.KEY:
        return f"key:{principal.key_id}"
    return f"user:{user_id}" if user_id else None


def namespace_of(policy: CachePolicy, wish: CacheWish) -> str:
    """The route's namespace and the caller's below it."""
    if policy.namespace and wish.namespace:
        return f"{policy.namespace}/{wish.namespace}"
    return policy.namespace or wish.namespace


def demands_digest(wanted: Requirements, allowed_models: frozenset[str] | None) -> bytes:
    """What a caller may be answered by. Ceilings of cost and latency are kept by any answer that is there."""
    if wanted.modest and allowed_models is None:
        return b"%d" % wanted.capabilities.value
    demands = (
        wanted.capabilities.value,
        wanted.residency,
        wanted.held_to,
        sorted(wanted.compliance),
        sorted(wanted.tags),
        wanted.quality_floor,
        wanted.strategy,
        None if allowed_models is None else sorted(allowed_models),
    )
    # In this form texts are quoted, so that none of them, whatever it holds, can pass for two.
    return digest([repr(demands).encode()])


def answer_key(partition: Partition, body_digest: bytes) -> bytes:
    """The key of an exact answer."""
    return _of(partition, b"exact", body_digest)


def question_partition(partition: Partition, context_digest: bytes, embedder_id: str) -> bytes:
    """Where similar questions may be looked for: all but the last message of the user is equal."""
    return _of(partition, b"similar:" + embedder_id.encode("utf-8", "surrogatepass"), context_digest)


def _of(partition: Partition, kind: bytes, body: bytes) -> bytes:
    tenant, who, route, version, policy, namespace, demands, dialect, form = partition
    texts = f"{tenant}\x00{who}\x00{route}\x00{version}\x00{policy}\x00{namespace}\x00{dialect}\x00{form}"
    if texts.count("\x00") != _SEPARATORS:
        texts = repr(tuple(partition))  # a text with a NUL of its own
    encoded = texts.encode("utf-8", "surrogatepass")
    head = b"%b%d:%b%d:%b%d:" % (SCHEMA, len(encoded), encoded, len(demands), demands, len(kind))
    return blake2b(head + kind + body, digest_size=KEY_BYTES).digest()


_SEPARATORS: Final = 7


def digest(parts: Iterable[bytes]) -> bytes:
    """Of several parts in order, none of which can be mistaken for two."""
    hashed = blake2b(digest_size=KEY_BYTES)
    for part in parts:
        hashed.update(b"%d:" % len(part))
        hashed.update(part)
    return hashed.digest()
