# A finger server, to be read and edited. Run it with:  twistd -noy finger.tac
#
# Started by root it listens on port 79 and becomes a lesser user; started by others, on port 7979.
# docs/tac.md has longer examples: other directories, users given right here, one of your own.

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)  # twistd doesn't look for modules beside the file that it runs

from twisted.application import internet, service
from twisted.internet import reactor

from fingerd.daemon.upkeep import Upkeep
from fingerd.directories.users_file import UsersFile
from fingerd.service import FingerService
from fingerd.stores.sqlite import SQLiteStore
from fingerd.system.addresses import everyInterface
from fingerd.system.privileges import lesserUser
from fingerd.system.state_directory import defaultStateDirectory

PORT = int(os.environ.get("FINGER_PORT") or (79 if os.geteuid() == 0 else 7979))
SETTER_PORT = int(os.environ.get("FINGER_SETTER_PORT") or 1079)
EXAMPLE = os.path.join(HERE, "etc", "users.example")
USERS = "/etc/users" if os.path.exists("/etc/users") else EXAMPLE
USERS = os.environ.get("FINGER_USERS") or USERS
STATE = os.environ.get("FINGER_STATE") or defaultStateDirectory()

# Who there is, and where what they set is kept: by the user that the daemon becomes.
lesser = lesserUser()
finger = FingerService(reactor, [UsersFile(USERS, reactor)], SQLiteStore(STATE, reactor, lesser))

application = service.Application("finger", uid=lesser.uid, gid=lesser.gid)
finger.setServiceParent(application)
for interface in everyInterface():  # IPv4 and IPv6
    server = internet.TCPServer(PORT, finger.getFingerFactory(), interface=interface)
    server.setServiceParent(application)
setter = internet.TCPServer(SETTER_PORT, finger.getFingerSetterFactory(), interface="127.0.0.1")
setter.setServiceParent(application)
internet.TimerService(30, finger.reload).setServiceParent(application)
Upkeep.of(application, finger, reactor).setServiceParent(application)
