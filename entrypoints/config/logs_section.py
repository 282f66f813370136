"""`logs`: how log lines look, and which requests leave one."""

from typing import Annotated, Literal

from pydantic import Field

from application.request_lines import RequestLineWish
from entrypoints.config.sections import Section, Share, Word


class LogSettings(Section):
    """Log lines go to standard error. What is personal or secret is taken out of every line."""

    format: Annotated[Literal["auto", "json", "text"], Word] = Field(
        default="auto",
        description="`json`: one object per line; `text`: for people; `auto`: text on a terminal, JSON "
        "elsewhere. LOG_FORMAT.",
    )
    level: Annotated[Literal["debug", "info", "warning", "error"], Word] = Field(
        default="info", description="The least important lines that are written. LOG_LEVEL."
    )
    requests: Annotated[Literal["off", "errors", "sampled", "all"], Word] = Field(
        default="off",
        description="Requests that leave a line with the main fields of their event: those that failed, "
        "those and a share of the others, or all.",
    )
    sample: Share = Field(default=0.01, description="The share of `sampled`.")

    def wish(self) -> RequestLineWish:
        """Which requests leave a line."""
        return RequestLineWish(self.requests)
