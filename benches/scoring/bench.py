"""Scoring: see run.sh."""

import argparse
import datetime
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path


PROGRAM = os.environ["CALL_ANALYTICS"]
MODEL = os.environ["CALL_ANALYTICS_MODEL_FILE"]
CALL = Path(os.environ["CALL_ANALYTICS_AUDIO"]) / "call_stereo_8k.flac"
TEN_MINUTES_S = 600
CROP_S = 60


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, arguments)], check=True)


def reachable(url, process, within_s=60):
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if process.poll() is not None:
            raise SystemExit(f"the server of {url} ended")
        try:
            urllib.request.urlopen(url, timeout=1).read()
            return
        except OSError:
            time.sleep(0.2)
    raise SystemExit(f"{url} does not answer")


class Server:
    """The program as a server without a language model."""

    def __init__(self, place):
        port = free_port()
        self._base = f"http://127.0.0.1:{port}/api/v1"
        self._out = open(place / "out", "w+")
        environment = {**os.environ, "CALL_ANALYTICS_CONFIG": "/dev/null", "CALL_ANALYTICS_MODEL": MODEL}
        environment["CALL_ANALYTICS_SFTP_LISTEN"] = "127.0.0.1:0"
        command = [PROGRAM, "--data-dir", place / "store", "serve", "--listen", f"127.0.0.1:{port}"]
        self._process = subprocess.Popen(command, stdout=self._out, stderr=subprocess.DEVNULL, env=environment)
        reachable(f"{self._base}/health", self._process)
        self._out.seek(0)
        password = re.search(r"password[^:]* (\S+)$", self._out.read(), re.M).group(1)
        self._token = None
        self._token = self.ask("/auth/login", {"username": "admin", "password": password})["token"]
        # The printed password is for the first sign-in only.
        self.ask("/auth/password", {"current_password": password, "new_password": password + "-own"})
        # A key, because a run may take longer than an access token is good for.
        key = {"name": "bench", "scopes": ["settings", "calls:read", "calls:upload"], "days": 1, "per_minute": 6000}
        self._token = self.ask("/api-keys", key)["secret"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()

    def ask(self, path, body=None, raw=None, kind="application/json"):
        data = raw if raw is not None else (None if body is None else json.dumps(body).encode())
        request = urllib.request.Request(self._base + path, data=data)
        request.add_header("Content-Type", kind)
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def upload(self, path):
        edge = "edge-of-a-part"
        head = f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="{path.name}"\r\n\r\n'
        raw = head.encode() + path.read_bytes() + f"\r\n--{edge}--\r\n".encode()
        return self.ask("/upload", raw=raw, kind=f"multipart/form-data; boundary={edge}")


def rescoring(place, calls, orders):
    """Calls scored again in a second, of each order."""
    with Server(place) as server:
        for number in range(calls):
            # Other bytes each, and another part of the call.
            crop = place / f"{number}.flac"
            start = (number * 7) % 200
            ffmpeg("-ss", start, "-t", CROP_S, "-i", CALL, "-af", f"volume={1 - number / 1000}", crop)
            server.upload(crop)
        while server.ask("/results?status=queued,processing&page_size=1")["total"]:
            time.sleep(1)
        speeds = []
        for _ in range(orders):
            order = server.ask("/rescorings", {})
            while order["state"] == "running":
                time.sleep(0.05)
                order = server.ask(f"/rescorings/{order['id']}?page_size=1")["order"]
            began, ended = (datetime.datetime.fromisoformat(order[key]) for key in ("started_at", "ended_at"))
            speeds.append((order["done"] - order["skipped"]) / (ended - began).total_seconds())
        return speeds


def stability(place, file, runs, engine, config):
    command = [PROGRAM, "--config", config, "--data-dir", place / "none", "--model", MODEL]
    command += ["score-stability", file, "--runs", runs, "--engine", engine, "--json"]
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--orders", type=int, default=20)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rules-only", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temp:
        place = Path(temp)
        speeds = rescoring(place, arguments.calls, arguments.orders)
        print(
            f"Rules, {arguments.calls} calls of {CROP_S} s, {arguments.orders} orders: "
            f"median {statistics.median(speeds):.0f} calls/s ({min(speeds):.0f}–{max(speeds):.0f})",
            flush=True,
        )
        empty = place / "empty.toml"
        empty.write_text("")
        print(json.dumps({"rules": stability(place, CALL, arguments.runs, "rules", empty)}), flush=True)
        if arguments.rules_only:
            return
        port = free_port()
        server = subprocess.Popen(
            [sys.executable, os.environ["LLM_SERVER"], str(port), "32768"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": os.environ["LLM_HOME"]},
        )
        try:
            reachable(f"http://127.0.0.1:{port}/health", server, 300)
            config = place / "config.toml"
            config.write_text(
                f'[llm]\nenabled = true\npreset = "llamacpp"\nbase_url = "http://127.0.0.1:{port}/v1"\n'
                'model = "gemma-3-270m"\ncontext_tokens = 32768\nanswer_tokens = 3000\ntimeout_s = 1800\n'
            )
            ten = place / "ten.flac"
            ffmpeg("-stream_loop", "-1", "-i", CALL, "-t", TEN_MINUTES_S, ten)
            for name, file, runs in (("call of 280 s", CALL, arguments.runs), ("call of 600 s", ten, 1)):
                print(json.dumps({name: stability(place, file, runs, "model", config)}), flush=True)
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
