"""When a webhook that did not arrive is sent again.

The waits are Svix's: at once, then after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h and 10 h, about a day in all.
Each is drawn out by a share of itself, so that what failed together does not come back together.
"""

from dataclasses import dataclass
from typing import Final

from domain.errors import InvalidConfiguration

WAITS_S: Final = (0.0, 5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 36_000.0)
ATTEMPTS_MAX: Final = 32
WAIT_S_MAX: Final = 7 * 86_400.0
JITTER_SHARE: Final = 0.1
RETRY_AFTER_S_MAX: Final = 3600.0
"""The longest Retry-After of an endpoint that is waited out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """`waits_s[n]` comes before attempt number n+1; there are as many attempts as waits.

    Raises InvalidConfiguration for waits that are none.
    """

    waits_s: tuple[float, ...] = WAITS_S
    jitter_share: float = JITTER_SHARE
    retry_after_s_max: float = RETRY_AFTER_S_MAX

    def __post_init__(self) -> None:
        if not 1 <= len(self.waits_s) <= ATTEMPTS_MAX:
            raise InvalidConfiguration(f"a schedule has 1 to {ATTEMPTS_MAX} waits", param="schedule_s")
        if not all(0 <= wait <= WAIT_S_MAX for wait in self.waits_s):
            raise InvalidConfiguration(
                f"a wait of a schedule is 0 to {WAIT_S_MAX:g} seconds", param="schedule_s"
            )
        if not 0 <= self.jitter_share <= 1:
            raise InvalidConfiguration("the jitter is a share from 0 to 1", param="jitter")
        if not 0 <= self.retry_after_s_max <= WAIT_S_MAX:
            raise InvalidConfiguration(
                f"the longest Retry-After is 0 to {WAIT_S_MAX:g} seconds", param="retry_after_max_s"
            )

    def wait_s(self, attempts: int, *, draw: float, retry_after_s: float | None = None) -> float | None:
        """Seconds until the next attempt after `attempts` that failed; None: there is none.

        An endpoint's Retry-After, up to the clamp, can only make the wait longer.
        """
        if attempts >= len(self.waits_s):
            return None
        wait = self.waits_s[attempts]
        if retry_after_s is not None:
            wait = max(wait, min(max(retry_after_s, 0.0), self.retry_after_s_max))
        return wait * (1 + self.jitter_share * draw)
