"""A provider as provisioning leaves it: everything needed to call it, in no adapter's terms."""

from dataclasses import dataclass, field

from domain.llm.capabilities import Capability
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
class ProvisionedProvider:
    """A provider ready to be called. `base_url` has no trailing slash; None: only through the gateway."""

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
    honours_idempotency_keys: bool = False
    """Whether requests of one `Idempotency-Key` are known to be carried out and billed once there."""
