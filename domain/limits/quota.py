"""A quota: so many units per calendar period, in slices that holders give back."""

from typing import Final

from domain.limits.bucket import Asked, Told

SHARE_OF_REST: Final = 16
"""Who asks gets at most this part of what is left beyond what somebody waits for, so that slices shrink as
the quota nears its end and nothing is left over in somebody's hands."""


def count(used: int, quota: int, asked: Asked, now_us: int) -> tuple[int, Told]:
    """What is used after a holder asked, and what it is told.

    At any moment: what was let through in the period <= what is used <= quota, but for debts, which were let
    through already. Units of a holder that is lost stay used until the period ends.
    """
    back = sum(max(0, credit.units) for credit in asked.credits)
    used = max(0, used - back) + max(0, asked.debt)
    room = max(0, quota - used)
    granted = retry_in_us = 0
    if asked.need > 0:
        if asked.need <= room:
            waited_for = min(room, asked.need + asked.more)
            granted = waited_for + min(asked.want, (room - waited_for) // SHARE_OF_REST)
        else:
            retry_in_us = -1
    used += granted
    return used, Told(granted, now_us, room - granted, 0, retry_in_us)
