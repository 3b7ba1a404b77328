"""For static.sh: a name server on 127.0.0.1:53 that knows models.in-dns.test, and
a web server that refuses every request but writes down what it was asked for.

names.py READY_FILE: writes the port of the web server there when both listen.
"""

import http.server
import socket
import struct
import sys
import threading


class Refuse(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print("GET", self.headers["Host"], self.path, flush=True)
        self.send_error(404)

    def log_message(self, *_):
        pass


def question_name(packet):
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1 : at + 1 + packet[at]].decode())
        at += packet[at] + 1
    return ".".join(labels), at + 1


def answer(packet):
    name, end = question_name(packet)
    (kind,) = struct.unpack(">H", packet[end : end + 2])
    print("DNS", name, kind, flush=True)
    known = name.lower() == "models.in-dns.test"
    address = known and kind == 1
    # Response, recursion available; 3 = the name does not exist.
    flags = 0x8180 | (0 if known else 3)
    head = packet[:2] + struct.pack(">HHHHH", flags, 1, int(address), 0, 0)
    record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton("127.0.0.1")
    return head + packet[12 : end + 4] + (record if address else b"")


def main():
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind(("127.0.0.1", 53))
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refuse)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    with open(sys.argv[1], "w") as ready:
        ready.write(str(web.server_port))
    while True:
        packet, peer = names.recvfrom(2048)
        names.sendto(answer(packet), peer)


main()
