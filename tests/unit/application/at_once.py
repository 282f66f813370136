"""Running what waits for nothing without an event loop."""

from collections.abc import Coroutine
from typing import Any, TypeVar

Value = TypeVar("Value")


def at_once(work: Coroutine[Any, Any, Value]) -> Value:
    """What the coroutine returns; an assertion error when it waits for anything."""
    try:
        work.send(None)
    except StopIteration as done:
        value: Value = done.value
        return value
    work.close()
    raise AssertionError("it waits for something")
