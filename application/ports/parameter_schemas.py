"""Comparing values with JSON Schemas. Pure and synchronous; nothing is fetched from anywhere."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol


class SchemaProblem(NamedTuple):
    """`param` is the path of what is wrong, such as `parameters.limit`. No long value is repeated."""

    param: str
    message: str


class ParameterSchemas(Protocol):
    @abstractmethod
    def problem(self, schema: Mapping[str, Any], value: Any, at: str = "parameters") -> SchemaProblem | None:
        """The first thing wrong with a value; None: nothing. The schema is compiled once."""
        ...

    @abstractmethod
    def unusable(self, schema: Mapping[str, Any]) -> str:
        """Why nothing can be compared with it; empty: it can. References outside of it are refused."""
        ...
