"""Which stores stand behind integrations and their checks."""

from collections.abc import Iterable
from random import Random

from adapters.sql.database import Database
from adapters.sql.integrations import SqlHealthLog, SqlIntegrationStore
from adapters.sql.tool_pins import SqlToolPins
from application.ports.integrations import IntegrationStore
from application.ports.system import Clock
from application.ports.tool_pins import ToolPins
from application.tools.declared import FileSecrets
from application.tools.health_board import HealthBoard
from application.use_cases.follow_integrations import FollowIntegrations
from application.use_cases.watch_integrations import WatchIntegrations
from application.vault import Vault
from domain.connectors.integration import Integration
from entrypoints.integrated_providers import ProviderIntegrations
from entrypoints.integrating import Integrating
from entrypoints.tooling import Tooling


def integration_store(database: Database) -> IntegrationStore:
    """What commands look into."""
    return SqlIntegrationStore(database)


def tool_pins(database: Database) -> ToolPins:
    """What tools of upstream servers were accepted as, for every tenant."""
    return SqlToolPins(database)


def open_integrating(
    scoped: Database,
    database: Database,
    tooling: Tooling,
    vault: Vault,
    secrets: FileSecrets,
    clock: Clock,
    chance: Random,
) -> Integrating:
    """Opens nothing. People work on `scoped`, which goes as far as they reach; what follows and watches on
    `database`, and checks of what is declared for everybody are nobody's rows."""
    health = SqlHealthLog(database)
    board = HealthBoard(health)
    book, providing = tooling.book, ProviderIntegrations(tooling.opening.secrets_of)

    def use(integrations: Iterable[Integration]) -> None:
        every = tuple(integrations)
        book.use(every)
        providing.use(every)

    return Integrating(
        tooling=tooling,
        store=SqlIntegrationStore(scoped),
        health=health,
        board=board,
        follow=FollowIntegrations(SqlIntegrationStore(database), vault.store, secrets, use, tooling.pins),
        watch=WatchIntegrations(book, health, board, clock, chance.random),
        vault=vault,
        clock=clock,
        providers=providing,
    )
