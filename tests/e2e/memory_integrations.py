"""Lets servers of this test process reach integrations under `memory://`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from dependency_injector import providers

from adapters.memory.connector import MemoryKind, MemorySide
from application.tools.kinds import ConnectorKinds
from entrypoints.connectors_opening import connector_kinds
from entrypoints.containers import Container
from entrypoints.settings import Settings


def kinds_with(settings: Settings, sides: Mapping[str, MemorySide]) -> ConnectorKinds:
    """Every kind there is, and these."""
    made = connector_kinds(settings)
    made.add(MemoryKind(sides))
    return made


@contextmanager
def memory_integrations(sides: Mapping[str, MemorySide]) -> Iterator[None]:
    """For servers that start as long as this lasts."""

    def kinds(settings: Settings) -> ConnectorKinds:
        return kinds_with(settings, sides)

    with Container.connector_kinds.override(providers.Singleton(kinds, Container.settings)):
        yield
