"""Authenticators by the kind of identity an operator configured."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from adapters.providers.authentication import Authenticator
from adapters.providers.aws import aws_authenticator, check_aws
from adapters.providers.entra import EntraApplication, EntraManagedIdentity
from adapters.providers.google_identity import MetadataServer, google_credentials
from adapters.providers.tokens import BearerAuthenticator, TokenSource
from application.ports.http import HttpTransport
from application.ports.system import Clock

IDENTITIES_MAX: Final = 1024

TOKEN_SOURCES: Final[dict[str, Callable[[Mapping[str, str]], TokenSource]]] = {
    "entra_client_secret": EntraApplication,
    "entra_workload_identity": EntraApplication,
    "entra_managed_identity": EntraManagedIdentity,
    "google_credentials": google_credentials,
    "google_metadata_server": MetadataServer,
}
"""By `providers.*.auth.kind`. Made without a request; they raise ValueError for what cannot work."""

Make = Callable[[Mapping[str, str], HttpTransport, Clock], Authenticator]


def _bearer(
    source: Callable[[Mapping[str, str]], TokenSource],
    values: Mapping[str, str],
    transport: HttpTransport,
    clock: Clock,
) -> Authenticator:
    return BearerAuthenticator(source(values), transport, clock)


IDENTITIES: Final[dict[str, Make]] = {
    **{kind: partial(_bearer, source) for kind, source in TOKEN_SOURCES.items()},
    "aws": aws_authenticator,
}
"""The same kinds, and those whose proof is no token but a signature over each request."""


def check_identity(kind: str, values: Mapping[str, str]) -> None:
    """Reads what the identity is made of, asks nobody. Raises ValueError, without any secret."""
    if kind == "aws":
        check_aws(values)
    source = TOKEN_SOURCES.get(kind)
    if source is not None:
        source(values)


class Authenticators:
    """One authenticator per identity: providers that share one share its token, also after a reload."""

    def __init__(self, transport: HttpTransport, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock
        self._made: dict[tuple[str, tuple[tuple[str, str], ...]], Authenticator] = {}

    def of(self, kind: str, values: Mapping[str, str]) -> Authenticator:
        """Raises ValueError, without any secret, for an identity that cannot work."""
        key = (kind, tuple(sorted(values.items())))
        made = self._made.pop(key, None)
        if made is None:
            made = IDENTITIES[kind](values, self._transport, self._clock)
        self._made[key] = made
        if len(self._made) > IDENTITIES_MAX:
            # The one that was asked for longest ago; endpoints in use hold theirs themselves.
            del self._made[next(iter(self._made))]
        return made
