"""What a file is, by what is in it: its name and type are somebody's claim."""

from __future__ import annotations

_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")


def image_type(content: bytes) -> str | None:
    """The MIME type, if it is an image of a kind that models look at."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _BEGINNINGS if content.startswith(start)), None)


def text_of(content: bytes, content_type: str) -> str | None:
    """The text, or None if it is none. What is not Unicode and says that it is text is Latin-1."""
    if content.startswith(_BYTE_ORDER_MARKS):
        return _decoded(content, "utf-16")
    if b"\0" in content:
        return None
    text = _decoded(content, "utf-8-sig")
    if text is None and content_type.startswith("text/"):
        text = _decoded(content, "latin-1")
    return text


def _decoded(content: bytes, encoding: str) -> str | None:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return None
