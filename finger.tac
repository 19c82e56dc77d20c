# A finger server. Run it with:  twistd -noy finger.tac
#
# This file is for reading and for editing. Started by root it listens on port 79 and then becomes
# a user who can do little; started by anyone else it listens on port 7979.

import os
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)  # twistd doesn't look for modules beside the file that it runs

from twisted.application import internet, service
from twisted.internet import reactor

from fingerd.system import privileges
from fingerd.system.addresses import everyInterface
from fingerd.logs.daemon_log import DaemonLog
from fingerd.directories.users_file import UsersFile
from fingerd.doors.net.listening import BACKLOG
from fingerd.system.monotonic import useMonotonicTime
from fingerd.system.systemd import Notifier
from fingerd.doors.finger.quick.reactor import QuickTCP
from fingerd.daemon.running import StartLine
from fingerd.service.finger_service import FingerService
from fingerd.system.signals import OnSignal
from fingerd.system.state_directory import defaultStateDirectory
from fingerd.stores.sqlite import SQLiteStatuses

# Nothing raw gets into the log; with "json" it has a line of JSON for each event.
DaemonLog("text", reactor)

# Timers keep their time, whoever sets the clock on the wall.
useMonotonicTime(reactor)

# The port that is asked, the port where a status is set, the file with the users, and the
# directory where statuses are kept. Each can be set by an environment variable too.
PORT = int(os.environ.get("FINGER_PORT") or (79 if os.geteuid() == 0 else 7979))
SETTER_PORT = int(os.environ.get("FINGER_SETTER_PORT") or 1079)
USERS = os.environ.get("FINGER_USERS") or (
    "/etc/users" if os.path.exists("/etc/users") else os.path.join(HERE, "etc", "users.example")
)
STATE = os.environ.get("FINGER_STATE") or defaultStateDirectory()

# Started by root, become the user fingerd where there is one, else nobody.
lesser = privileges.lesserUser()

# Who there is: directories, asked in their order.
directories = [UsersFile(USERS, reactor)]

# Instead of the users file, or beside it, there may be others:
#
#   from fingerd.directories.by_url import fromURL
#   directories = [fromURL("toml:/etc/fingerd/users.toml", reactor)]     # a file with more fields
#   directories = [fromURL("passwd:", reactor)]                          # the system's accounts
#   directories = [fromURL("exec:/usr/bin/finger", reactor)]             # what finger(1) says
#   directories = [fromURL("finger://internal.example.com", reactor)]    # another finger server
#   directories = [fromURL("none:", reactor)]                            # nobody
#
# So may an object of your own that has the two methods of fingerd.model.interfaces.IDirectory. And
# users can be given right here, who then come first:
#
#   from twisted.internet import defer
#   from fingerd.model.user import User
#
#   class Weather:
#       def getUser(self, login):
#           return defer.succeed(User("weather", status="Sunny") if login == "weather" else None)
#
#       def getUsers(self, limit):
#           return defer.succeed([User("weather", status="Sunny")][:limit])
#
#   directories.append(Weather())
#   finger = FingerService(reactor, directories, statuses, moshez="Happy and well")
#
statuses = SQLiteStatuses(STATE, reactor, lesser)
finger = FingerService(reactor, directories, statuses)

# Who asks: everyone, over IPv4 and IPv6.
servers = [
    internet.TCPServer(
        PORT,
        finger.getFingerFactory(),
        backlog=BACKLOG,
        interface=interface,
        reactor=QuickTCP(reactor),
    )
    for interface in everyInterface()
]

# Who may set a status: a user of this machine their own, root and this daemon's user anyone's.
setter = internet.TCPServer(SETTER_PORT, finger.getFingerSetterFactory(), interface="127.0.0.1")

# Where systemd has started this, it is told when all runs, and when the daemon reloads and stops.
notifier = Notifier(reactor)

# Look for changes of the users file every 30 seconds, and on SIGHUP.
periodic = internet.TimerService(30, finger.reload)
hangup = OnSignal(signal.SIGHUP, notifier.reloading(finger.reload), reactor)

# Put it together. The ports are opened first; then, if this is root, it becomes that other user.
application = service.Application("finger", uid=lesser.uid, gid=lesser.gid)
startLine = StartLine(finger, servers, [setter])
for part in (finger, *servers, setter, periodic, hangup, startLine, notifier):
    part.setServiceParent(application)
