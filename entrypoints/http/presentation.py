"""Domain objects as the JSON objects our routes publish."""

import dataclasses
from typing import Any

from application.use_cases.list_models import ListedModel
from domain.catalog.offering import Offering
from domain.llm.capabilities import capability_names
from domain.money import format_usd


def worst_breaker(states: list[str]) -> str:
    for state in ("open", "half_open"):
        if state in states:
            return state
    return "closed"


def openai_model(model: ListedModel) -> dict[str, Any]:
    target = model.target
    listed: dict[str, Any] = {
        "id": model.name,
        "object": "model",
        "created": 0,
        "owned_by": target.provider if target else "interchange",
    }
    if target is not None:
        listed["context_window"] = target.offering.context_tokens
        listed["capabilities"] = list(capability_names(target.offering.capabilities))
    return listed


def anthropic_model(model: ListedModel) -> dict[str, Any]:
    return {
        "type": "model",
        "id": model.name,
        "display_name": model.name,
        "created_at": "1970-01-01T00:00:00Z",
    }


def offering_object(offering: Offering) -> dict[str, Any]:
    base = offering.prices.base
    return {
        "id": offering.id,
        "provider": offering.provider,
        "model": offering.model,
        "capabilities": list(capability_names(offering.capabilities)),
        "context_tokens": offering.context_tokens,
        "max_output_tokens": offering.max_output_tokens,
        "quality": offering.quality,
        "regions": sorted(offering.regions),
        "compliance": sorted(offering.compliance),
        "deprecated_on": offering.deprecated_on,
        "price_source": offering.prices.source,
        "price_effective_from": offering.prices.effective_from,
        "usd_per_mtok": {
            field.name: format_usd(rate)
            for field in dataclasses.fields(base)
            if (rate := getattr(base, field.name)) is not None
        },
        "tiers": [tier.above_input_tokens for tier in offering.prices.tiers],
    }
