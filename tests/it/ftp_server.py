"""An FTP server for the tests: port and directory, then what shall be special.

ftp_server.py PORT DIR [--tls CERT] [--list-only] [--announce ADDRESS] [--rate BYTES]
"""

import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler, ThrottledDTPHandler, TLS_FTPHandler
from pyftpdlib.log import config_logging
from pyftpdlib.servers import ThreadedFTPServer

port, directory, options = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
config_logging(level=10)
authorizer = DummyAuthorizer()
authorizer.add_user("mango", "correct horse", directory, perm="elradfmw")


def value(name):
    return options[options.index(name) + 1] if name in options else None


class Handler(TLS_FTPHandler if value("--tls") else FTPHandler):
    pass


Handler.authorizer = authorizer
if value("--tls"):
    Handler.certfile = value("--tls")
    Handler.tls_control_required = True
    Handler.tls_data_required = True
if "--list-only" in options:
    Handler.proto_cmds = {
        name: about
        for name, about in Handler.proto_cmds.items()
        if name not in ("MLSD", "MLST", "EPSV")
    }
if value("--announce"):
    Handler.masquerade_address = value("--announce")
if value("--rate"):

    class Slow(ThrottledDTPHandler):
        write_limit = int(value("--rate"))

    Handler.dtp_handler = Slow
server = ThreadedFTPServer(("127.0.0.1", port), Handler)
server.max_cons_per_ip = 50
server.serve_forever()
