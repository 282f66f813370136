"""From a configuration to a folder of this machine."""

from adapters.storage.configuration import LocalConfiguration
from adapters.storage.local import LocalStore
from adapters.storage.ownership import Operators, allowed_folder, require_operator
from application.ports.connector import Surroundings
from domain.connectors.integration import Integration


def open_store(
    read: LocalConfiguration, integration: Integration, surroundings: Surroundings, operators: Operators
) -> LocalStore:
    """Raises InvalidConfiguration for a folder the operator did not open."""
    del surroundings
    require_operator(integration, "a folder of the machine", "endpoint")
    return LocalStore(allowed_folder(read.folder, operators.folders))
