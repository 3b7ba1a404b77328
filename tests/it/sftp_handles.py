"""Opens 10,000 files without closing one. Arguments: port, user, password, how many the server lets be open."""

import sys

import paramiko

port, user, password, most = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])


def connect():
    transport = paramiko.Transport(("127.0.0.1", port))
    transport.connect(username=user, password=password)
    return transport, paramiko.SFTPClient.from_transport(transport)


transport, sftp = connect()
held, refused = [], 0
for number in range(10_000):
    try:
        held.append(sftp.open(f"{number}.mp3", "wb"))
    except OSError as error:
        refused += 1
        assert "open" in str(error), error
assert (len(held), refused) == (most, 10_000 - most), (len(held), refused)
held.pop().close()
held.append(sftp.open("after.mp3", "wb"))
held[0].write(b"it still writes")
held[0].flush()

other, second = connect()
with second.open("another.mp3", "wb") as file:
    file.write(b"another sender's turn")
names = second.listdir()
# What was refused made no file.
assert len(names) == most + 2, len(names)
other.close()
transport.close()

again, third = connect()
assert len([third.open(name, "rb") for name in sorted(names)[:most]]) == most
again.close()
print("all done")
