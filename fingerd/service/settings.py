"""What may be set, by whom, and how long it lasts: for every door alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from fingerd.logs import audit
from fingerd.logs.failures import Failures
from fingerd.model import texts
from fingerd.model.counts import Counts
from fingerd.model.errors import DirectoryError, SettingRefused
from fingerd.model.interfaces import IStore
from fingerd.model.limits import Limits
from fingerd.model.record import Change, Changed, Entry, Part, Record, Setter
from fingerd.model.rules import Rules
from fingerd.model.user import HIDDEN, isLogin
from fingerd.service.rates import Rates
from fingerd.service.users import Users
from fingerd.system.logins import Logins
from fingerd.system.shared_table import Column

NOTHING_TO_UNDO = "Not set: there is nothing to take back"
CANT_BE_READ = "What was set can't be read at the moment, try again"

T = TypeVar("T")

# A status has no control characters but TAB and the ends of its lines.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class _Refused(SettingRefused):
    """What the rules refuse. A store that can't keep something says so without this."""


class Settings:
    """Sets what is shown of users, after the rules."""

    def __init__(
        self,
        users: Users,
        store: IStore,
        limits: Limits,
        rules: Rules,
        failures: Failures,
        clock: IReactorTime,
        logins: Logins,
        now: Callable[[], float],
        counts: Counts,
        column: Column | None = None,
    ) -> None:
        """
        @param logins: tells the login of a uid.
        @param now: the time, in seconds since the epoch.
        @param counts: where it is counted what became of settings.
        @param column: of what several workers share, if there are any.
        """
        self._counts = counts.settings
        self._users = users
        self._store = store
        self._limits = limits
        self._rules = rules
        self._failures = failures
        self._clock = clock
        self._logins = logins
        self._now = now
        changes, looks = (column and column.apart(kind) for kind in ("change", "look"))
        self._changes = Rates(limits.userSettings, limits.peersCounted, changes)
        # To look at what is set is a query, and costs no more than one.
        self._looks = Rates(limits.peerQueries, limits.peersCounted, looks)

    def refused(self, by: Setter, reason: str) -> None:
        """See L{fingerd.model.interfaces.IFingerSetterService}."""
        self._counts["refused"] += 1
        audit.refused(by, None, reason)

    async def set(self, login: str, change: Change, by: Setter) -> Changed:
        """See L{fingerd.model.interfaces.IFingerSetterService}."""

        async def kept(by: Setter) -> Changed:
            now, before = self._now(), self._store.held(login)
            until = None if change.seconds is None else now + change.seconds
            entry = Entry(change.text, now, by.who, until, change.part)
            await self._store.set(login, entry)
            audit.changed(by, login, change.text, until, self._logged(by), change.part)
            return self._changed(login, change.part, before)

        return await self._doing(login, by, kept, lambda: self._check(change))

    async def undo(self, login: str, by: Setter) -> Changed:
        """See L{fingerd.model.interfaces.IFingerSetterService}."""

        async def undone(by: Setter) -> Changed:
            before = self._store.held(login)
            part = await self._store.undo(login)
            if part is None:
                raise _Refused(NOTHING_TO_UNDO)
            audit.takenBack(by, login, part, self._logged(by))
            return self._changed(login, part, before)

        return await self._doing(login, by, undone)

    async def erase(self, login: str, by: Setter) -> None:
        """See L{fingerd.model.interfaces.IFingerSetterService}."""

        async def erased(by: Setter) -> None:
            await self._store.erase(login)
            audit.takenBack(by, login, None, self._logged(by))
            self._wasChanged()

        await self._doing(login, by, erased)

    async def record(self, login: str, by: Setter) -> Record:
        """See L{fingerd.model.interfaces.IFingerSetterService}."""

        async def held(by: Setter) -> Record:
            return self._store.held(login)

        return await self._doing(login, by, held, looks=True)

    async def changes(self, login: str, by: Setter) -> Sequence[Entry]:
        """See L{fingerd.model.interfaces.IFingerSetterService}."""

        async def read(by: Setter) -> Sequence[Entry]:
            try:
                return await self._store.history(login, self._limits.changesTold, whole=True)
            except DirectoryError:
                raise SettingRefused(CANT_BE_READ) from None

        return await self._doing(login, by, read, looks=True)

    def _changed(self, login: str, part: Part, before: Record) -> Changed:
        self._wasChanged()
        return Changed(part, self._store.held(login).of(part), before.of(part))

    def _wasChanged(self) -> None:
        self._counts["set"] += 1

    def _logged(self, by: Setter) -> int | None:
        """How many lines C{by} has in the log for what they change; None: one for each change."""
        return self._limits.userSettings if self._rules.setting.trusts(by) else None

    async def _doing(
        self,
        login: str,
        by: Setter,
        what: Callable[[Setter], Coroutine[Any, Any, T]],
        check: Callable[[], None] = lambda: None,
        looks: bool = False,
    ) -> T:
        """
        Do C{what}, where C{by} may.

        @param looks: nothing is changed by it.
        @raise SettingRefused: with words for the client; the log has been told by then.
        """
        try:
            if _CONTROL.search(login):
                raise _Refused(texts.NO_CONTROL_CHARACTERS)
            check()
            self._count(by, looks)
            by = await self._named(by)
            await self._allow(login, by)
            return await what(by)
        except SettingRefused as refusal:
            self._counts["refused" if isinstance(refusal, _Refused) else "failed"] += 1
            audit.refused(by, login, str(refusal))
            raise
        except Exception:
            self._counts["failed"] += 1
            reference = self._failures.reference(Failure(), f"setting the status of {login!r}")
            raise SettingRefused(texts.internalError(reference)) from None

    async def _allow(self, login: str, by: Setter) -> None:
        """@raise SettingRefused: where C{by} may not set what is shown of C{login}."""
        policy = self._rules.setting
        refusal = policy.refusal(by, login)
        if refusal is not None:
            raise _Refused(refusal)
        mayMake = policy.create and isLogin(login)
        if not mayMake and await self._users.known(login) in (None, HIDDEN):
            raise _Refused(texts.NO_SUCH_USER)

    def _check(self, change: Change) -> None:
        """@raise SettingRefused: where C{change} is none that anybody could make."""
        if _CONTROL.search(change.text):
            raise _Refused(texts.NO_CONTROL_CHARACTERS)
        # (A surrogate, which no UTF-8 has, is the store's to refuse: it can't be kept.)
        size = len(change.text.encode("utf-8", "surrogatepass"))
        most = self._limits.statusSize if change.part is Part.STATUS else self._limits.planSize
        if size > most:
            raise _Refused(f"Not set: a {change.part} has {most} bytes at most")
        if change.seconds is None:
            return
        if not change.text:
            raise _Refused(texts.NOT_LASTING)
        longest = self._limits.statusTime
        if not 0 < change.seconds <= longest:
            raise _Refused(f"Not set: a status lasts from 1s to {longest / 86400:.0f}d")

    def _count(self, by: Setter, looks: bool) -> None:
        """@raise SettingRefused: where C{by} has changed, or looked at, as much as one user may."""
        if self._rules.setting.trusts(by):
            return
        rates = self._looks if looks else self._changes
        if not rates.take(by.account, self._clock.seconds()):
            raise _Refused(texts.TOO_MANY_QUERIES if looks else texts.TOO_MANY_SETTINGS)

    async def _named(self, by: Setter) -> Setter:
        """C{by} with the login that the system has for their uid."""
        if by.uid is None or by.login is not None:
            return by
        looking = self._logins.loginOf(by.uid)
        # Mostly the login is known at once, and the lookup needs no timer.
        if not looking.called:
            looking.addTimeout(self._limits.lookupTime, self._clock, _notTold(by.uid))
        return replace(by, login=await looking)


def _notTold(uid: int) -> Callable[[object, float], Failure]:
    return lambda result, seconds: Failure(
        DirectoryError(f"no login for uid {uid} from the system in {seconds} seconds")
    )
