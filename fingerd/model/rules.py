"""What the administrator lets people see and do."""

from __future__ import annotations

from dataclasses import dataclass, field

from fingerd.model.fields import Views
from fingerd.model.masking import Mask
from fingerd.model.policy import SetPolicy
from fingerd.text.replacing import NOTHING, Replacements

__all__ = ["Rules"]


@dataclass(frozen=True, slots=True)
class Rules:
    """
    The administrator's choices.

    @ivar views: the fields that are shown.
    @ivar replacements: the texts that no answer has.
    @ivar mask: the users who, from outside, don't exist.
    @ivar listed: whether there is a list (RFC 1288 2.5.1).
    @ivar matched: whether a name that is nobody's login is looked for in the full names (2.5.3).
    @ivar past: whether people can ask for what a user has set before, where that user allows it.
    @ivar setting: who may set whose status.
    """

    views: Views = field(default_factory=Views)
    replacements: Replacements = NOTHING
    mask: Mask = field(default_factory=Mask)
    listed: bool = True
    matched: bool = False
    past: bool = False
    setting: SetPolicy = field(default_factory=SetPolicy)


DEFAULT_RULES = Rules()
