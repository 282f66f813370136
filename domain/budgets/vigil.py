"""Who may say that somebody else is lost: whoever was awake and could see all the while."""


class Vigil:
    """Told the time. After a sleep of the machine, or of the ledger, everybody looks silent: an instance that
    did not see the ledger at least every `gap_s_max` seconds for `long_s` judges nobody."""

    __slots__ = ("_gap_s_max", "_last", "_long_s", "_since")

    def __init__(self, *, long_s: float, gap_s_max: float) -> None:
        self._long_s = long_s
        self._gap_s_max = gap_s_max
        self._since: float | None = None
        self._last = 0.0

    def saw(self, now: float) -> None:
        """The ledger answered. `now` is the time of day: other clocks may stand still while a machine
        sleeps."""
        if self._since is None or not 0 <= now - self._last <= self._gap_s_max:
            self._since = now
        self._last = now

    def may_judge(self, now: float) -> bool:
        """Whether whoever was silent for `long_s` until now would have been heard."""
        if self._since is None or not 0 <= now - self._last <= self._gap_s_max:
            return False
        return now - self._since >= self._long_s
