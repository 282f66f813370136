"""Values of a caller's last requests, for conversations whose history a server keeps: what was said in an
earlier turn is not in the body of the next one, and a placeholder for it may come back in the answer.

In memory of this process alone, for a while, and for that caller alone.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, NamedTuple

from domain.privacy.placeholders import PLACEHOLDER, Placeholders

KEPT_S: Final = 3600.0
CALLERS_MAX: Final = 4096
VALUES_MAX: Final = 512
"""Of one caller; the oldest leave first."""


class Caller(NamedTuple):
    """Who may have values back."""

    tenant_id: str
    key_id: str
    user_id: str
    session_id: str


class _Values(NamedTuple):
    until: float
    values: OrderedDict[str, str]


class RecentValues:
    """Told the time, in monotonic seconds."""

    def __init__(self) -> None:
        self._callers: OrderedDict[Caller, _Values] = OrderedDict()

    def give_back(
        self, caller: Caller, placeholders: Placeholders, now: float, body: bytes | None = None
    ) -> None:
        """Adds the caller's earlier values to those of a request; only those that `body` names, if given."""
        known = self._callers.get(caller)
        if known is None or known.until < now:
            return
        values = known.values
        if body is None:
            named: Iterable[str] = values
        else:
            said = PLACEHOLDER.finditer(body.decode("utf-8", "replace"))
            named = {name for match in said if (name := match[1] or match[2]) in values}
        for name in named:
            placeholders.values.setdefault(name, values[name])

    def keep(self, caller: Caller, placeholders: Placeholders, now: float) -> None:
        """Keeps the values of a request."""
        known = self._callers.pop(caller, None)
        values: OrderedDict[str, str] = OrderedDict() if known is None or known.until < now else known.values
        for name, value in placeholders.values.items():
            values[name] = value
            values.move_to_end(name)
        while len(values) > VALUES_MAX:
            values.popitem(last=False)
        if not values:
            return
        self._callers[caller] = _Values(now + KEPT_S, values)
        while len(self._callers) > CALLERS_MAX or next(iter(self._callers.values())).until < now:
            self._callers.popitem(last=False)
