"""What a URL says of a file."""

from __future__ import annotations


def pathIn(rest: str) -> str:
    """
    The path in a URL such as ``file:/etc/users`` or ``file:///etc/users``.

    @param rest: the URL without its scheme and colon. It is taken as it is, without escapes.
    @raise ValueError: for what can't be a file's path, in words.
    """
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        if host not in ("", "localhost"):
            raise ValueError(f"a file on another host, {host!r}, can't be read")
        rest = slash + path
    if not rest or rest.endswith("/"):
        raise ValueError("there is no file's path in it")
    if "\0" in rest:
        raise ValueError("no path has a NUL character in it")
    return rest
