"""The simulated providers of a first start: one per wire, all served by one process on loopback.

Their names, prices and windows are made up and always labelled; they exist so that routing, failover, cost
and the SDKs can be tried without a key.
"""

from collections.abc import Iterable

from domain.catalog.offering import Offering
from domain.catalog.prices import PriceTable, Rates
from domain.llm.capabilities import Capability
from entrypoints.provisioned import CHAT, ProvisionedProvider
from entrypoints.responses_support import responses_support

SIMULATED_WIRES = {"sim-openai": "openai", "sim-anthropic": "anthropic", "sim-gemini": "gemini"}
PORTKEY_SLUGS = {"openai": "openai", "anthropic": "anthropic", "gemini": "google"}
NANO_PER_CENT = 10_000_000


def simulated_providers(url: str) -> Iterable[ProvisionedProvider]:
    """The providers behind the simulator at `url`, one per wire."""
    for name, wire in SIMULATED_WIRES.items():
        root = f"{url.rstrip('/')}/{name}"
        yield ProvisionedProvider(
            name=name,
            wire=wire,
            base_url=f"{root}/v1" if wire == "openai" else root,
            public_base_url=False,
            portkey_slug=PORTKEY_SLUGS[wire],
            api_key="simulated",
            simulated=True,
            kind=wire,
            responses=responses_support(wire),
            honours_idempotency_keys=True,
            batch_api=wire if wire in ("openai", "anthropic") else "",
        )


def simulated_offerings(provider: str) -> list[Offering]:
    """A cheap, a strong and a reasoning model, and embeddings where the wire has them."""
    chat = CHAT | Capability.VISION
    offerings = [
        _offering(provider, "small", _prices(10, 40), 0.6, chat, 128_000),
        _offering(provider, "large", _prices(300, 1500), 0.9, chat | Capability.LONG_CONTEXT, 200_000),
        _offering(provider, "think", _prices(100, 500), 0.8, CHAT | Capability.REASONING, 128_000),
    ]
    if provider != "sim-anthropic":
        embeddings = _prices(2, 0)
        offerings.append(_offering(provider, "embed", embeddings, 0.6, Capability.EMBEDDINGS, 8192))
    return offerings


def _prices(input_cents_per_mtok: int, output_cents_per_mtok: int) -> PriceTable:
    per_token = Rates(
        input=input_cents_per_mtok * NANO_PER_CENT,
        output=output_cents_per_mtok * NANO_PER_CENT,
        cached_read=input_cents_per_mtok * NANO_PER_CENT // 10,
    )
    return PriceTable(base=per_token, source="simulated")


def _offering(
    provider: str, model: str, prices: PriceTable, quality: float, capabilities: Capability, context: int
) -> Offering:
    return Offering(
        provider=provider,
        model=model,
        prices=prices,
        quality=quality,
        capabilities=capabilities,
        context_tokens=context,
        max_output_tokens=8192,
        prefill=model in ("small", "large"),
        source="simulated",
    )
