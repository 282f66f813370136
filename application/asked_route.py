"""Which route answers: the one that was asked for, unless a budget or an experiment says another."""

from application.experiments.book import ExperimentBook
from application.holds import BudgetHolds
from application.job import Job
from domain.routing.table import RoutingTable
from domain.routing.target import Route


def asked_route(
    job: Job,
    table: RoutingTable,
    holds: BudgetHolds | None,
    experiments: ExperimentBook | None,
    *,
    beside: bool,
    copied: bool = False,
) -> Route:
    """The route of a budget near its end where there is one; else the asked one, as the arm of an experiment
    answers it where one runs. `beside`: it runs beside callers' requests; `copied`: shadows may get a copy.
    Raises UnknownModel."""
    asked = table.resolve(job.request.model, job.principal.tenant_id)
    if beside and job.shadow is not None:
        assert experiments is not None, "copies are of experiments"
        return experiments.shadow_route(job, job.shadow, asked, table)
    account = None if holds is None else holds.switch(job)
    if account is None or account.switch is None:
        if experiments is None or not experiments.running:
            return asked
        return experiments.route_for(job, asked, table, beside=beside, copied=copied)
    instead = table.routes.get(account.switch.route)
    if instead is None or instead is asked:
        return asked
    job.switched_by = account.name
    return instead
