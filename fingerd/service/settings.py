"""What may be set, by whom, and how long it lasts: for every door alike."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from fingerd.logs import audit
from fingerd.logs.failures import Failures
from fingerd.model import texts
from fingerd.model.counts import Counts
from fingerd.model.errors import DirectoryError, SettingRefused
from fingerd.model.interfaces import IStore
from fingerd.model.limits import Limits
from fingerd.model.record import Change, Setter, Status
from fingerd.model.rules import Rules
from fingerd.model.user import HIDDEN, isLogin
from fingerd.service.rates import Rates
from fingerd.service.users import Users
from fingerd.system.logins import Logins

# A status has no control characters but TAB and the ends of its lines.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


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
    ) -> None:
        """
        @param logins: tells the login of a uid.
        @param now: the time, in seconds since the epoch.
        @param counts: where it is counted what became of settings.
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
        self._rates = Rates(limits.userSettings, limits.peersCounted)

    def refused(self, by: Setter, reason: str) -> None:
        """See L{fingerd.model.interfaces.IFingerSetterService}."""
        self._counts["refused"] += 1
        audit.refused(by, None, reason)

    async def set(self, login: str, change: Change, by: Setter) -> Status:
        """See L{fingerd.model.interfaces.IFingerSetterService}."""
        outcome = "refused"
        try:
            self._check(login, change)
            self._count(by)
            by = await self._named(by)
            await self._allow(login, by)
            status = self._status(change, by)
            outcome = "failed"
            await self._store.setStatus(login, status)
        except SettingRefused as refusal:
            self._counts[outcome] += 1
            audit.refused(by, login, str(refusal))
            raise
        except Exception:
            self._counts["failed"] += 1
            reference = self._failures.reference(Failure(), f"setting the status of {login!r}")
            raise SettingRefused(texts.internalError(reference)) from None
        self._counts["set"] += 1
        most = self._limits.userSettings if self._rules.setting.trusts(by) else None
        audit.changed(by, login, status.text, status.until, most)
        return status

    def _check(self, login: str, change: Change) -> None:
        """@raise SettingRefused: where C{change} is none that anybody could make."""
        if _CONTROL.search(login) or _CONTROL.search(change.status):
            raise SettingRefused(texts.NO_CONTROL_CHARACTERS)
        # (A surrogate, which no UTF-8 has, is the store's to refuse: it can't be kept.)
        size = len(change.status.encode("utf-8", "surrogatepass"))
        if size > self._limits.statusSize:
            raise SettingRefused(f"Not set: a status has {self._limits.statusSize} bytes at most")
        if change.seconds is None:
            return
        if not change.status:
            raise SettingRefused(texts.NOT_LASTING)
        longest = self._limits.statusTime
        if not 0 < change.seconds <= longest:
            raise SettingRefused(f"Not set: a status lasts from 1s to {longest / 86400:.0f}d")

    def _count(self, by: Setter) -> None:
        """@raise SettingRefused: where C{by} has set as many statuses as one user may."""
        if self._rules.setting.trusts(by):
            return
        if not self._rates.take(by.account, self._clock.seconds()):
            raise SettingRefused(texts.TOO_MANY_SETTINGS)

    async def _named(self, by: Setter) -> Setter:
        """C{by} with the login that the system has for their uid."""
        if by.uid is None or by.login is not None:
            return by
        looking = self._logins.loginOf(by.uid)
        # Mostly the login is known at once, and the lookup needs no timer.
        if not looking.called:
            looking.addTimeout(self._limits.lookupTime, self._clock, _notTold(by.uid))
        return replace(by, login=await looking)

    async def _allow(self, login: str, by: Setter) -> None:
        """@raise SettingRefused: where C{by} may not set the status of C{login}."""
        policy = self._rules.setting
        refusal = policy.refusal(by, login)
        if refusal is not None:
            raise SettingRefused(refusal)
        mayMake = policy.create and isLogin(login)
        if not mayMake and await self._users.known(login) in (None, HIDDEN):
            raise SettingRefused(texts.NO_SUCH_USER)

    def _status(self, change: Change, by: Setter) -> Status:
        """What is set by C{change}, now."""
        now = self._now()
        until = None if change.seconds is None else now + change.seconds
        return Status(change.status, now, by.who, until)


def _notTold(uid: int) -> Callable[[object, float], Failure]:
    return lambda result, seconds: Failure(
        DirectoryError(f"no login for uid {uid} from the system in {seconds} seconds")
    )
