# A finger server. Run it with:  twistd -noy finger.tac
#
# This file is for reading and for editing. Started by root it listens on port 79 and then becomes
# a user who can do little; started by anyone else it listens on port 7979.

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)  # twistd doesn't look for modules beside the file that it runs

from twisted.application import internet, service
from twisted.internet import reactor

from fingerd import privileges
from fingerd.addresses import everyInterface
from fingerd.directories.users_file import UsersFile
from fingerd.listening import BACKLOG
from fingerd.running import ReloadOnHangup, StartLine
from fingerd.service import FingerService

# The port that is asked, the port where a status is set, and the file with the users. Each can be
# set by an environment variable too.
PORT = int(os.environ.get("FINGER_PORT") or (79 if os.geteuid() == 0 else 7979))
SETTER_PORT = int(os.environ.get("FINGER_SETTER_PORT") or 1079)
USERS = os.environ.get("FINGER_USERS") or (
    "/etc/users" if os.path.exists("/etc/users") else os.path.join(HERE, "etc", "users.example")
)

# Who there is. Users can be given right here too, and so can any object of your own that has
# the two methods of fingerd.interfaces.IDirectory. The first that knows a user answers:
#
#   class Weather:
#       def getUser(self, login):
#           return defer.succeed(User("weather", status="Sunny") if login == "weather" else None)
#
#       def getUsers(self, limit):
#           return defer.succeed([User("weather", status="Sunny")][:limit])
#
#   from twisted.internet import defer
#   from fingerd.user import User
#   finger = FingerService(reactor, [UsersFile(USERS, reactor), Weather()], moshez="Happy and well")
#
finger = FingerService(reactor, [UsersFile(USERS, reactor)])

# Who asks: everyone, over IPv4 and IPv6.
servers = [
    internet.TCPServer(PORT, finger.getFingerFactory(), backlog=BACKLOG, interface=interface)
    for interface in everyInterface()
]

# Who may set a status: everyone on this machine.
setter = internet.TCPServer(SETTER_PORT, finger.getFingerSetterFactory(), interface="127.0.0.1")

# Look for changes of the users file every 30 seconds, and on SIGHUP.
periodic = internet.TimerService(30, finger.reload)
hangup = ReloadOnHangup(finger.reload, reactor)

# Put it together. The ports are opened first; then, if this is root, it becomes the user
# fingerd where there is one, else nobody.
uid, gid = privileges.lesserUser()
application = service.Application("finger", uid=uid, gid=gid)
for part in (finger, *servers, setter, periodic, hangup, StartLine(finger, servers, [setter])):
    part.setServiceParent(application)
