"""`routes.*.prompt_caching`: whether prompts are made cacheable at their providers."""

from typing import Annotated, Any, Literal

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from domain.routing.prompt_cache import PromptCaching, PromptCachingPolicy
from entrypoints.config.sections import Section, Word


class PromptCachingSettings(Section):
    """Prompts that providers keep, so that later ones with the same beginning cost less. In YAML the bare
    mode stands for the whole. docs/prompt-caching.md tells what is put in, and what it may cost."""

    mode: Annotated[PromptCaching, Word] = Field(
        default=PromptCaching.OFF,
        description="`auto` puts in what the provider needs to keep a prompt, unless its caller did; `off` "
        "passes bodies on as they are.",
    )
    min_tokens: int | None = Field(
        default=None,
        ge=1,
        le=10_000_000,
        description="A shorter beginning is not marked. Unset: the least that the model's provider keeps.",
    )
    ttl: Literal["5m", "1h"] = Field(
        default="5m",
        description="How long marked prompts are kept after their last use. An hour costs more to write, and "
        "is asked for only where the provider has it.",
    )
    retention: Literal["in_memory", "24h"] | None = Field(
        default=None,
        description="`prompt_cache_retention` for OpenAI's own API; unset: not sent.",
    )

    @model_validator(mode="before")
    @classmethod
    def _bare_mode_stands_for_all(cls, value: object) -> object:
        return {"mode": value} if isinstance(value, str | bool) else value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        mapping = handler.resolve_ref_schema(handler(schema))
        return {"anyOf": [{"type": "string", "enum": ["off", "auto"]}, dict(mapping)]}

    def policy(self) -> PromptCachingPolicy:
        """As the domain wants it."""
        return PromptCachingPolicy(
            mode=self.mode, tokens_min=self.min_tokens, long=self.ttl == "1h", retention=self.retention or ""
        )
