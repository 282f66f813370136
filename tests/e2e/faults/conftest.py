"""One installation per way, for the whole session; both ways are the same to the tests."""

from collections.abc import Iterator

import pytest

from tests.conftest import missing
from tests.contract.portkey.running import running_gateway
from tests.e2e.faults.world import FaultWorld, Pair, fault_world

WAYS = ["direct", pytest.param("portkey", marks=pytest.mark.portkey)]


@pytest.fixture(scope="session")
def direct_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultWorld]:
    with fault_world(tmp_path_factory.mktemp("direct"), via="direct") as world:
        yield world


@pytest.fixture(scope="session")
def portkey_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultWorld]:
    with running_gateway() as gateway:
        if isinstance(gateway, str):
            missing(f"the Portkey gateway ({gateway})")
            return
        data_dir = tmp_path_factory.mktemp("portkey")
        with fault_world(data_dir, via="portkey", gateway_url=gateway.url) as world:
            yield world


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(way: str, request: pytest.FixtureRequest) -> FaultWorld:
    found = request.getfixturevalue(f"{way}_world")
    assert isinstance(found, FaultWorld)
    return found


@pytest.fixture
def pair(world: FaultWorld) -> Pair:
    return world.pair()


@pytest.fixture(params=[False, True], ids=["unary", "stream"])
def stream(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)
