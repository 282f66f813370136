"""The stack that most end-to-end modules share: started once per module, its simulator wiped per test."""

from collections.abc import Iterator

import pytest

from entrypoints import live
from tests.e2e.stack import Stack
from tests.e2e.three_wires import CONFIG, simulate


@pytest.fixture(scope="module", autouse=True)
def files_looked_at_often() -> Iterator[None]:
    """A changed configuration file is seen at once by the servers of this process: who waits for that asks
    again and again meanwhile."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(live, "LOOK_EVERY_S", 0.15)
        patched.setattr(live, "SETTLE_S", 0.05)
        yield


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
