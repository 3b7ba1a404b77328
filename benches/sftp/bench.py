"""Our SFTP server against OpenSSH's internal-sftp, over loopback, in turn.

Both get the same client, the same files on the same disk, key authentication
and the client's own choice of cipher. A round measures each thing on both
servers, the order changing from round to round; medians and ratios are printed.
A ratio above 1 means that ours took less time.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

PROGRAM = os.environ["CALL_ANALYTICS"]
SMALL_BYTES = 16 * 1024


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(port, process):
    for _ in range(200):
        if process.poll() is not None:
            raise SystemExit("a server ended at its start")
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("a server does not listen")


def run(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **options)


class Peer:
    """A real sshd of the user who runs this."""

    name = "OpenSSH internal-sftp"

    def __init__(self, place, key):
        self.root = place / "peer"
        self.root.mkdir()
        self.port = free_port()
        self.user = subprocess.check_output(["id", "-un"], text=True).strip()
        host_key = place / "peer_host_key"
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host_key)
        authorized = place / "authorized_keys"
        shutil.copy(f"{key}.pub", authorized)
        config = place / "sshd_config"
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {host_key}\n"
            f"AuthorizedKeysFile {authorized}\nStrictModes no\nUsePAM no\nPidFile none\n"
            "PasswordAuthentication no\nPermitRootLogin yes\nMaxStartups 200\n"
            f"Subsystem sftp internal-sftp -d {self.root}\n"
        )
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        log = open(place / "sshd.log", "w")
        sshd = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin")
        self.process = subprocess.Popen([sshd, "-D", "-e", "-f", str(config)], stderr=log)
        wait_for(self.port, self.process)


class Ours:
    """call-analytics."""

    name = "call-analytics"

    def __init__(self, place, key):
        data = place / "data"
        self.port, self.user = free_port(), "bench"
        config = place / "config.toml"
        config.write_text(
            f'listen = "127.0.0.1:{free_port()}"\ndata_dir = "{data}"\nlog = "warn"\n'
            f'[sftp]\nlisten = "127.0.0.1:{self.port}"\nmax_connections_per_address = 200\n'
            "max_connections = 200\n"
        )
        command = [PROGRAM, "--config", str(config)]
        run(*command, "sftp-user", "add", self.user, "--no-password")
        run(*command, "sftp-user", "key", self.user, "add", f"{key}.pub")
        log = open(place / "ours.log", "w")
        self.process = subprocess.Popen([*command, "serve"], stdout=log, stderr=log)
        wait_for(self.port, self.process)
        self.root = data / "sftp/files" / self.user

    def rss_kib(self):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise SystemExit("no VmRSS")


class Client:
    """The sftp of OpenSSH."""

    def __init__(self, place, key):
        self.options = ["-q", "-i", str(key), "-o", "IdentitiesOnly=yes"]
        for option in ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"]:
            self.options += ["-o", option]
        self.place = place

    def command(self, server):
        return ["sftp", *self.options, "-P", str(server.port), "-b", "-", f"{server.user}@127.0.0.1"]

    def seconds(self, server, batch):
        begin = time.monotonic()
        run(*self.command(server), input=batch, text=True)
        return time.monotonic() - begin


def clear(directory):
    for entry in directory.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def same(left, right):
    return subprocess.run(["cmp", "--silent", left, right], check=False).returncode == 0


class Bench:
    def __init__(self, place, megabytes, small):
        self.place = place
        self.big = place / "big"
        with open(self.big, "wb") as file:
            for _ in range(megabytes):
                file.write(os.urandom(1 << 20))
        self.small = place / "small"
        self.small.mkdir()
        for number in range(small):
            (self.small / f"{number:05}.mp3").write_bytes(os.urandom(SMALL_BYTES))
        os.sync()
        key = place / "key"
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
        self.client = Client(place, key)
        self.ours, self.peer = Ours(place, key), Peer(place, key)

    def round(self, server):
        back = self.place / "back"
        seconds = {}
        seconds["put"] = self.client.seconds(server, f"put {self.big} big\n")
        if not same(self.big, server.root / "big"):
            raise SystemExit(f"{server.name} has other bytes than were put")
        seconds["get"] = self.client.seconds(server, f"get big {back}\n")
        if not same(self.big, back):
            raise SystemExit(f"{server.name} gave other bytes")
        clear(server.root)
        os.sync()
        # Ours syncs at every close; with -f the client asks the other to do so, too.
        seconds["put -f"] = self.client.seconds(server, f"put -f {self.big} big\n")
        clear(server.root)
        os.sync()
        seconds["small put"] = self.client.seconds(server, f"put -r {self.small} small\n")
        seconds["small get"] = self.client.seconds(server, f"get -r small {back}-small\n")
        shutil.rmtree(f"{back}-small")
        clear(server.root)
        os.sync()
        seconds["small put -f"] = self.client.seconds(server, f"put -f -r {self.small} small\n")
        clear(server.root)
        os.sync()
        return seconds

    def memory(self, connections):
        """KiB a connection: waiting, and with a transfer behind it."""
        before = self.ours.rss_kib()
        clients = []
        for _ in range(connections):
            clients.append(
                subprocess.Popen(
                    self.client.command(self.ours),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
        for client in clients:
            client.stdin.write("pwd\n")
            client.stdin.flush()
        for client in clients:
            client.stdout.readline()
            client.stdout.readline()
        idle = self.ours.rss_kib()
        for number, client in enumerate(clients):
            client.stdin.write(f"put {self.big} m{number}\nrm m{number}\n")
            client.stdin.flush()
        busy = idle
        for _ in range(40):
            time.sleep(0.1)
            busy = max(busy, self.ours.rss_kib())
        for client in clients:
            client.kill()
            client.wait()
        time.sleep(1)
        clear(self.ours.root)
        return (idle - before) / connections, (busy - before) / connections, before

    def stop(self):
        for server in (self.ours, self.peer):
            server.process.terminate()
            server.process.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--small", type=int, default=1000)
    parser.add_argument("--connections", type=int, default=20)
    arguments = parser.parse_args()
    place = Path(tempfile.mkdtemp(dir=os.environ["BENCH_DIR"]))
    try:
        bench = Bench(place, arguments.megabytes, arguments.small)
        try:
            ours, peer = [], []
            for number in range(arguments.rounds):
                turns = [(bench.ours, ours), (bench.peer, peer)]
                for server, results in turns if number % 2 == 0 else reversed(turns):
                    results.append(bench.round(server))
            memory = bench.memory(arguments.connections)
        finally:
            bench.stop()
    finally:
        shutil.rmtree(place)
    print(f"load average {os.getloadavg()[0]:.2f}, {arguments.rounds} rounds, "
          f"{arguments.megabytes} MB, {arguments.small} files of {SMALL_BYTES // 1024} KiB\n")
    print("| | call-analytics s | OpenSSH s | ratio (paired median) | ratios |")
    print("| --- | --- | --- | --- | --- |")
    for what in ours[0]:
        mine = [result[what] for result in ours]
        theirs = [result[what] for result in peer]
        ratios = [other / own for own, other in zip(mine, theirs)]
        print(f"| {what} | {statistics.median(mine):.2f} | {statistics.median(theirs):.2f} "
              f"| {statistics.median(ratios):.2f} | {', '.join(f'{ratio:.2f}' for ratio in ratios)} |")
    idle, busy, before = memory
    print(f"\nmemory: {before / 1024:.0f} MiB before; a connection that waits {idle:.0f} KiB, "
          f"one of {arguments.connections} that write at once {busy:.0f} KiB")


main()
