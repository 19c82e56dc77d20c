"""What is wrong with a database, as the log says it: each thing once, until all is well again."""

from __future__ import annotations

from twisted.logger import Logger
from twisted.python.failure import Failure


class Troubles:
    """
    Says what goes wrong, and when it is over. Of a database that is cut off, what is wrong is now
    this and now that.
    """

    def __init__(self, log: Logger, where: str) -> None:
        """
        @param where: the database.
        """
        self._log = log
        self._where = where
        self._said: set[str] = set()
        # Whether something was to be written when it went wrong.
        self._unwritten = False

    def had(self, error: Exception, foreseen: bool, wrote: bool) -> None:
        """
        A turn has failed.

        @param wrote: whether something was to be written in it.
        """
        self._unwritten = self._unwritten or wrote
        if not foreseen:
            self._log.failure("Keeping statuses in {where}", Failure(error), where=self._where)
        elif str(error) not in self._said:
            self._said.add(str(error))
            self._log.error(
                "{where}: statuses can't be kept or read ({error!s}); those read before stay",
                where=self._where,
                error=error,
            )

    def over(self, wrote: bool) -> None:
        """
        A turn was done. Of a full disk, that it can be read says nothing.

        @param wrote: as in L{had}.
        """
        if self._said and (wrote or not self._unwritten):
            self._said.clear()
            self._unwritten = False
            self._log.info("{where}: statuses are kept again", where=self._where)
