"""From the text of an answer to its bytes."""

from __future__ import annotations


def encode(text: str, size: int) -> bytes:
    """
    The bytes of an answer, C{size} of them at most; what is cut says so in its last line, which
    is there even where the size has no room for it.
    """
    # A character is a byte at least: what is beyond the size needn't be looked at.
    data = (text[: size + 1] + "\n").replace("\n", "\r\n").encode("utf-8")
    if len(data) <= size:
        return data
    note = f"(cut: an answer has {size} bytes at most)\r\n".encode("ascii")
    kept = data[: max(size - len(note) - 2, 0)]
    lineEnd = kept.rfind(b"\r\n")
    if lineEnd >= 0:
        kept = kept[: lineEnd + 2]
    elif kept:
        # Neither half a character nor half a line end.
        kept = kept.decode("utf-8", "ignore").rstrip("\r").encode("utf-8") + b"\r\n"
    return kept + note
