"""Another policy's choices for recorded requests, by the planner itself.

What is replayed is what was recorded and what is fixed: targets, weights, priorities, prices and qualities as
they are now, every target usable. Strategies that choose by how targets did at the moment cannot be replayed,
because that was not recorded.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from application.demands import OUTPUT_TOKENS_TYPICAL
from domain.backtest.reading import ArmDraw, Understanding
from domain.backtest.record import Chances, Record
from domain.errors import InvalidRequest
from domain.experiments.standing import Standing
from domain.llm.usage import BYTES_PER_TOKEN_TYPICAL
from domain.routing.filters import eligible
from domain.routing.live import LiveState
from domain.routing.propensity import AMONG_MAX, first_choices
from domain.routing.ranking import Ranking, rank
from domain.routing.requirements import Requirements
from domain.routing.table import RoutingTable
from domain.routing.target import Route, RouteTarget, Target

REPLAYED: Final = frozenset({"weighted", "priority", "quality", "cost", "cost_per_quality", "geographic"})
_BY_SIZE: Final = frozenset({"cost", "cost_per_quality", "geographic"})
_UNSAID: Final = "balanced"
_SIZES_KEPT_MAX: Final = 4096
TARGETS_MAX: Final = 256
"""Of a policy."""


class PolicyTarget(NamedTuple):
    """One target of a policy that is written out, by its id."""

    target: str
    weight: float
    priority: int


class WrittenPolicy(NamedTuple):
    """A policy that is no route of the installation."""

    strategy: str
    targets: tuple[PolicyTarget, ...]


def route_of(policy: WrittenPolicy | str, table: RoutingTable, tenant_id: str) -> Route:
    """The policy as a route. Raises InvalidRequest for targets there are not and for what cannot be replayed,
    UnknownModel for the name of a route there is not."""
    if isinstance(policy, str):
        route = table.resolve(policy, tenant_id)
    else:
        members = tuple(
            RouteTarget(
                target=_target(table, each.target, tenant_id, place),
                weight=each.weight,
                priority=each.priority,
            )
            for place, each in enumerate(policy.targets)
        )
        route = Route(name="policy", targets=members, strategy=policy.strategy)
    # Of one target nothing is chosen, whatever the strategy.
    if route.strategy not in REPLAYED and len(route.targets) != 1:
        usual = ", which is what policies have that name none," if route.strategy == _UNSAID else ""
        raise InvalidRequest(
            f"policy: the strategy {route.strategy!r}{usual} chooses by how targets did at each moment, "
            f"which is not recorded; can be replayed: {', '.join(sorted(REPLAYED))}",
            param="policy",
        )
    if len(route.targets) > TARGETS_MAX:
        raise InvalidRequest(
            f"policy: {len(route.targets)} targets; at most {TARGETS_MAX} are replayed", param="policy"
        )
    return route


def _target(table: RoutingTable, name: str, tenant_id: str, place: int) -> Target:
    found = table.by_id.get(f"{tenant_id}:{name}") or table.by_id.get(name)
    if found is None or found.tenant_id not in ("", tenant_id):
        raise InvalidRequest(
            f"policy.targets[{place}]: no provider offers {name[:200]!r}", param=f"policy.targets.{place}"
        )
    return found


class PolicyReplay:
    """For one backtest; not for use by several threads at once."""

    def __init__(
        self,
        table: RoutingTable,
        asked: Route,
        policy: Route,
        tenant_id: str,
        standings: Iterable[Standing],
    ) -> None:
        self._policy = policy
        self._asked = asked
        self._table = table
        self._ranked_by = table.learned if policy.quality.learned and table.learned is not None else table
        self._live = LiveState(table)
        self._tenant_id = tenant_id
        self._experiments = {
            each.experiment.experiment_id: each for each in standings if each.concerns(tenant_id)
        }
        self._known: dict[int, Chances] = {}
        self._counts: dict[tuple[str, str], int | None] = {}

    def understanding(self) -> Understanding:
        """What a reading of records asks."""
        return Understanding(
            chances=self.chances,
            members=frozenset(self._ids(self._policy)),
            candidates=self.candidates,
            arm=self.arm,
        )

    @property
    def targets(self) -> list[Target]:
        """The policy's, as far as the tenant may use them, in their order."""
        return [self._table.by_id[each] for each in self._ids(self._policy)]

    def chances(self, record: Record) -> Chances:
        """The policy's first choices for a request of this size. Raises InvalidRequest: too many targets."""
        size = record.request_bytes // BYTES_PER_TOKEN_TYPICAL if self._policy.strategy in _BY_SIZE else 0
        known = self._known.get(size)
        if known is None:
            if len(self._known) >= _SIZES_KEPT_MAX:
                self._known.clear()
            known = self._known[size] = self._chosen(size)
        return known

    def candidates(self, record: Record) -> int | None:
        """Targets of the route, or of the arm's, that the tenant may use."""
        place = (record.experiment, record.arm)
        if place not in self._counts:
            route = self._arm_route(*place) if record.experiment else self._asked
            self._counts[place] = None if route is None else len(self._ids(route))
        return self._counts[place]

    def arm(self, record: Record) -> ArmDraw | None:
        """Until an arm was stopped: from then on the others' requests are answered and not counted."""
        standing = self._experiments.get(record.experiment)
        if standing is None:
            return None
        arms = standing.experiment.arms
        stops = [standing.stopped[each.name].at_us for each in arms if each.name in standing.stopped]
        if stops and record.started_at_us >= min(stops):
            return None
        weight = next((each.weight for each in arms if each.name == record.arm), 0)
        share = weight / sum(each.weight for each in arms)
        return ArmDraw(share, standing.experiment.unit) if share > 0 else None

    def _chosen(self, input_tokens: int) -> Chances:
        demands = Requirements(
            input_tokens=max(1, input_tokens),
            output_tokens=OUTPUT_TOKENS_TYPICAL,
            window_tokens=0,
            tenant_id=self._tenant_id,
        )
        ranking = rank(self._ranked_by, self._policy, demands, self._live, now=0.0, draw=0.0)
        if not isinstance(ranking, Ranking):
            return {}
        found = first_choices(ranking)
        if found is None:
            raise InvalidRequest(
                f"policy: more than {AMONG_MAX} targets of one priority are drawn among; their chances are "
                "not told",
                param="policy",
            )
        return {self._table.targets[index].id: chance for index, chance in found.items()}

    def _arm_route(self, experiment_id: str, arm: str) -> Route | None:
        standing = self._experiments.get(experiment_id)
        if standing is None:
            return None
        route = next((each.route for each in standing.experiment.arms if each.name == arm), "")
        return self._table.routes.get(route)

    def _ids(self, route: Route) -> list[str]:
        members = self._table.members(route)
        demands = Requirements(tenant_id=self._tenant_id, window_tokens=0)
        return [self._table.targets[index].id for index in eligible(self._table, members, demands).indices]
