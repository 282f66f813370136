"""The base of every port suite.

A suite is a class of tests with holes (fixtures that raise NotImplementedError); binding it means
subclassing it under `tests/contract` and filling the holes. It has four parts: behaviour, port-owned
errors, concurrency, cancellation, and what holds when the backend is unreachable.
"""

from typing import Any


class PortContract:
    """Not named Test*, so it is collected only where it is bound."""

    def test_no_standard_test_is_overridden(self) -> None:
        """A binding may fill holes, not change promises."""
        order: tuple[type[Any], ...] = type(self).__mro__
        for place, suite in enumerate(order):
            if PortContract not in suite.__bases__:
                continue
            promised = {name for name in vars(suite) if name.startswith("test_")}
            for cls in order[:place]:
                overridden = promised & set(vars(cls))
                assert not overridden, f"{cls.__name__} changes the contract: {sorted(overridden)}"
