"""Pages that were made, and are still good."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from fingerd.doors.http.web_page import Page

# Bytes that a kept page takes beside its body: its headers, its address, what it was made of. Most
# bodies are much shorter.
_BESIDE = 2048


class KeptPages:
    """
    The latest page of each address, as long as what it is made of stays the same. Those that were
    asked for longest ago are forgotten, where there are too many.
    """

    def __init__(self, size: int) -> None:
        """
        @param size: how many bytes of memory they may take.
        """
        self._room = size
        self._pages: OrderedDict[Hashable, tuple[object, Page]] = OrderedDict()

    def get(self, address: Hashable, of: object) -> Page | None:
        """The page at C{address}, where the latest was made of what equals C{of}."""
        kept = self._pages.get(address)
        if kept is None or kept[0] != of:
            return None
        self._pages.move_to_end(address)
        return kept[1]

    def put(self, address: Hashable, of: object, new: Page) -> Page:
        """
        The page at C{address} that is made of C{of} now: C{new}, or where its bytes are what they
        were, the page that it was.
        """
        before = self._pages.pop(address, None)
        if before is not None:
            self._room += _sizeOf(before[1])
            if before[1].etag == new.etag and before[1].status == new.status:
                new = before[1]
        self._pages[address] = of, new
        self._room -= _sizeOf(new)
        while self._room < 0:
            _, (_, gone) = self._pages.popitem(last=False)
            self._room += _sizeOf(gone)
        return new


def _sizeOf(page: Page) -> int:
    return len(page.body) + _BESIDE
