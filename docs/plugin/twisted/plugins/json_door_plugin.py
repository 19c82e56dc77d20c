"""Makes ``--door json:ENDPOINT`` known."""

from json_door import JSONDoor

json = JSONDoor()
