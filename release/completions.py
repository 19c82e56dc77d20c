"""Completions for bash, zsh and fish, by shtab."""

from __future__ import annotations

import shtab

from release.programs import programs

# Where each shell looks for what completes a program.
_PLACES = {"bash": "bash/{}", "zsh": "zsh/_{}", "fish": "fish/{}.fish"}


def completions() -> dict[str, str]:
    """The completions' files, by their names in the checkout."""
    return {
        f"etc/completions/{place.format(name)}": shtab.complete(program, shell)
        for name, program in programs().items()
        for shell, place in _PLACES.items()
    }
