"""What a Python program does over SFTP. Arguments: port, user, password, key file."""

import os
import sys
import time

import paramiko

port, user, password, key = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]


def connect(**how):
    transport = paramiko.Transport(("127.0.0.1", port))
    transport.connect(username=user, **how)
    return transport, paramiko.SFTPClient.from_transport(transport)


def refused(what, call):
    try:
        call()
    except (OSError, paramiko.SSHException, EOFError):
        return
    raise SystemExit(f"{what} was not refused")


data = os.urandom(3_000_000)
transport, sftp = connect(password=password)
with sftp.open("файл.bin", "wb") as file:
    file.set_pipelined(True)
    file.write(data)
with sftp.open("файл.bin", "rb") as file:
    file.prefetch()
    assert file.read() == data
with sftp.open("файл.bin", "r+b") as file:
    file.seek(1000)
    file.write(b"changed")
    file.seek(990)
    assert file.read(30) == data[990:1000] + b"changed" + data[1007:1020]
with sftp.open("файл.bin", "ab") as file:
    file.write(b"the end")
assert sftp.stat("файл.bin").st_size == len(data) + 7
with sftp.open("файл.bin", "r+b") as file:
    file.truncate(500)
    assert file.stat().st_size == 500
    file.utime((1_000_000_000, 1_000_000_001))
    file.chmod(0o644)
sftp.truncate("файл.bin", 400)
sftp.utime("файл.bin", (1_000_000_000, 1_000_000_002))
stat = sftp.stat("файл.bin")
assert (stat.st_size, stat.st_mtime) == (400, 1_000_000_002), stat
refused("a new file in place of one", lambda: sftp.open("файл.bin", "wx"))
sftp.mkdir("dir")
refused("the same directory again", lambda: sftp.mkdir("dir"))
refused("a file as a directory", lambda: sftp.listdir("файл.bin"))
refused("writing a directory", lambda: sftp.open("dir", "wb"))
sftp.rename("файл.bin", "renamed")
sftp.open("replaced", "w").close()
refused("renaming onto a file", lambda: sftp.rename("renamed", "replaced"))
sftp.posix_rename("renamed", "replaced")
names = {entry.filename: entry for entry in sftp.listdir_attr()}
assert set(names) == {"dir", "replaced"} or set(names) == {".", "..", "dir", "replaced"}, names
assert names["replaced"].st_size == 400
assert sftp.normalize("dir/../../x") == "/x"
sftp.chdir("dir")
assert sftp.getcwd() == "/dir"
for number in range(300):
    sftp.open(f"{number:03}", "w").close()
assert len([name for name in sftp.listdir("/dir") if name not in (".", "..")]) == 300
for number in range(300):
    sftp.remove(f"{number:03}")
sftp.chdir("/")
sftp.rmdir("dir")
sftp.remove("replaced")
refused("a link", lambda: sftp.symlink("/etc/passwd", "link"))
refused("reading a link", lambda: sftp.readlink("link"))
refused("another owner", lambda: sftp.chown("/", 1, 1))

# Nothing but SFTP.
for name, ask in {
    "a shell": lambda channel: channel.invoke_shell(),
    "a command": lambda channel: channel.exec_command("id"),
    "a terminal": lambda channel: channel.get_pty(),
    "X11": lambda channel: channel.request_x11(),
    "another subsystem": lambda channel: channel.invoke_subsystem("netconf"),
}.items():
    other = paramiko.Transport(("127.0.0.1", port))
    other.connect(username=user, pkey=paramiko.Ed25519Key(filename=key))
    channel = other.open_session()
    refused(name, lambda: ask(channel))
    other.close()
other = paramiko.Transport(("127.0.0.1", port))
other.connect(username=user, password=password)
refused("forwarding there", lambda: other.open_channel("direct-tcpip", ("127.0.0.1", 22), ("127.0.0.1", 1)))
refused("forwarding here", lambda: other.request_port_forward("127.0.0.1", 0))
# After all that, SFTP works, a second channel beside it does not, one after it does.
first = paramiko.SFTPClient.from_transport(other)
refused("a second channel", lambda: other.open_session(timeout=5))
first.listdir("/")
first.close()
time.sleep(0.5)
second = paramiko.SFTPClient.from_transport(other)
second.listdir("/")
other.close()
print("all done")
