"""Following the gateway that the supervisor runs, and asking all of them now and then whether they are up."""

import asyncio
import json
from pathlib import Path
from typing import Final

from entrypoints.containers import Container
from entrypoints.live import LiveConfiguration
from entrypoints.provider_endpoints import gateway_urls

GATEWAY_WATCH_EVERY_S: Final = 0.5
GATEWAY_PROBE_EVERY_S: Final = 5.0
GATEWAY_FILE: Final = "gateway.json"


async def watch_gateway(live: LiveConfiguration, container: Container) -> None:
    """Follows the address of the gateway that the supervisor runs, and probes all gateways now and then."""
    gateway = container.gateway()
    file = live.settings.data_dir / GATEWAY_FILE
    seen: tuple[str, ...] | None = None
    since_probe_s = GATEWAY_PROBE_EVERY_S
    while True:
        urls = (*gateway_urls(live.settings), *_published(file))
        if urls != seen:
            container.outgoing().use_gateways(urls)
            gateway.set_gateways(urls)
            seen = urls
            since_probe_s = GATEWAY_PROBE_EVERY_S
        if urls and since_probe_s >= GATEWAY_PROBE_EVERY_S:
            since_probe_s = 0.0
            await gateway.probe()
        since_probe_s += GATEWAY_WATCH_EVERY_S
        await asyncio.sleep(GATEWAY_WATCH_EVERY_S)


def _published(file: Path) -> tuple[str, ...]:
    try:
        url = json.loads(file.read_text())["url"]
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    return (url,) if isinstance(url, str) else ()
