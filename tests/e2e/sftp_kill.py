"""Kills the server while files are dropped; every file whose closing was acknowledged must be there, whole.

Arguments: the program, how many kills. Four connections drop files of 1 byte to
2 MB, half of them recordings; some names are dropped under a part name and renamed.
After each kill the folder is read, then the server starts again on the same data. At
the end every recording that was acknowledged is one call, with the same sound.
"""

import atexit
import hashlib
import io
import json
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
import urllib.request
import wave

import paramiko
from paramiko.sftp import CMD_CLOSE

PROGRAM, KILLS = sys.argv[1], int(sys.argv[2])
PASSWORD = "correct horse battery"


def start(place):
    log = open(os.path.join(place, "log"), "a")
    process = subprocess.Popen(
        [PROGRAM, "--config", f"{place}/config.toml", "serve"], stdout=subprocess.PIPE, stderr=log, text=True
    )
    # Also where a check fails; one that has ended is left alone.
    atexit.register(process.kill)
    port = page = None
    for line in process.stdout:
        if "sftp://" in line:
            port = int(line.rsplit(":", 1)[1])
        if "http://" in line:
            page = line[line.index("http://") :].strip()
            break
    if port is None or page is None:
        raise SystemExit("the server does not start: " + open(f"{place}/log").read()[-2000:])
    return process, port, page


def content(number):
    """Half of the files are recordings: noise, so that no two are alike."""
    data = os.urandom(random.choice([1, 1000, 50_000, 300_000, 2_000_000]))
    if number % 2:
        return data
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", "noise"))
        sound.writeframes(data[:300_000].ljust(16_000, b"\0") + os.urandom(2))
    return file.getvalue()


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
            data = content(number)
            name = f"r{round_number}w{worker}n{number}.wav"
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


def ask(page, path, body=None, token=None):
    request = urllib.request.Request(page.rstrip("/") + "/api/v1" + path, data=body and json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read()


def dropped(page, token):
    """All files, once nothing more happens to them by itself."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        files, number = [], 1
        while True:
            found = json.loads(ask(page, f"/sftp/files?page={number}&page_size=200", token=token))
            files += found["items"]
            if len(files) >= found["total"] or not found["items"]:
                break
            number += 1
        if files and all(file["state"] != "receiving" for file in files):
            return files
        time.sleep(1)
    raise SystemExit("FAIL: the files are not taken in")


def taken_in(page, acknowledged):
    """Each recording that was acknowledged is a call of its own with the same sound; how many."""
    signed_in = ask(page, "/auth/login", {"username": "admin", "password": PASSWORD})
    token = json.loads(signed_in)["token"]
    # The receiver walks the folders first.
    deadline = time.monotonic() + 300
    while True:
        files = {file["path"]: file for file in dropped(page, token)}
        late = [name for name in acknowledged if name not in files]
        if not late:
            break
        if time.monotonic() > deadline:
            raise SystemExit(f"FAIL: {late[:3]} were acknowledged and are not in the list")
        time.sleep(1)
    calls = {}
    for name, digest in acknowledged.items():
        file = files[name]
        if int(name.split("n")[1].split(".")[0]) % 2:
            if file["call_id"] is not None:
                raise SystemExit(f"FAIL: {name} is no recording and became a call")
            continue
        # A kill between the call and the note of it: the next start finds the same content known.
        if file["state"] not in ("taken", "known"):
            raise SystemExit(f"FAIL: {name} was acknowledged and is {file['state']}")
        sound = ask(page, "/audio/" + file["call_id"], token=token)
        if hashlib.sha256(sound).hexdigest() != digest:
            raise SystemExit(f"FAIL: the call of {name} has another sound")
        if calls.setdefault(file["call_id"], name) != name:
            raise SystemExit(f"FAIL: {name} and {calls[file['call_id']]} are one call")
    known = {file["call_id"] for file in files.values() if file["call_id"]}
    total = json.loads(ask(page, "/results?page_size=1", token=token))["total"]
    if total != len(known):
        raise SystemExit(f"FAIL: {total} calls for {len(known)} recordings")
    return len(calls)


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
        subprocess.run(
            [PROGRAM, "--config", f"{place}/config.toml", "user", "add", "admin", "--password-stdin"],
            input=PASSWORD, text=True, check=True, stdout=subprocess.DEVNULL,
        )
        acknowledged, lock = {}, threading.Lock()
        for round_number in range(KILLS):
            process, port, _ = start(place)
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
        process, _, page = start(place)
        calls = taken_in(page, acknowledged)
        process.terminate()
        if process.wait(30) != 0:
            raise SystemExit("FAIL: the server does not stop well")
        if len(acknowledged) < KILLS:
            raise SystemExit(f"FAIL: only {len(acknowledged)} files were acknowledged")
        print(
            f"{KILLS} kills, {len(acknowledged)} files acknowledged, {len(acknowledged)} found whole, "
            f"the recordings among them are {calls} calls"
        )


main()
