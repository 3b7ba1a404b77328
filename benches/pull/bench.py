"""Pulling from OpenSSH and vsftpd over loopback, against their usual clients.

A round fetches the same file by both, the order changing from round to round;
its content is new each time. Ours counts from the begin of the run to its end:
listing, transfer, hashing, taking in. A ratio above 1: ours took less time.
"""

import argparse
import json
import os
import re
import socket
import statistics
import struct
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

PROGRAM = os.environ["CALL_ANALYTICS"]


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


class Api:
    """The program with its two sources."""

    def __init__(self, place, sections):
        config = place / "config.toml"
        config.write_text(
            "max_upload_mb = 4000\n[speech]\nworkers = 1\n[sftp]\nenabled = false\n" + sections
        )
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CALL_ANALYTICS", "MANGO"))
        }
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--config", config, "--data-dir", place / "data",
             "--listen", "127.0.0.1:0"],
            env=environment, stdout=subprocess.PIPE, stderr=open(place / "log", "w"), text=True,
        )
        password, self.base = None, None
        while not self.base:
            line = self.process.stdout.readline()
            if not line:
                raise SystemExit("the program does not start: see " + str(place / "log"))
            if "with the password" in line:
                password = line.split()[-1]
            if found := re.search(r"http://\S+", line):
                self.base = found[0] + "/api/v1"
        self.token = None
        self.token = self.ask("POST", "/auth/login", {"username": "admin", "password": password})["token"]
        # The printed password is for the first sign-in only.
        self.ask("POST", "/auth/password", {"current_password": password, "new_password": password + "-own"})
        # A key, because a run may take longer than an access token is good for.
        key = {"name": "bench", "scopes": ["settings", "calls:read", "calls:delete"], "days": 1, "per_minute": 6000}
        self.token = self.ask("POST", "/api-keys", key)["secret"]

    def ask(self, method, path, body=None):
        request = urllib.request.Request(self.base + path, method=method)
        if self.token:
            request.add_header("Authorization", "Bearer " + self.token)
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, data) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def source(self, name):
        sources = self.ask("GET", "/pull/sources")["items"]
        return next(source for source in sources if source["name"] == name)

    def pull(self, name):
        """A whole run; then its calls are deleted, so that nobody works on them."""
        self.ask("POST", f"/pull/sources/{name}/run")
        while (source := self.source(name))["current"]:
            time.sleep(0.02)
        run = source["last"]
        assert run["error"] is None and run["failed"] == 0, run
        for call in self.ask("GET", "/results?page_size=100")["items"]:
            self.ask("DELETE", "/results/" + call["id"])
        return run

    def list(self, name, files):
        """Seconds until all are listed and the first is here."""
        begun = time.monotonic()
        self.ask("POST", f"/pull/sources/{name}/run")
        while True:
            current = self.source(name)["current"]
            if current["found"] == files and (current["bytes"] or current["failed"]):
                took = time.monotonic() - begun
                break
            time.sleep(0.02)
        self.ask("POST", f"/pull/sources/{name}/stop")
        while self.source(name)["current"]:
            time.sleep(0.02)
        return took


def recording(path, megabytes, number):
    """A WAV file of noise; every number makes other bytes."""
    block = bytearray(os.urandom(1 << 20))
    # Servers that tell times by the minute tell files apart by their size.
    length = (megabytes << 20) + number * 4096
    header = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + length, b"WAVE", b"fmt ", 16, 1, 2,
                         48000, 192000, 4, 16, b"data", length)
    with open(path, "wb") as file:
        file.write(header)
        for at in range(megabytes):
            block[:8] = struct.pack("<II", number, at)
            file.write(block)
        file.write(bytes(number * 4096))
        os.fsync(file.fileno())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--files", type=int, default=50_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ["BENCH_DIR"]) as place:
        place = Path(place)
        for name in ["large", "many", "fetched", "empty"]:
            (place / name).mkdir()
        for number in range(options.files):
            name = f"2026.11.20__10-33-20__79161234567__79031234567_{number:08}.mp3"
            (place / "many" / name).write_bytes(b"x")
        for key in ["host", "user"]:
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place / key], check=True)
        user = subprocess.check_output(["id", "-un"], text=True).strip()
        ssh, ftp = free_port(), free_port()
        (place / "sshd").write_text(
            f"ListenAddress 127.0.0.1\nPort {ssh}\nHostKey {place}/host\nPidFile none\nUsePAM no\n"
            f"StrictModes no\nAuthorizedKeysFile {place}/user.pub\nSubsystem sftp internal-sftp\n"
        )
        (place / "vsftpd").write_text(
            f"listen=YES\nlisten_address=127.0.0.1\nlisten_port={ftp}\nbackground=NO\n"
            f"run_as_launching_user=YES\nanonymous_enable=YES\nanon_root={place}\n"
            f"anon_world_readable_only=NO\nallow_writeable_chroot=YES\nsecure_chroot_dir={place}/empty\n"
            "xferlog_enable=NO\nseccomp_sandbox=NO\n"
        )
        os.makedirs("/run/sshd", exist_ok=True)
        servers = [
            subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", place / "sshd"]),
            subprocess.Popen(["/usr/sbin/vsftpd", place / "vsftpd"]),
        ]
        api = None
        try:
            for port, server in zip([ssh, ftp], servers):
                wait_for(port, server)
            common = 'host = "127.0.0.1"\nat = "off"\nfallback_hours = 0\n'
            over_ssh = f'protocol = "sftp"\nport = {ssh}\nuser = "{user}"\nkey_file = "{place}/user"\n'
            over_ftp = f'protocol = "ftp"\nport = {ftp}\nuser = "anonymous"\npassword = "a@b"\n'
            sections = ""
            for name, kind, directory in [
                ("sftp-large", over_ssh, place / "large"), ("ftp-large", over_ftp, "large"),
                ("sftp-many", over_ssh, place / "many"), ("ftp-many", over_ftp, "many"),
            ]:
                sections += f'[[pull.source]]\nname = "{name}"\ndir = "{directory}"\n{common}{kind}'
            api = Api(place, sections)
            measure(api, place, options, ssh, ftp, user)
        finally:
            if api:
                api.process.terminate()
                api.process.wait()
            for server in servers:
                server.terminate()
                server.wait()


def measure(api, place, options, ssh, ftp, user):
    theirs = {
        "sftp": ["sftp", "-q", "-F", "/dev/null", "-i", place / "user", "-P", str(ssh),
                 "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                 "-o", "LogLevel=ERROR", f"{user}@127.0.0.1:{place}/large/a.wav", place / "fetched/a"],
        "ftp": ["curl", "-fsS", "-o", place / "fetched/a", f"ftp://127.0.0.1:{ftp}/large/a.wav"],
    }
    number = 0
    for name, command in theirs.items():
        ours, other, ratios = [], [], []
        for turn in range(options.rounds):
            number += 1
            recording(place / "large/a.wav", options.megabytes, number)

            def client():
                begun = time.monotonic()
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                return time.monotonic() - begun

            def own():
                run = api.pull(name + "-large")
                assert run["new"] == 1, run
                return run["duration_ms"] / 1000

            if turn % 2:
                mine, its = own(), client()
            else:
                its, mine = client(), own()
            ours.append(mine)
            other.append(its)
            ratios.append(its / mine)
        rate = lambda times: options.megabytes / statistics.median(times)
        print(f"{name}: {options.megabytes} MB: ours {rate(ours):.0f} MB/s, {command[0]} {rate(other):.0f} MB/s, "
              f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})")
    for name in ["sftp-many", "ftp-many"]:
        print(f"{name}: {options.files} files listed, the first is here after {api.list(name, options.files):.2f} s")


main()
