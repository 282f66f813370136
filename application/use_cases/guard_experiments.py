"""Looks at running experiments, and stops arms that their guardrails do not allow.

Several processes may look: how an experiment stands is changed only by whoever knows how it is, with the
event in the same transaction, so an arm is stopped once and told once. One process is asked to look at all
(`judges`), to keep the database quiet.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from application.events.writing import epoch_us
from application.experiments.stored import stored_of
from application.experiments.telling import arm_stopped
from application.ports.experiments import ExperimentFigures, ExperimentStore, FiguresWanted
from application.ports.system import Clock
from application.use_cases.follow_experiments import FollowExperiments
from domain.experiments.judging import Breach, breaches
from domain.experiments.standing import Standing, StoppedArm
from domain.experiments.telling import breach_text

log = logging.getLogger("interchange")

LOOK_EVERY_S: Final = 15.0


class GuardExperiments:
    """`look` is for the lifespan, every `LOOK_EVERY_S`."""

    def __init__(
        self,
        store: ExperimentStore,
        figures: ExperimentFigures,
        clock: Clock,
        follow: FollowExperiments,
        judges: Callable[[], bool] = lambda: True,
    ) -> None:
        self._store = store
        self._figures = figures
        self._clock = clock
        self._follow = follow
        self.judges = judges
        self.stopped = 0
        """Arms that this process stopped."""

    async def look(self) -> None:
        """Once, at each experiment with guardrails. Raises StoreUnavailable; the next look goes on."""
        if not self.judges():
            return
        for standing in self._follow.standings:
            if standing.running and standing.experiment.guardrails:
                await self._look_at(standing)

    async def _look_at(self, standing: Standing) -> None:
        experiment = standing.experiment
        if all(arm.name in standing.stopped for arm in experiment.compared):
            return
        tenant_id = None if experiment.everyone else experiment.owner
        wanted = FiguresWanted(experiment.experiment_id, experiment.unit, tenant_id)
        figures = await self._figures.figures(wanted)
        found = breaches(experiment, figures, frozenset(standing.stopped))
        if found:
            await self._stop(standing, found)

    async def _stop(self, standing: Standing, found: tuple[Breach, ...]) -> None:
        now_us = epoch_us(self._clock.utc_now())
        why = {breach.arm: breach_text(standing.experiment, breach) for breach in found}
        stopped = {arm: StoppedArm(now_us, text) for arm, text in why.items()}
        changed = replace(standing, stopped={**standing.stopped, **stopped}, updated_at_us=now_us)
        events = [arm_stopped(changed, arm, text, now_us) for arm, text in why.items()]
        if await self._store.put(stored_of(changed), events):
            self.stopped += len(found)
            for arm, text in why.items():
                log.warning("experiment %r: arm %r is stopped: %s", standing.experiment.name, arm, text)
        await self._follow.refresh()
