"""Text of others, where it is shown."""


def plain(text: str) -> str:
    """Without anything a terminal would act on."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)
