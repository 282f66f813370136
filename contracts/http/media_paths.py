"""The routes beside text: moderation, reranking, pictures, speech, transcripts. Bodies stay open."""

from typing import Any

from contracts.http.call_paths import call_operation
from contracts.http.words import Schema, anything, array, boolean, integer, maybe, number, obj, ref, text

_FORM = "multipart/form-data"
_JSON = "application/json"
_MODEL = text(
    "A route, `provider/model`, a model's name in the catalogue, or `auto`.", minLength=1, maxLength=512
)
_FILE = {"type": "string", "contentMediaType": "application/octet-stream", "description": "With a file name."}
_USAGE = maybe(
    {"type": "object", "description": "As the provider counts; `cost` in USD where the route adds it."}
)
_COUNT = maybe(integer("How many pictures.", minimum=1, maximum=128))


def _words(*names: str) -> dict[str, Schema]:
    return {name: maybe(text()) for name in names}


_IMAGE_WORDS = _words("size", "quality", "response_format", "background", "output_format")
_SOUND_WORDS = _words("language", "prompt", "response_format")

MEDIA_SCHEMAS: dict[str, Schema] = {
    "ModerationRequest": obj(
        {
            "input": anything("A text, a list of texts, or a list of parts."),
            "model": {**_MODEL, "description": "`omni-moderation-latest` when left out."},
        },
        optional=["model"],
        example={"model": "auto", "input": "Is this fine?"},
    ),
    "Moderation": obj(
        {"results": array(obj({"flagged": boolean()}), "One per input."), "usage": _USAGE}, optional=["usage"]
    ),
    "RerankRequest": obj(
        {
            "model": _MODEL,
            "query": anything("What is looked for."),
            "documents": array(anything("A text, or an object with a `text`."), minItems=1),
            "top_n": maybe(integer(minimum=1)),
            "return_documents": maybe(boolean()),
        },
        optional=["top_n", "return_documents"],
        example={"model": "auto", "query": "tea", "documents": ["coffee", "green tea"]},
    ),
    "Ranking": obj(
        {
            "results": array(obj({"index": integer(minimum=0), "relevance_score": number()})),
            "data": array(anything(), "In place of `results` at some providers."),
            "usage": _USAGE,
            "meta": anything("What is billed, in Cohere's shape."),
        },
        optional=["results", "data", "usage", "meta"],
    ),
    "ImageRequest": obj(
        {
            "model": _MODEL,
            "prompt": text(minLength=1),
            "n": _COUNT,
            "stream": maybe(boolean()),
            **_IMAGE_WORDS,
        },
        optional=["n", "stream", *_IMAGE_WORDS],
        example={"model": "auto", "prompt": "A quiet harbour."},
    ),
    "ImageEditForm": obj(
        {
            "model": _MODEL,
            "prompt": text(minLength=1),
            "image": _FILE,
            "mask": _FILE,
            "n": _COUNT,
            **_IMAGE_WORDS,
        },
        optional=["mask", "n", *_IMAGE_WORDS],
        description="`image` may come several times, also as `image[]`.",
        example={"model": "auto", "prompt": "At night.", "image": "…"},
    ),
    "ImageVariationForm": obj(
        {"model": _MODEL, "image": _FILE, "n": _COUNT, **_words("size", "response_format")},
        optional=["n", "size", "response_format"],
        example={"model": "auto", "image": "…"},
    ),
    "Images": obj(
        {
            "data": array(obj(_words("b64_json", "url"), optional=["b64_json", "url"]), "The pictures."),
            "usage": _USAGE,
        },
        optional=["usage"],
    ),
    "SpeechRequest": obj(
        {
            "model": _MODEL,
            "input": text("What is spoken.", minLength=1),
            "voice": anything("A voice's name, or an object."),
            **_words("response_format", "stream_format", "instructions"),
        },
        optional=["voice", "response_format", "stream_format", "instructions"],
        example={"model": "auto", "input": "Hello.", "voice": "alloy"},
    ),
    "TranscriptionForm": obj(
        {"model": _MODEL, "file": _FILE, "stream": maybe(boolean()), **_SOUND_WORDS},
        optional=["stream", *_SOUND_WORDS],
        example={"model": "auto", "file": "…"},
    ),
    "TranslationForm": obj(
        {"model": _MODEL, "file": _FILE, **_SOUND_WORDS},
        optional=[*_SOUND_WORDS],
        example={"model": "auto", "file": "…"},
    ),
    "Transcript": obj({"text": text(), "usage": _USAGE}, optional=["usage"]),
}


def _operation(
    operation_id: str,
    summary: str,
    description: str,
    requests: dict[str, str],
    response: str,
    *,
    events: str = "",
    other: dict[str, str] | None = None,
) -> dict[str, Any]:
    """A route whose body has one of the types of `requests`, and whose answer may have one of `other`."""
    first = next(iter(requests.values()))
    operation = call_operation(operation_id, summary, description, first, response, events=events)
    post = operation["post"]
    post["requestBody"]["content"] = {media: {"schema": ref(name)} for media, name in requests.items()}
    post["responses"]["200"]["content"] |= {
        media: {"schema": text(what)} for media, what in (other or {}).items()
    }
    return operation


def _speech() -> dict[str, Any]:
    operation = _operation(
        "createSpeech",
        "Text to speech",
        "The sound is relayed as it is made. A connection that ends without an end mark was cut.",
        {_JSON: "SpeechRequest"},
        "Transcript",
        events="`speech.audio.delta` events and `speech.audio.done`, for `stream_format: sse`.",
        other={"audio/*": "The sound, of the type the provider names."},
    )
    del operation["post"]["responses"]["200"]["content"][_JSON]
    return operation


MEDIA_PATHS: dict[str, Any] = {
    "/v1/moderations": _operation(
        "createModeration",
        "Moderation, in OpenAI's shape",
        "Judges texts and pictures.",
        {_JSON: "ModerationRequest"},
        "Moderation",
    ),
    "/v1/rerank": _operation(
        "rerank",
        "Rank documents by a query",
        "In the shape that Cohere, Jina, Voyage and servers of open models share.",
        {_JSON: "RerankRequest"},
        "Ranking",
    ),
    "/v1/images/generations": _operation(
        "createImage",
        "Draw pictures",
        "In OpenAI's shape; translated for Gemini's picture models.",
        {_JSON: "ImageRequest"},
        "Images",
        events="`image_generation.partial_image` events and `image_generation.completed`.",
    ),
    "/v1/images/edits": _operation(
        "editImage",
        "Change pictures",
        "Pictures as files of a form. JSON that names them in `images` by address or id is taken too.",
        {_FORM: "ImageEditForm"},
        "Images",
        events="`image_edit.partial_image` events and `image_edit.completed`.",
    ),
    "/v1/images/variations": _operation(
        "createImageVariation",
        "Vary a picture",
        "Never streamed.",
        {_FORM: "ImageVariationForm"},
        "Images",
    ),
    "/v1/audio/speech": _speech(),
    "/v1/audio/transcriptions": _operation(
        "createTranscription",
        "Speech to text",
        "The file goes on as it came. `response_format` decides the answer's type.",
        {_FORM: "TranscriptionForm"},
        "Transcript",
        events="`transcript.text.delta` events and `transcript.text.done`.",
        other={"text/plain": "`text`, `srt` and `vtt`.", "text/vtt": "`vtt` at some providers."},
    ),
    "/v1/audio/translations": _operation(
        "createTranslation",
        "Speech to English text",
        "As transcriptions, never streamed.",
        {_FORM: "TranslationForm"},
        "Transcript",
        other={"text/plain": "`text`, `srt` and `vtt`.", "text/vtt": "`vtt` at some providers."},
    ),
}
