"""Which arm a unit gets: a pure function of the experiment's salt and the unit, equal everywhere and always.

Nothing is kept, so every instance, worker and restart agrees. Experiments have different salts, so that who
gets an arm in one of them says nothing about the others.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from domain.experiments.experiment import Arm

POINT_BITS: Final = 64


def point_of(salt: str, tenant_id: str, value: str) -> int:
    """Where a unit falls: even over 0 to 2**64 - 1. `value` is the unit's within its tenant."""
    # Each part says how long it is, so that no two units spell the same text.
    text = f"{len(salt)}:{salt}{len(tenant_id)}:{tenant_id}{value}"
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def arm_at(arms: Sequence[Arm], point: int) -> int:
    """The place of the arm at a point. Of all points, each arm has its weight's share, to one in 2**64."""
    left = (point * sum(arm.weight for arm in arms)) >> POINT_BITS
    for place, arm in enumerate(arms):
        left -= arm.weight
        if left < 0:
            return place
    raise ValueError("a point below 2**64 is in some arm")


def assigned_arm(arms: Sequence[Arm], salt: str, tenant_id: str, value: str) -> int:
    """The place of the arm of a unit."""
    return arm_at(arms, point_of(salt, tenant_id, value))
