"""The real Portkey gateway for tests: installed once per checkout, started once per test session.

The child is supervised on a loop of its own, because tests have a loop each.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from entrypoints.jobs.gateway_process import GatewayProcess, GatewayState
from tests.node_parts import gateway as packages
from tests.node_parts import gateway_folder, missing_part

START_TIMEOUT_S = 180.0


@contextmanager
def running_gateway() -> Iterator[GatewayProcess | str]:
    """The gateway, up; or the reason why it is not."""
    if problem := missing_part(packages()):
        yield problem
        return
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="portkey-gateway-loop", daemon=True)
    thread.start()
    gateway = GatewayProcess(gateway_folder(), port=0)

    async def start() -> bool:
        await gateway.start()
        return await gateway.wait_until_up(START_TIMEOUT_S)

    try:
        up = asyncio.run_coroutine_threadsafe(start(), loop).result(START_TIMEOUT_S + 10)
        yield gateway if up else f"{gateway.state.value}: {gateway.last_error}"
    finally:
        asyncio.run_coroutine_threadsafe(gateway.stop(), loop).result(20)
        assert gateway.state is GatewayState.STOPPED
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()
