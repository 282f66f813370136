"""The stack that most end-to-end modules share: started once per module, its simulator wiped per test."""

from collections.abc import Iterator

import pytest

from tests.e2e.stack import Stack
from tests.e2e.three_wires import CONFIG, simulate


@pytest.fixture(scope="module")
def module_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack in front of three wires for all tests of a module."""
    with Stack(tmp_path_factory.mktemp("data"), CONFIG) as stack:
        yield stack


@pytest.fixture
def stack(module_stack: Stack) -> Stack:
    """The module's stack with a simulator that knows nothing of earlier tests."""
    simulate(module_stack, module_stack.simulator.clear_rules)
    simulate(module_stack, module_stack.simulator.clear_requests)
    return module_stack
