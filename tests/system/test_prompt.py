"""Coroutines that mostly have nothing to wait for."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from fingerd.system.prompt import begun


async def summed(*parts: Deferred[int]) -> int:
    """The sum of these; a part that fails with a ValueError counts as 100."""
    total = 0
    for part in parts:
        try:
            total += await part
        except ValueError:
            total += 100
    return total


class PromptTests(SynchronousTestCase):
    """What becomes of a coroutine, whether it waits or not."""

    def test_atOnce(self) -> None:
        """What is there needs no Deferred."""
        self.assertEqual(begun(summed(succeed(1), succeed(2), fail(ValueError()))), 103)
        self.assertRaises(KeyError, begun, summed(fail(KeyError())))

    def test_waiting(self) -> None:
        """What has to be waited for comes later, results and failures alike, in any order."""
        for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
            parts: list[Deferred[int]] = [Deferred(), Deferred(), Deferred()]
            result = begun(summed(succeed(1), *parts))
            assert isinstance(result, Deferred)
            for number in order:
                self.assertNoResult(result)
                if number == 1:
                    parts[number].errback(ValueError())
                else:
                    parts[number].callback(10)
            self.assertEqual(self.successResultOf(result), 121)

    def test_failing(self) -> None:
        """A failure that nothing catches is the result's."""
        part: Deferred[int] = Deferred()
        result = begun(summed(part))
        assert isinstance(result, Deferred)
        part.errback(KeyError())
        self.failureResultOf(result, KeyError)

    def test_cancelled(self) -> None:
        """To cancel the result cancels what it waits for."""
        part: Deferred[int] = Deferred()
        result = begun(summed(succeed(1), part))
        assert isinstance(result, Deferred)
        result.cancel()
        self.failureResultOf(result, CancelledError)
        self.assertTrue(part.called)
