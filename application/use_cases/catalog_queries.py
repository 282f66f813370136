"""Questions about the catalogue: which models there are, what one of them is, what it holds in all."""

from dataclasses import dataclass

from application.use_cases.load_catalog import LoadCatalog
from application.use_cases.sync_catalog import ExportCatalog, ImportCatalog, SyncCatalog
from domain.catalog.names import ModelNames
from domain.catalog.offering import Offering
from domain.catalog.statistics import CatalogStatistics, priced, statistics
from domain.errors import UnknownModel
from domain.llm.capabilities import NO_CAPABILITY, Capability


class ListOfferings:
    """Offerings that fit every given filter, in order of id."""

    def __init__(self, load: LoadCatalog) -> None:
        self._load = load

    async def __call__(
        self,
        *,
        provider: str | None = None,
        capabilities: Capability = NO_CAPABILITY,
        max_nano_usd_per_mtok: int | None = None,
    ) -> list[Offering]:
        """`max_nano_usd_per_mtok` bounds the mean of input and output price; an unpriced offering is over it.

        `provider` is an id or an alias. Raises UnknownModel for a provider nobody knows.
        """
        catalog = await self._load()
        wanted = None
        if provider is not None:
            found = ModelNames(catalog).provider(provider)
            if found is None:
                raise UnknownModel(f"no provider {provider!r}", param="provider")
            wanted = found.id
        return [
            offering
            for _, offering in sorted(catalog.offerings.items())
            if (wanted is None or offering.provider == wanted)
            and offering.capabilities & capabilities == capabilities
            and _within(offering, max_nano_usd_per_mtok)
        ]


class ShowOffering:
    """Everything known under one name."""

    def __init__(self, load: LoadCatalog) -> None:
        self._load = load

    async def __call__(self, name: str) -> tuple[Offering, ...]:
        """One offering for `provider/model`, else one per provider. Raises UnknownModel with near names."""
        catalog = await self._load()
        if exact := catalog.offerings.get(name):
            return (exact,)
        names = ModelNames(catalog)
        found = names.find(name)
        if not found:
            raise UnknownModel(f"no model {name!r} in the catalogue", nearest=names.nearest(name))
        return found


class ReportCatalogStatistics:
    """What the catalogue holds, counted."""

    def __init__(self, load: LoadCatalog) -> None:
        self._load = load

    async def __call__(self) -> CatalogStatistics:
        return statistics(await self._load())


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogUseCases:
    """What the `catalog` commands need, resolved once."""

    list_offerings: ListOfferings
    show_offering: ShowOffering
    statistics: ReportCatalogStatistics
    sync: SyncCatalog
    import_catalog: ImportCatalog
    export_catalog: ExportCatalog


def _within(offering: Offering, max_nano_usd_per_mtok: int | None) -> bool:
    """Equal parts of input and output, so that the answer does not hang on an assumed size of prompts."""
    if max_nano_usd_per_mtok is None:
        return True
    rates = offering.prices.base
    if rates.input is None or not priced(offering):
        return False
    # What gives no tokens back, such as an embedding, is judged by its input price.
    output = rates.input if rates.output is None else rates.output
    return rates.input + output <= 2 * max_nano_usd_per_mtok
