"""Which store serves an endpoint, and making connectors of it. Clients are imported when one is opened."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

from adapters.storage.configuration import (
    AzureConfiguration,
    GcsConfiguration,
    LocalConfiguration,
    S3Configuration,
    StorageConfiguration,
    read_as,
)
from adapters.storage.connector import StorageConnector
from adapters.storage.ownership import Operators, allowed_folder
from application.ports.connector import ConnectorKind, Surroundings
from application.ports.object_store import ObjectStore
from domain.connectors.integration import Integration, IntegrationKind
from domain.errors import InvalidConfiguration

StoreOpener = Callable[[Any, Integration, Surroundings, Operators], ObjectStore]


class Served(NamedTuple):
    """`module` has an `open_store`; `package` is what it imports, `extra` what installs that. `secrets` are
    fields of `authentication`, by its type."""

    model: type[StorageConfiguration]
    module: str
    package: str
    extra: str
    secrets: Mapping[str, frozenset[str]]


AZURE: Final = Served(
    AzureConfiguration,
    "adapters.storage.azure_opening",
    "azure.storage.blob",
    "azure",
    {"account_key": frozenset({"account_key"}), "sas": frozenset({"sas_token"})},
)
SERVED: Final[Mapping[str, Served]] = {
    "s3": Served(
        S3Configuration,
        "adapters.storage.s3_opening",
        "aiobotocore",
        "aws",
        {"access_key": frozenset({"secret_access_key", "session_token"})},
    ),
    "azure": AZURE,
    "azblob": AZURE,
    "gs": Served(
        GcsConfiguration,
        "adapters.storage.gcs_opening",
        "google_crc32c",
        "gcp",
        {"service_account": frozenset({"key"})},
    ),
    "file": Served(LocalConfiguration, "adapters.storage.local_opening", "fcntl", "", {}),
}


class StorageKind(ConnectorKind):
    """Integrations of type `storage`."""

    kind = IntegrationKind.STORAGE
    schemes = frozenset(SERVED)

    def __init__(self, folders: Callable[[], Sequence[Path]] = lambda: ()) -> None:
        """`folders` gives what the operator opened to integrations, as it is now."""
        self._folders = folders

    def validate(self, configuration: Mapping[str, Any]) -> None:
        served = _served(configuration)
        read = read_as(served.model, configuration)
        checked: Callable[[], object] | None = getattr(read, "checked", None)
        if checked is not None:
            checked()
        read.policy()
        if not _installed(served.package):
            what = f": pip install 'interchange[{served.extra}]'" if served.extra else ""
            raise InvalidConfiguration(
                f"{read.place.scheme} needs the package {served.package}{what}", param="endpoint"
            )
        if isinstance(read, LocalConfiguration):
            allowed_folder(read.folder, self._operators().folders)

    def secret_fields(self, configuration: Mapping[str, Any]) -> frozenset[str]:
        given = configuration.get("authentication")
        kind = given.get("type") if isinstance(given, Mapping) else None
        return _served(configuration).secrets.get(str(kind), frozenset())

    def modules(self, configuration: Mapping[str, Any]) -> Sequence[str]:
        served = SERVED.get(str(configuration.get("endpoint", "")).partition("://")[0].lower())
        return () if served is None else (served.module, served.package)

    def open(self, integration: Integration, surroundings: Surroundings) -> StorageConnector:
        self.validate(integration.configuration)
        served = _served(integration.configuration)
        read = read_as(served.model, integration.configuration)
        opener: StoreOpener = import_module(served.module).open_store
        store = opener(read, integration, surroundings, self._operators())
        return StorageConnector(store, read.policy(), read_bytes_max=read.read_bytes_max)

    def _operators(self) -> Operators:
        return Operators(tuple(self._folders()))


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False  # nor is what it is a part of


def _served(configuration: Mapping[str, Any]) -> Served:
    scheme = str(configuration.get("endpoint", "")).partition("://")[0].lower()
    found = SERVED.get(scheme)
    if found is None:
        raise InvalidConfiguration(
            f"endpoint has the scheme {scheme[:40]!r}; stores are {', '.join(sorted(SERVED))}",
            param="endpoint",
        )
    return found
