"""From a configuration to a bucket of Google."""

import time

from adapters.storage.configuration import GcsConfiguration, ServiceAccount
from adapters.storage.gcs import GcsStore
from adapters.storage.gcs_credential import ServiceKey, service_key
from adapters.storage.gcs_exchange import GcsPlace
from adapters.storage.ownership import Operators
from application.ports.connector import Surroundings
from domain.connectors.integration import Integration
from domain.errors import InvalidConfiguration


def open_store(
    read: GcsConfiguration, integration: Integration, surroundings: Surroundings, operators: Operators
) -> GcsStore:
    """Connects to nothing. Raises InvalidConfiguration."""
    del integration, operators
    place = read.place
    return GcsStore(
        GcsPlace(place.name, read.service_url.rstrip("/"), read.token_url),
        _key(read, surroundings),
        surroundings.transport,
        time.time,
        part_bytes=read.part_bytes - read.part_bytes % (256 * 1024),
        probe_prefix=place.prefix,
    )


def _key(read: GcsConfiguration, surroundings: Surroundings) -> ServiceKey | None:
    if not isinstance(read.authentication, ServiceAccount):
        return None
    found = surroundings.secrets.get("key")
    if found is None:
        raise InvalidConfiguration("authentication.key is missing", param="authentication.key")
    return service_key(found)
