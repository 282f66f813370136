"""Parts of Gemini's contents said as parts of a chat message, and the marks that travel with them."""

from base64 import b64decode
from typing import Any, Final

from adapters.wire.pivot_codec import Draft, Json

_SOUNDS: Final[dict[str, str]] = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/mp3": "mp3",
    "audio/mpeg": "mp3",
}
_GOOGLES_OWN: Final = ("gs://", "https://generativelanguage.googleapis.com/", "files/")


def call_signature(mark: str) -> Json:
    """Google's mark on a call, where chat messages carry it."""
    return {"google": {"thought_signature": mark}}


def signature_of(extra: Any) -> str:
    """The same mark back out of a call's `extra_content`."""
    google = (extra or {}).get("google") or {}
    return str(google.get("thought_signature") or "")


def chat_part(part: Json, draft: Draft) -> list[Json]:
    """What one part says, as chat parts; refuses media that no other family takes."""
    if part.get("text"):
        return [{"type": "text", "text": part["text"]}]
    if part.get("inlineData"):
        inline = part["inlineData"]
        return [_inline(str(inline["mimeType"]).lower(), inline["data"], inline.get("displayName"), draft)]
    if part.get("fileData"):
        return [_linked(part["fileData"], draft)]
    if "text" not in part:
        # Code that Google's servers ran, and the like: nobody else can make anything of it.
        draft.drop(f"contents.parts.{next(iter(part), 'part')}")
    return []


def _inline(kind: str, data: str, name: str | None, draft: Draft) -> Json:
    data = data.replace("-", "+").replace("_", "/")
    data += "=" * (-len(data) % 4)
    url = f"data:{kind};base64,{data}"
    if kind.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": url}}
    if kind.startswith("audio/"):
        form = _SOUNDS.get(kind, kind.removeprefix("audio/").removeprefix("x-"))
        return {"type": "input_audio", "input_audio": {"data": data, "format": form}}
    if kind.startswith("text/"):
        return {"type": "text", "text": b64decode(data).decode("utf-8", "replace")}
    if kind == "application/pdf":
        return {"type": "file", "file": {"filename": name or "document.pdf", "file_data": url}}
    raise draft.refuse(f"contents.parts.inlineData: this provider takes no {kind}")


def _linked(file: Json, draft: Draft) -> Json:
    url = str(file["fileUri"])
    kind = str(file.get("mimeType") or "").lower()
    if url.startswith(_GOOGLES_OWN):
        raise draft.refuse(
            "contents.parts.fileData: the file belongs to another provider's account; send its data"
        )
    if not kind or kind.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": url}}
    raise draft.refuse(f"contents.parts.fileData: this provider takes {kind} only with its data")
