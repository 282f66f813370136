"""`/api/v1/experiments`: A/B tests of routes, and what they show."""

from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from application.use_cases.manage_experiments import ManageExperiments
from domain.experiments.standing import Standing
from domain.tenancy.principal import Principal
from entrypoints.experiment_objects import (
    ExperimentBody,
    PromotionBody,
    asked_terms,
    experiment_object,
    results_object,
)
from entrypoints.http.guard import (
    Created,
    Door,
    Handler,
    decode,
    guarded_routes,
    only_parameters,
    read_bounded,
)

_ONE = "/api/v1/experiments/{experiment_id}"


def experiment_routes(door: Door, manage: ManageExperiments) -> list[Route]:
    """The routes, each behind its permission."""

    def shown(standing: Standing) -> dict[str, Any]:
        return experiment_object(standing, manage.declared_in(standing))

    async def every(request: Request, by: Principal) -> Any:
        only_parameters(request)
        return {"experiments": [shown(each) for each in await manage.all(by)]}

    async def make(request: Request, by: Principal) -> Any:
        body = decode(await read_bounded(request), ExperimentBody)
        return Created(shown(await manage.create(by, asked_terms(body))))

    async def one(request: Request, by: Principal) -> Any:
        return results_object(await manage.one(by, request.path_params["experiment_id"]))

    async def remove(request: Request, by: Principal) -> Any:
        standing = await manage.remove(by, request.path_params["experiment_id"])
        return {"experiment_id": standing.experiment.experiment_id, "removed": True}

    async def start(request: Request, by: Principal) -> Any:
        return shown(await manage.start(by, request.path_params["experiment_id"]))

    async def stop(request: Request, by: Principal) -> Any:
        return shown(await manage.stop(by, request.path_params["experiment_id"]))

    async def promote(request: Request, by: Principal) -> Any:
        body = decode(await read_bounded(request), PromotionBody)
        return shown(await manage.promote(by, request.path_params["experiment_id"], body.arm))

    handlers: dict[tuple[str, str], Handler] = {
        ("GET", "/api/v1/experiments"): every,
        ("POST", "/api/v1/experiments"): make,
        ("GET", _ONE): one,
        ("DELETE", _ONE): remove,
        ("POST", f"{_ONE}/start"): start,
        ("POST", f"{_ONE}/stop"): stop,
        ("POST", f"{_ONE}/promote"): promote,
    }
    return guarded_routes(door, handlers)
