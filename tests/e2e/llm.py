"""A real language model judges a real call: `llm.sh` starts both servers.

    python3 llm.py BASE PASSWORD AUDIO

It checks what has to hold whatever a small model answers: the call is scored at
once by the rules, the model's judgement replaces that or says why it could not,
every point that the model gave has words of the transcript, and everything that
left is in the ledger.
"""

import json
import re
import sys
import time
import urllib.parse
import urllib.request

BASE, PASSWORD, AUDIO = sys.argv[1:4]
LIMIT_S = 900
token = ""


def ask(path, body=None, method=None, raw=None, kind="application/json"):
    data = raw if raw is not None else (None if body is None else json.dumps(body).encode())
    request = urllib.request.Request(f"{BASE}/api/v1{path}", data=data, method=method)
    request.add_header("Content-Type", kind)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=600) as answer:
        text = answer.read()
        return json.loads(text) if text else None


def check(what, holds):
    if not holds:
        sys.exit(f"FAIL: {what}")
    print(f"ok: {what}")


def upload(path):
    edge = "edge-of-a-part"
    head = f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="call.mp3"\r\n\r\n'
    with open(path, "rb") as file:
        body = head.encode() + file.read() + f"\r\n--{edge}--\r\n".encode()
    return ask("/upload", raw=body, kind=f"multipart/form-data; boundary={edge}")


def words(text):
    return re.findall(r"\w+", text.lower().replace("ё", "е"))


token = ask("/auth/login", {"username": "admin", "password": PASSWORD})["token"]
# The printed password is for the first sign-in only.
ask("/auth/password", {"current_password": PASSWORD, "new_password": PASSWORD + "-own"})
# A key, because the model may take longer than an access token is good for.
key = {"name": "test", "scopes": ["calls:read", "calls:upload", "settings"], "days": 1, "per_minute": 6000}
token = ask("/api-keys", key)["secret"]
call = upload(AUDIO)["files"][0]["id"]
until = time.monotonic() + LIMIT_S
seen_rules = False
scored_at = None
while True:
    detail = ask(f"/results/{call}")
    score = detail["score"]
    if score:
        scored_at = scored_at or time.monotonic()
        seen_rules |= score["engine"] == "rules"
        if score["model"]["state"] != "waiting":
            break
    if time.monotonic() > until:
        sys.exit(f"FAIL: no judgement within {LIMIT_S} s: {json.dumps(score and score['model'])}")
    time.sleep(0.3)
took = time.monotonic() - scored_at
note = score["model"]
check("the score of the rules is there first", seen_rules)
check(f"the model is done with the call: {note['state']}, {note['code']}", note["state"] in ("judged", "failed"))
check(f"it was a model that judged, at level {score['level']}", note["state"] == "judged" and score["engine"] == "model")
check("tokens were counted", note["input_tokens"] > 500 and note["output_tokens"] > 20)
said = words(" ".join(word["text"] for turn in detail["transcript"]["turns"] for word in turn["words"]))
spoken = " ".join(said)
items = [item for criterion in score["criteria"] for item in criterion["items"]]
judged = [item for item in items if item["judged_by"] == "model"]
check(f"it judged {len(judged)} of {len(items)} items", judged)
for item in judged:
    quotes = [one for one in item["evidence"] if one["kind"] == "quote"]
    if item["verdict"] == "met" and item["reason"]["code"] == "phrase_found":
        check(f"{item['key']} was met, with a quote", quotes)
    for one in quotes:
        check(f"“{one['quote']}” was said", " ".join(words(one["quote"])) in spoken)
ledger = ask("/llm/egress?page_size=200")
check("everything that left is in the ledger", sum(one["input_tokens"] for one in ledger["items"]) >= note["input_tokens"])
check("and went to this machine only", {one["host"].split(":")[0] for one in ledger["items"]} == {"127.0.0.1"})
verdicts = {}
for item in judged:
    verdicts[item["verdict"]] = verdicts.get(item["verdict"], 0) + 1
print(
    f"requests {ledger['total']}, tokens {note['input_tokens']} read and {note['output_tokens']} written, "
    f"quotes {note['confirmed']} of {note['quotes']} confirmed, verdicts {verdicts}, {took:.0f} s, "
    f"{score['overall_percent']} %"
)
