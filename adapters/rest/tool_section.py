"""How one tool of a REST integration is written."""

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from adapters.rest.authentication_section import Section, header_name
from adapters.rest.expressions import expression
from domain.connectors.rest.paging import PAGES, PAGES_MAX, PagingKind
from domain.connectors.rest.retrying import READING_METHODS
from domain.connectors.rest.templates import parse_path, parse_template, parse_tree

ITEMS_MAX = 100_000


class PaginationSection(Section):
    """How one walks through pages; `items` says where (JMESPath) an answer's items are."""

    kind: PagingKind
    param: str = Field("", max_length=128, description="Carries offset, number or cursor.")
    place: Literal["query", "body"] = "query"
    first: int = Field(0, ge=0, le=1_000_000)
    size_param: str = Field("", max_length=128)
    size: int = Field(0, ge=0, le=100_000)
    items: str = "@"
    next: str = Field("", description="JMESPath of the cursor or of the next page's address.")
    more: str = Field("", description="JMESPath; false ends it.")
    total: str = Field("", description="JMESPath of how many items there are in all.")
    pages_max: int = Field(PAGES, ge=1, le=PAGES_MAX)
    items_max: int = Field(10_000, ge=1, le=ITEMS_MAX)

    @field_validator("items", "next", "more", "total")
    @classmethod
    def _compiled(cls, value: str) -> str:
        if value:
            expression(value)
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        counted = self.kind in (PagingKind.OFFSET, PagingKind.PAGE, PagingKind.CURSOR)
        if counted and not self.param:
            raise ValueError(f"{self.kind.value} needs param")
        if self.kind in (PagingKind.CURSOR, PagingKind.NEXT_LINK) and not self.next:
            raise ValueError(f"{self.kind.value} needs next")
        if bool(self.size_param) > bool(self.size):
            raise ValueError("size_param needs size")
        return self


class ResponseSection(Section):
    """What an answer has to be, and what is made of it. Texts are JMESPath but for `schema`."""

    json_schema: dict[str, Any] | None = Field(None, alias="schema")
    select: str = ""
    success: list[int] = Field(default_factory=list, max_length=50, description="Else every 2xx.")
    error: str = Field("", description="Where the message of a refusal is.")
    failed: str = Field("", description="True: it failed, whatever its status says.")
    credential_refused: str = Field("", description="True: it is our credential that was refused.")
    headers: list[str] = Field(default_factory=list, max_length=20)

    @field_validator("select", "error", "failed", "credential_refused")
    @classmethod
    def _compiled(cls, value: str) -> str:
        if value:
            expression(value)
        return value

    @field_validator("headers")
    @classmethod
    def _shown(cls, value: list[str]) -> list[str]:
        names = [header_name(name) for name in value]
        if hidden := {"set-cookie", "www-authenticate", "authorization"} & set(names):
            raise ValueError(f"{min(hidden)} is not shown to callers")
        return names


class ToolSection(Section):
    """One tool: a request made of its parameters."""

    description: str = Field("", max_length=8192)
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    path: str = "/"
    query: dict[str, Any] = Field(default_factory=dict, max_length=200)
    headers: dict[str, str] = Field(default_factory=dict, max_length=50)
    cookies: dict[str, str] = Field(default_factory=dict, max_length=50)
    body: Any = None
    content_type: Literal["json", "form"] = "json"
    arrays: Literal["repeat", "comma", "brackets"] = "repeat"
    parameters: dict[str, Any] | None = None
    pagination: PaginationSection | None = None
    response: ResponseSection = Field(default_factory=lambda: ResponseSection.model_validate({}))
    read_only: bool | None = None
    idempotent: bool | None = None
    destructive: bool | None = None
    idempotency_header: str = ""
    cache_ttl_s: float | None = Field(None, gt=0, le=30 * 86_400)
    cost_usd: float | None = Field(None, ge=0, le=1000)
    timeout_s: float | None = Field(None, gt=0, le=3600)
    examples: list[dict[str, Any]] = Field(default_factory=list, max_length=20)

    @field_validator("path")
    @classmethod
    def _path(cls, value: str) -> str:
        parse_path(value)
        return value

    @field_validator("query", "body")
    @classmethod
    def _tree(cls, value: Any) -> Any:
        parse_tree(value)
        return value

    @field_validator("headers")
    @classmethod
    def _headers(cls, value: dict[str, str]) -> dict[str, str]:
        for text in value.values():
            parse_template(text)
        return {header_name(name): text for name, text in value.items()}

    @field_validator("cookies")
    @classmethod
    def _cookies(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            header_name(name)
            parse_template(text)
        return value

    @field_validator("idempotency_header")
    @classmethod
    def _idempotency(cls, value: str) -> str:
        return header_name(value) if value else value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.body is not None and self.method in ("GET", "HEAD"):
            raise ValueError(f"{self.method} has no body")
        pages = self.pagination
        if pages is not None and pages.place == "body" and not isinstance(self.body, dict):
            raise ValueError("pages that are asked for in the body need a body that is an object")
        reads = self.read_only if self.read_only is not None else self.method in READING_METHODS
        if self.cache_ttl_s is not None and not reads:
            raise ValueError("cache_ttl_s is only for what is read_only")
        return self
