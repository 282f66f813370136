"""What arms did, from usage rows, and what shadows did, beside control on the same requests."""

from collections.abc import Mapping

from application.ports.experiments import ExperimentFigures, FiguresWanted
from application.ports.shadows import ShadowLog
from domain.experiments.judging import ArmFigures, with_pairs


class ComparedFigures(ExperimentFigures):
    """Both together. A shadow's scores come from its usage rows, all else from pairs."""

    def __init__(self, usage: ExperimentFigures, shadows: ShadowLog) -> None:
        self._usage = usage
        self._shadows = shadows

    async def figures(self, wanted: FiguresWanted) -> Mapping[str, ArmFigures]:
        seen = await self._shadows.figures(wanted)
        answered = await self._usage.figures(wanted)
        return {**answered, **{arm: with_pairs(answered.get(arm), found) for arm, found in seen.items()}}
