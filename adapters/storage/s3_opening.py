"""From a configuration to a bucket."""

from adapters.storage.configuration import AccessKey, S3Configuration
from adapters.storage.ownership import Operators, require_operator
from adapters.storage.s3 import S3Store
from adapters.storage.s3_session import S3Keys, S3Place
from application.ports.connector import Surroundings
from domain.connectors.integration import Integration
from domain.errors import InvalidConfiguration


def open_store(
    read: S3Configuration, integration: Integration, surroundings: Surroundings, operators: Operators
) -> S3Store:
    """Connects to nothing. Raises InvalidConfiguration."""
    del operators
    place = read.place
    return S3Store(
        S3Place(place.name, read.aws_region, read.service_url, read.addressing),
        _keys(read, integration, surroundings),
        surroundings.guard,
        part_bytes=read.part_bytes,
        parallel_parts=read.parallel_parts,
        checksums=read.checksums,
        probe_prefix=place.prefix,
    )


def _keys(read: S3Configuration, integration: Integration, surroundings: Surroundings) -> S3Keys | None:
    if not isinstance(read.authentication, AccessKey):
        require_operator(integration, "the process's own credential", "authentication.type")
        return None
    secret = surroundings.secrets.get("secret_access_key")
    if secret is None:
        raise InvalidConfiguration(
            "authentication.secret_access_key is missing", param="authentication.secret_access_key"
        )
    token = surroundings.secrets.get("session_token")
    try:
        return S3Keys(
            read.authentication.access_key_id,
            secret.reveal().decode("ascii"),
            None if token is None else token.reveal().decode("ascii"),
        )
    except UnicodeDecodeError:
        raise InvalidConfiguration(
            "authentication.secret_access_key is no AWS secret", param="authentication.secret_access_key"
        ) from None
