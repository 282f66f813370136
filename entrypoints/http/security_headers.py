"""What every answer tells browsers and caches, made once.

Answers of the API hold data of one caller: nobody stores them, sniffs what they are, or frames them.
"""

from typing import Final

from entrypoints.http.asgi import API_HEADERS, Message, RawHeaders, Send

HSTS: Final = (b"strict-transport-security", b"max-age=31536000")
"""For connections that end their TLS here; a terminator in front sets its own."""
PAGE_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
"""For pages people look at: they hold nobody's data and run no script."""


def secured(send: Send) -> Send:
    """For answers made elsewhere: what they do not say themselves is said for them."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": completed(message.get("headers", []))}
        await send(message)

    return sending


def completed(headers: RawHeaders) -> RawHeaders:
    """With those of `API_HEADERS` that are missing."""
    given = {name for name, _ in headers}
    return [*headers, *(pair for pair in API_HEADERS if pair[0] not in given)]
