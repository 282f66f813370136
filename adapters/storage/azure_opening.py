"""From a configuration to a container."""

import base64
import binascii
import time

from adapters.storage.azure import AzureStore
from adapters.storage.azure_session import AzureKeys, AzurePlace
from adapters.storage.configuration import AccountKey, AzureConfiguration
from adapters.storage.ownership import Operators
from application.ports.connector import Surroundings
from domain.connectors.integration import Integration
from domain.errors import InvalidConfiguration
from domain.vault.secret import SecretText


def open_store(
    read: AzureConfiguration, integration: Integration, surroundings: Surroundings, operators: Operators
) -> AzureStore:
    """Connects to nothing. Raises InvalidConfiguration."""
    del integration, operators
    place = read.place
    return AzureStore(
        AzurePlace(read.account, place.name, read.service_url.rstrip("/") if read.service_url else None),
        _keys(read, surroundings),
        surroundings.guard,
        time.time,
        part_bytes=read.part_bytes,
        parallel_parts=read.parallel_parts,
        versions=read.versions,
        presigned_writing=read.presigned_writing,
        probe_prefix=place.prefix,
    )


def _keys(read: AzureConfiguration, surroundings: Surroundings) -> AzureKeys:
    if isinstance(read.authentication, AccountKey):
        key = _secret(surroundings, "account_key")
        try:
            base64.b64decode(key.reveal(), validate=True)
        except binascii.Error:
            raise InvalidConfiguration(
                "authentication.account_key is no key of an account", param="authentication.account_key"
            ) from None
        return AzureKeys(account_key=key)
    token = _secret(surroundings, "sas_token")
    if "sig=" not in token.reveal():
        raise InvalidConfiguration(
            "authentication.sas_token must be like sv=…&sig=…", param="authentication.sas_token"
        )
    return AzureKeys(sas_token=SecretText(token.reveal().lstrip("?")))


def _secret(surroundings: Surroundings, field: str) -> SecretText:
    found = surroundings.secrets.get(field)
    param = f"authentication.{field}"
    if found is None:
        raise InvalidConfiguration(f"{param} is missing", param=param)
    try:
        return SecretText(found.reveal().decode("ascii").strip())
    except UnicodeDecodeError:
        raise InvalidConfiguration(f"{param} is no secret of Azure", param=param) from None
