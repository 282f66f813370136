"""What Portkey has to be told to reach one configured provider, and where the gateways are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from adapters.portkey.forwarded_fields import FAITHFUL_SLUGS
from application.ports.http import Endpoint

HOSTED_GATEWAY_URL = "https://api.portkey.ai"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortkeyTarget:
    """A provider behind Portkey. `slug` is its `x-portkey-provider`.

    `custom_host` is its base URL with `/v1`, None for the vendor's own. `wire` is the shape it speaks, as
    in `Target.wire`. `headers` that begin with `x-portkey-` are for the gateway (a cloud's region, project
    or resource), all others are passed on to the provider.
    """

    slug: str
    api_key: str | None = None
    custom_host: str | None = None
    wire: str = "openai"
    headers: Sequence[tuple[str, str]] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    """Several keys by their ids, for `UpstreamCall.credential`; `api_key` serves calls that name none."""

    def with_key(self, credential: str) -> "PortkeyTarget":
        """The target as calls with this key see it."""
        key = self.keys.get(credential)
        return self if key is None else replace(self, api_key=key)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never stand in a message."""
        return tuple(dict.fromkeys(key for key in (self.api_key, *self.keys.values()) if key))

    def __repr__(self) -> str:
        return f"PortkeyTarget(slug={self.slug!r}, custom_host={self.custom_host!r}, wire={self.wire!r})"


def portkey_target(
    slug: str,
    *,
    api_key: str | None = None,
    base_url: str | None = None,
    wire: str = "openai",
    headers: Sequence[tuple[str, str]] = (),
    own_host: bool = False,
    keys: Mapping[str, str] | None = None,
) -> PortkeyTarget:
    """The most faithful way to tell Portkey of a provider.

    For many vendors of OpenAI's shape Portkey rewrites answers field by field and loses tool calls,
    reasoning and token details; told that they are `openai` at another host, it passes everything on.
    `base_url` is the provider's, with its version; `own_host` says that the operator chose it, so that it
    is also named where the slug stays. Gemini's version is Portkey's to add.
    """
    if wire == "openai" and base_url and slug not in FAITHFUL_SLUGS:
        slug, own_host = "openai", True
    custom_host = base_url if own_host and base_url else None
    if custom_host and slug == "google":
        custom_host = custom_host.rstrip("/").removesuffix("/v1beta").removesuffix("/v1")
    return PortkeyTarget(
        slug=slug,
        api_key=api_key,
        custom_host=custom_host,
        wire=wire,
        headers=tuple(headers),
        keys=dict(keys or {}),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayAddress:
    """One gateway instance. `url` has no path, or ends in `/v1`. `api_key` is for hosted Portkey only."""

    url: str
    api_key: str | None = None

    def __repr__(self) -> str:
        return f"GatewayAddress(url={self.url!r})"

    @property
    def endpoint(self) -> Endpoint:
        """Raises ValueError when the URL is not `http(s)://host[:port]`."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"a Portkey gateway is an http or https URL with a host, not {self.url!r}")
        return Endpoint(parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))

    @property
    def path_prefix(self) -> str:
        """What comes before `/v1/…`."""
        return urlsplit(self.url).path.rstrip("/").removesuffix("/v1")


def gateway_address(gateway: "str | GatewayAddress", *, api_key: str | None = None) -> GatewayAddress:
    """An address from a bare URL; `api_key` is added only for Portkey's own host."""
    if isinstance(gateway, GatewayAddress):
        return gateway
    hosted = urlsplit(gateway).hostname == urlsplit(HOSTED_GATEWAY_URL).hostname
    return GatewayAddress(url=gateway.rstrip("/"), api_key=api_key if hosted else None)
