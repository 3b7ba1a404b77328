"""Sends what nobody would to every operation of the API, as every role and as nobody: no
answer is a fault of the server, and none has a status that the document does not tell of.

schemathesis.py BINARY TOOLS_DIR [SECONDS_A_ROLE]
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROLES = ["admin", "supervisor", "operator", "viewer"]
PASSWORD = "верная лошадь батарея скрепка"
SEED = "20261123"
# They end the session that the run needs, or stay open for ever; tests/it knows them.
LEFT_OUT = [
    "logout",
    "changePassword",
    "endOwnSession",
    "endOtherSessions",
    "endAccountSessions",
    "replaceTokenKey",
    "removeAccount",
    "changeAccount",
    "resetPassword",
    "resetSecondFactor",
    "beginSecondFactor",
    "confirmSecondFactor",
    "live",
]


def call(base, path, body=None, token=None):
    request = urllib.request.Request(base + path, method="POST" if body is not None else "GET")
    request.add_header("content-type", "application/json")
    if token:
        request.add_header("authorization", f"Bearer {token}")
    data = json.dumps(body).encode() if body is not None else None
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, data, timeout=60) as answer:
        return json.loads(answer.read() or b"null")


def upload(base, token, recording):
    boundary = "x-boundary-x"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="call.mp3"\r\nContent-Type: audio/mpeg\r\n\r\n'
    body = head.encode() + recording.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    request = urllib.request.Request(base + "/upload", data=body, method="POST")
    request.add_header("content-type", f"multipart/form-data; boundary={boundary}")
    request.add_header("authorization", f"Bearer {token}")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
        return json.loads(answer.read())


def serve(binary, data):
    config = data / "config.toml"
    config.write_text(
        '[speech]\nworkers = 1\nthreads = 1\n[sftp]\nlisten = "127.0.0.1:0"\nkeep_free_mb = 1\n'
        "[[retention.rules]]\ndays = 3650\n"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CALL_ANALYTICS_")}
    environment |= {
        "CALL_ANALYTICS_CONFIG": str(config),
        "CALL_ANALYTICS_DATA_DIR": str(data / "store"),
        "CALL_ANALYTICS_LISTEN": "127.0.0.1:0",
        "CALL_ANALYTICS_LOG": "warn",
    }
    log = open(data / "log", "w")
    server = subprocess.Popen([binary, "serve"], env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
    for line in server.stdout:
        found = re.search(r"serves (http://\S+)", line)
        if found:
            return server, found.group(1), environment
    sys.exit(f"the server does not start:\n{(data / 'log').read_text()}")


def main():
    # Who ends this ends the server as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    binary, tools = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2])
    seconds = sys.argv[3] if len(sys.argv) > 3 else "30"
    data = pathlib.Path(tempfile.mkdtemp())
    server, origin, environment = serve(binary, data)
    failed = False
    try:
        base = f"{origin}/api/v1"
        for role in ROLES:
            extra = ["--operator", "Ольга"] if role == "operator" else []
            subprocess.run(
                [binary, "user", "add", f"test-{role}", "--role", role, *extra, "--password-stdin"],
                env=environment, input=PASSWORD, text=True, check=True, stdout=subprocess.DEVNULL,
            )
        sign_in = lambda role: call(base, "/auth/login", {"username": f"test-{role}", "password": PASSWORD})["token"]
        # Now: what is sent as nobody makes the limiter refuse this address.
        tokens = {role: sign_in(role) for role in ROLES}
        upload(base, tokens["admin"], pathlib.Path(__file__).with_name("call.mp3"))
        for role in [*ROLES, None]:
            told = data / "report"
            shutil.rmtree(told, ignore_errors=True)
            command = [
                tools / "schemathesis", "run", f"{base}/openapi.json", "--url", base,
                "--checks", "not_a_server_error,status_code_conformance",
                "--phases", "examples,coverage,fuzzing", "--max-time", seconds, "--max-examples", "40", "--seed", SEED,
                "--generation-database", "none", "--workers", "1", "--request-timeout", "60", "--no-color",
                "--continue-on-failure", "--suppress-health-check", "all", "--report", "ndjson", "--report-dir", told,
                "--warnings", "off",
            ]
            for operation in LEFT_OUT:
                command += ["--exclude-operation-id", operation]
            if role:
                command += ["--header", f"Authorization: Bearer {tokens[role]}"]
            begun = time.monotonic()
            # There, because it keeps what it found beside itself.
            run = subprocess.run(command, capture_output=True, text=True, cwd=data)
            said = run.stdout + run.stderr
            (data / f"{role}.txt").write_text(said)
            cases = re.findall(r"^\s*(\d+ generated.*|.*\d+ selected / \d+ total)$", said, re.M)
            print(f"as {role or 'nobody'} ({time.monotonic() - begun:.0f} s): {'well' if run.returncode == 0 else 'FAULTS'}")
            for line in cases:
                print("   ", " ".join(line.split()))
            if run.returncode != 0:
                failed = True
                # A request can be one line of a megabyte.
                print("\n".join(line[:400] for line in said.splitlines()[-300:]))
        faults = [line for line in (data / "log").read_text().splitlines() if "ERROR call_analytics" in line or "panicked" in line]
        for line in faults[:20]:
            failed = True
            print("the server's log:", line)
        if server.poll() is not None:
            sys.exit("the server has ended")
        whole = subprocess.run([binary, "audit", "verify"], env=environment, capture_output=True, text=True)
        print(whole.stdout.splitlines()[0] if whole.stdout else whole.stderr)
        failed |= whole.returncode != 0
    finally:
        server.terminate()
        server.wait(30)
        if os.environ.get("KEEP"):
            print("kept:", data)
        else:
            shutil.rmtree(data, ignore_errors=True)
    sys.exit(1 if failed else 0)


main()
