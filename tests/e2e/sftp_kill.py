"""Kills the server while files are dropped; every file whose closing was acknowledged must be there, whole.

Arguments: the program, how many kills. Four connections drop files of 1 byte to
2 MB; some names are dropped under a part name and renamed. After each kill the
folder is read, then the server starts again on the same data.
"""

import hashlib
import logging
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import paramiko
from paramiko.sftp import CMD_CLOSE

PROGRAM, KILLS = sys.argv[1], int(sys.argv[2])
PASSWORD = "correct horse battery"


def start(place):
    log = open(os.path.join(place, "log"), "a")
    process = subprocess.Popen(
        [PROGRAM, "--config", f"{place}/config.toml", "serve"], stdout=subprocess.PIPE, stderr=log, text=True
    )
    port = None
    for line in process.stdout:
        if "sftp://" in line:
            port = int(line.rsplit(":", 1)[1])
        if "http://" in line:
            break
    if port is None:
        raise SystemExit("the server does not start: " + open(f"{place}/log").read()[-2000:])
    return process, port


def close(sftp, file):
    """Closes, and raises unless the server answers that it is done: paramiko's own close passes over a lost connection."""
    file.flush()
    sftp._finish_responses(file)
    sftp._request(CMD_CLOSE, file.handle)
    file._closed = True


def drop(port, round_number, worker, acknowledged, lock):
    """Drops files until the connection dies; notes what was acknowledged."""
    try:
        connection = socket.create_connection(("127.0.0.1", port))
        transport = paramiko.Transport(connection)
        transport.connect(username="mango", password=PASSWORD)
        sftp = paramiko.SFTPClient.from_transport(transport)
        number = 0
        while True:
            data = os.urandom(random.choice([1, 1000, 50_000, 300_000, 2_000_000]))
            name = f"r{round_number}w{worker}n{number}.mp3"
            renamed = number % 3 == 0
            file = sftp.open(f"{name}.part" if renamed else name, "wb")
            file.set_pipelined(True)
            file.write(data)
            close(sftp, file)
            if renamed:
                sftp.posix_rename(f"{name}.part", name)
            with lock:
                acknowledged[name] = hashlib.sha256(data).hexdigest()
            number += 1
    except Exception:  # the server was killed
        pass


def main():
    random.seed(1)
    # That connections break is what this is about.
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        with open(f"{place}/config.toml", "w") as config:
            config.write(
                f'data_dir = "{place}/data"\nlisten = "127.0.0.1:0"\nlog = "warn"\n'
                '[sftp]\nlisten = "127.0.0.1:0"\nkeep_free_mb = 1\n'
            )
        subprocess.run(
            [PROGRAM, "--config", f"{place}/config.toml", "sftp-user", "add", "mango", "--password-stdin"],
            input=PASSWORD, text=True, check=True, stdout=subprocess.DEVNULL,
        )
        acknowledged, lock = {}, threading.Lock()
        for round_number in range(KILLS):
            process, port = start(place)
            before = len(acknowledged)
            workers = [
                threading.Thread(target=drop, args=(port, round_number, worker, acknowledged, lock))
                for worker in range(4)
            ]
            for worker in workers:
                worker.start()
            deadline = time.monotonic() + 20
            while len(acknowledged) == before and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(random.uniform(0.0, 1.5))
            process.send_signal(signal.SIGKILL)
            process.wait()
            for worker in workers:
                worker.join(60)
            root = f"{place}/data/sftp/files/mango"
            for name, digest in acknowledged.items():
                with open(os.path.join(root, name), "rb") as file:
                    found = file.read()
                    if hashlib.sha256(found).hexdigest() != digest:
                        raise SystemExit(f"FAIL: {name} was acknowledged and is damaged ({len(found)} bytes)")
            print(f"kill {round_number + 1}: {len(acknowledged) - before} files acknowledged, all there", flush=True)
        # It starts again after the last one.
        process, _ = start(place)
        process.terminate()
        if process.wait(30) != 0:
            raise SystemExit("FAIL: the server does not stop well")
        if len(acknowledged) < KILLS:
            raise SystemExit(f"FAIL: only {len(acknowledged)} files were acknowledged")
        print(f"{KILLS} kills, {len(acknowledged)} files acknowledged, {len(acknowledged)} found whole")


main()
