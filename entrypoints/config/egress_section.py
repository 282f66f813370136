"""`egress`: where connections may lead, how they get there, and whom they believe."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from domain.egress.entries import ENTRY_CHARS_MAX, EgressEntry, parse_entry
from domain.egress.policy import EgressPolicy
from domain.errors import InvalidRequest
from entrypoints.config.sections import AbsolutePath, Section

ENTRIES_MAX = 1000


def _destination(text: str) -> str:
    try:
        return str(parse_entry(text))
    except InvalidRequest as error:
        raise ValueError(error.message) from None


Destination = Annotated[str, Field(max_length=ENTRY_CHARS_MAX), AfterValidator(_destination)]
HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$")]


class EgressSettings(Section):
    """Which addresses outward connections may lead to, judged at the moment of connecting.

    What this file names (providers, gateways, identity services) is reached wherever it is. Everything a
    caller or a tenant can influence (tools, webhooks, feeds, key sets) reaches public addresses and what
    `allow` names.
    """

    allow: tuple[Destination, ...] = Field(
        default=(),
        max_length=ENTRIES_MAX,
        description="Also allowed: names, `*.suffix`, addresses and networks, each with `:port` if need be. "
        "Metadata services of clouds are allowed only by their exact address.",
    )
    deny: tuple[Destination, ...] = Field(
        default=(), max_length=ENTRIES_MAX, description="Never allowed, whatever else says so."
    )
    private: bool = Field(
        default=False,
        description="Whether private networks (RFC 1918, fc00::/7, 100.64.0.0/10) count as public ones. "
        "Loopback, link-local and metadata addresses never do.",
    )
    proxy: SecretStr | None = Field(
        default=None,
        description="An HTTP proxy for all outward calls, `http://[user:password@]host:port`. It resolves "
        "names, so it has to guard where they lead.",
    )
    no_proxy: tuple[Destination, ...] = Field(
        default=(), max_length=ENTRIES_MAX, description="Reached without the proxy, as loopback always is."
    )
    ca_files: tuple[AbsolutePath, ...] = Field(
        default=(),
        max_length=64,
        description="PEM files of certificate authorities to trust besides the machine's own.",
    )
    tls12_hosts: tuple[HostName, ...] = Field(
        default=(),
        max_length=ENTRIES_MAX,
        description="Hosts other than providers that may speak TLS 1.2; see providers.*.tls_min.",
    )

    @field_validator("proxy")
    @classmethod
    def _the_proxy_is_plain_http(cls, proxy: SecretStr | None) -> SecretStr | None:
        if proxy is not None and not proxy.get_secret_value().startswith("http://"):
            raise ValueError("must be http://[user:password@]host:port")
        return proxy

    @model_validator(mode="after")
    def _no_proxy_needs_one(self) -> Self:
        if self.no_proxy and self.proxy is None:
            raise ValueError("no_proxy has no effect without a proxy")
        return self

    def policy(self) -> EgressPolicy:
        """As the rules read it."""
        return EgressPolicy(allow=_entries(self.allow), deny=_entries(self.deny), private=self.private)

    def direct(self) -> tuple[EgressEntry, ...]:
        """What is reached without the proxy."""
        return _entries(self.no_proxy)


def _entries(texts: tuple[str, ...]) -> tuple[EgressEntry, ...]:
    return tuple(parse_entry(text) for text in texts)
