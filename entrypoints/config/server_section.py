"""`server`: where it listens, whom it listens to, and how it ends."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from domain.errors import InvalidRequest
from domain.tenancy.networks import NETWORKS_MAX, check_networks
from entrypoints.config.sections import AbsolutePath, Seconds, Section, Word


def _network(text: str) -> str:
    try:
        check_networks([text], "network")
    except InvalidRequest as error:
        raise ValueError(error.message) from None
    return text.strip()


Network = Annotated[str, AfterValidator(_network)]
Origin = Annotated[str, Field(pattern=r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$", max_length=300)]


class ListenerTls(Section):
    """TLS that ends here. The files are PEM; renewed ones are taken into use within a minute."""

    cert_file: AbsolutePath = Field(description="The server's certificate, followed by its chain.")
    key_file: AbsolutePath = Field(description="Its private key, without a password.")
    min: Literal["1.2", "1.3"] = Field(default="1.3", description="The oldest TLS callers may speak.")


class ServerSettings(Section):
    """Where the server listens and how it ends.

    `port` 0 takes any free port. `workers` are processes; caches and breakers are per process.
    """

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on; 0.0.0.0 for all.")
    port: int = Field(default=8080, ge=0, le=65_535)
    workers: int = Field(default=1, ge=1, le=64)
    usage_writer: Annotated[Literal["auto", "process", "thread"], Word] = Field(
        default="auto",
        description="Who writes usage rows: a process beside each worker, or a thread in it. `auto` takes "
        "the process where there are more cores than workers.",
    )
    drain_timeout_s: Seconds = Field(
        default=30.0, description="On SIGTERM, how long running requests may take to finish."
    )
    tls: ListenerTls | None = Field(
        default=None, description="Unset: plain HTTP, for a terminator in front; see docs/tls.md."
    )
    trusted_proxies: tuple[Network, ...] = Field(
        default=(),
        max_length=NETWORKS_MAX,
        description="Networks of the proxies in front. Only they are believed about where a caller is.",
    )
    forwarded_header: Annotated[Literal["x-forwarded-for", "forwarded"], Word] = Field(
        default="x-forwarded-for",
        description="The header those proxies write. The other one may come from anybody and is not read.",
    )
    allowed_networks: tuple[Network, ...] = Field(
        default=(),
        max_length=NETWORKS_MAX,
        description="Networks callers may come from; unset: any. Tenants and keys can narrow it.",
    )
    public_url: Origin | None = Field(
        default=None,
        description="The origin under which browsers reach this server, such as https://gateway.example.com; "
        "logins need it.",
    )
    cors_origins: tuple[Origin, ...] = Field(
        default=(),
        max_length=256,
        description="Web origins whose pages may call this server. Unset: none, as browsers have it.",
    )

    @model_validator(mode="after")
    def _everybody_is_no_proxy(self) -> Self:
        if any(text.endswith("/0") for text in self.trusted_proxies):
            raise ValueError("trusted_proxies must not hold everybody: any caller could name any address")
        return self


def tls_files(settings: ServerSettings) -> tuple[Path, Path] | None:
    """Certificate and key of the listener; None: it speaks plain HTTP."""
    return None if settings.tls is None else (settings.tls.cert_file, settings.tls.key_file)
