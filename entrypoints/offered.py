"""What a provider offers here: the catalogue's knowledge with the configuration's word over it."""

from dataclasses import dataclass, replace

from domain.catalog.names import ModelNames
from domain.catalog.offering import Offering
from domain.llm.capabilities import LONG_CONTEXT_TOKENS, Capability
from entrypoints.config.provider_sections import ModelSettings, ProviderSettings
from entrypoints.provisioned import CHAT


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedOffering:
    """An offering under the name and aliases that callers of this installation use."""

    name: str
    offering: Offering
    aliases: tuple[str, ...] = ()


def as_known(provider: str, names: ModelNames, kind: str | None = None) -> list[NamedOffering]:
    """Everything the catalogue says a provider of this kind sells, under the operator's provider name."""
    return [
        NamedOffering(name=offering.model, offering=replace(offering, provider=provider))
        for offering in names.sold_by(kind or provider)
    ]


def offerings_of(name: str, section: ProviderSettings, names: ModelNames) -> list[NamedOffering]:
    """Catalogue models of this kind with the file's overrides.

    Behind an address of the operator's own, with models declared, only the declared ones exist: nobody
    knows what else that server would answer to.
    """
    known = {entry.name: entry for entry in as_known(name, names, section.kind)}
    own_address = section.base_url is not None
    result = {} if own_address and section.models else dict(known)
    seller = names.provider(section.kind)
    wire = seller.wire if seller is not None else section.kind
    for shown, declared in section.models.items():
        model = declared.model or shown
        called = (declared.base_model, model, shown)
        alike = next((known[each].offering for each in called if each in known), None)
        if alike is None and wire == "bedrock":
            # Prefixes of regions and ARNs of profiles are known as patterns only.
            alike = next((found for each in called if each and (found := names.at(section.kind, each))), None)
        base = (
            replace(alike, provider=name, model=model)
            if alike is not None
            else Offering(provider=name, model=model, capabilities=CHAT, source="config")
        )
        result[shown] = NamedOffering(
            name=shown, offering=_overridden(base, declared), aliases=tuple(declared.aliases or ())
        )
    return list(result.values())


def _overridden(base: Offering, declared: ModelSettings) -> Offering:
    """The file's word over the catalogue's, field by field."""
    capabilities = declared.capability_mask
    context_tokens = declared.context_tokens or base.context_tokens
    changed = replace(
        base,
        prices=declared.prices() or base.prices,
        capabilities=base.capabilities if capabilities is None else capabilities,
        context_tokens=context_tokens,
        max_output_tokens=declared.max_output_tokens or base.max_output_tokens,
        quality=base.quality if declared.quality is None else declared.quality,
        regions=base.regions if declared.regions is None else frozenset(declared.regions),
        compliance=base.compliance if declared.compliance is None else frozenset(declared.compliance),
        tags=base.tags if declared.tags is None else frozenset(declared.tags),
        prefill=base.prefill if declared.prefill is None else declared.prefill,
        version=declared.version or base.version,
        deprecated_on=declared.deprecated_on or base.deprecated_on,
    )
    if (context_tokens or 0) >= LONG_CONTEXT_TOKENS:
        changed = replace(changed, capabilities=changed.capabilities | Capability.LONG_CONTEXT)
    return changed


def presentable(offering: Offering) -> bool:
    """Whether a model belongs into a route nobody composed: of a known family, current, and made for chat
    with tools or for embeddings. A catalogue also lists what a provider stopped serving."""
    if offering.source == "config":
        return True
    able = offering.capabilities & (Capability.FUNCTION_CALLING | Capability.EMBEDDINGS)
    return bool(able) and offering.quality is not None and offering.deprecated_on is None
