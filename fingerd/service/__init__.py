"""
The one service behind every door: who may come in, who there is, what may be shown and set.
Doors ask it, and it asks the directories and the store that it is given.
It imports logs, system, model and text.
"""

from fingerd.service.finger_service import FingerService

__all__ = ["FingerService"]
