"""What only whoever runs the installation may point an integration at."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from domain.connectors.integration import Integration
from domain.errors import InvalidConfiguration
from domain.tenancy.role import OPERATOR_TENANT


class Operators(NamedTuple):
    """What the operator says. `folders`: those integrations may use, with everything below them."""

    folders: Sequence[Path] = ()


def allowed_folder(folder: str, allowed: Sequence[Path]) -> Path:
    """The folder as it really is, links resolved. Raises InvalidConfiguration."""
    real = Path(folder).resolve()
    for root in allowed:
        if real.is_relative_to(root.resolve()):
            return real
    raise InvalidConfiguration(
        "endpoint names a folder that is not open to integrations; whoever runs this installation can list "
        "it in connectors.folders of the configuration",
        param="endpoint",
    )


def require_operator(integration: Integration, what: str, param: str) -> None:
    """Passes the operator's tenant, and what the configuration file declares for anybody.

    Raises InvalidConfiguration.
    """
    if integration.tenant_id != OPERATOR_TENANT and not integration.declared:
        raise InvalidConfiguration(
            f"{param}: {what} belongs to whoever runs this installation; its configuration file may declare "
            "an integration with it for you",
            param=param,
        )
