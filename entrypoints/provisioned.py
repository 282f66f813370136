"""A provider as provisioning leaves it: everything needed to call it, in no adapter's terms."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.catalog.tags import ResponsesSupport
from domain.llm.capabilities import Capability
from domain.resilience.key_pool import PoolKey
from domain.routing.target import Via

CHAT = (
    Capability.TEXT
    | Capability.CODE
    | Capability.FUNCTION_CALLING
    | Capability.STRUCTURED_OUTPUT
    | Capability.STREAMING
)
"""What a chat model can do unless somebody says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who to be at a provider where a fixed key is not enough: a kind, and what it needs."""

    kind: str
    values: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionedKey:
    """One of several keys: the secret, and what a pool knows of it."""

    secret: str = field(repr=False)
    pool: PoolKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionedProvider:
    """A provider ready to be called.

    `base_url` has no trailing slash; None: the wire knows its own address, or only the gateway does.
    `options` are facts of one family, such as a project. With an `identity` no key is sent.
    """

    name: str
    wire: str
    base_url: str | None
    public_base_url: bool
    """Whether the URL is the provider's own public one, which the gateway knows by itself."""
    portkey_slug: str | None
    api_key: str | None = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False, default=())
    via: Via = Via.AUTO
    region: str | None = None
    simulated: bool = False
    tags: frozenset[str] = frozenset()
    """What the catalogue says of all this provider's models, such as what its server does not take."""
    options: Mapping[str, str] = field(default_factory=dict)
    identity: Identity | None = field(repr=False, default=None)
    kind: str = ""
    """Its id in the catalogue, or its wire where the catalogue does not know it."""
    responses: ResponsesSupport = ResponsesSupport.TRANSLATED
    """What it does with requests of the Responses API."""
    keys: tuple[ProvisionedKey, ...] = field(repr=False, default=())
    """Its keys where they make a pool: several, or one with limits."""
    batch_api: str = ""
    """Which batch API it offers: `openai`, `anthropic`, or none."""
    tls12: bool = False
    """Whether it may speak TLS 1.2."""
    integrated_by: str = ""
    """The tenant of the integration that it is, whose way out it takes; empty: the operator's file has it."""
    tenant_id: str = ""
    """Whose it is alone; empty: everybody's."""
    honours_idempotency_keys: bool = False
    """Whether requests of one `Idempotency-Key` are known to be carried out and billed once there."""

    @property
    def secrets_by_id(self) -> dict[str, str]:
        """The pool's secrets by the ids of their keys."""
        return {key.pool.id: key.secret for key in self.keys}
