"""Guesses at passwords on a server of its own: from one address at one account, from one address at
many accounts, and from many addresses (127.0.0.0/8) at one account. Prints how many were judged, how many
were put off, and how long the owner, who has a session, took to sign in meanwhile."""

import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time

PROGRAM, SECONDS = sys.argv[1], float(sys.argv[2])
PASSWORD = "зелёный трамвай семь"
THREADS = 16


class Server:
    def __enter__(self):
        self.dir = tempfile.TemporaryDirectory()
        config = f"{self.dir.name}/config.toml"
        with open(config, "w", encoding="utf-8") as file:
            file.write(f'data_dir = "{self.dir.name}/store"\n[sftp]\nenabled = false\n')
        environment = {**os.environ, "CALL_ANALYTICS_CONFIG": config, "CALL_ANALYTICS_LISTEN": "127.0.0.1:0"}
        subprocess.run(
            [PROGRAM, "user", "add", "admin", "--password-stdin"],
            input=PASSWORD.encode(), env=environment, check=True, stdout=subprocess.DEVNULL,
        )
        self.process = subprocess.Popen([PROGRAM, "serve"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in self.process.stdout:
            if "http://" in line:
                self.port = int(line.strip().rsplit(":", 1)[1].rstrip("/"))
                return self
        raise SystemExit("the server does not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.dir.cleanup()

    def sign_in(self, name, password, source):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, source_address=(source, 0), timeout=60)
        try:
            body = json.dumps({"username": name, "password": password})
            connection.request("POST", "/api/v1/auth/login", body, {"Content-Type": "application/json"})
            return connection.getresponse().status
        finally:
            connection.close()


def attack(what, target):
    with Server() as server:
        # The owner has a session from this address.
        assert server.sign_in("admin", PASSWORD, "127.0.0.1") == 200
        counts, lock, end = {}, threading.Lock(), time.monotonic() + SECONDS

        def guess(thread):
            n = thread
            while time.monotonic() < end:
                name, source = target(n)
                status = server.sign_in(name, f"guess {n} of many", source)
                with lock:
                    counts[status] = counts.get(status, 0) + 1
                n += THREADS

        threads = [threading.Thread(target=guess, args=(n,)) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        owner = []
        while time.monotonic() < end:
            begun = time.monotonic()
            status = server.sign_in("admin", PASSWORD, "127.0.0.1")
            owner.append((status, time.monotonic() - begun))
            time.sleep(0.5)
        for thread in threads:
            thread.join()
        judged = counts.get(401, 0)
        let_in = [seconds for status, seconds in owner if status == 200]
        middle = f"{statistics.median(let_in) * 1000:.0f} ms" if let_in else "never"
        print(
            f"{what}: {sum(counts.values())} guesses, {judged} judged ({judged / SECONDS:.2f} a second), {counts.get(429, 0)} put off;"
            f" the owner: {len(let_in)} of {len(owner)} let in, median {middle}"
        )


attack("one address, one account", lambda n: ("admin", "127.0.0.9"))
attack("one address, many accounts", lambda n: (f"user{n}", "127.0.0.9"))
attack("250 addresses, one account", lambda n: ("admin", f"127.0.1.{1 + n % 250}"))
attack("250 addresses, many accounts", lambda n: (f"user{n}", f"127.0.1.{1 + n % 250}"))
