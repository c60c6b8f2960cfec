"""Webhooks of the real program, verified by a library that is not ours: `python webhooks.py PATH_OF_KIRA_USERS`.

The program runs in a folder of its own, on SQLite. A user is created and verified over REST, and everything that arrives
at a receiver here must be signed as Standard Webhooks says (by their own library) and as `x-signature-sha256` says (by
hmac), for secrets of every form; it must be of the schema in docs/openapi.json; and what arrives must be the events of
`GET /v1/events`, all of them.
"""

import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import queue
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid

from schemas import Schemas
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"
# Seconds to wait for any condition, on a busy machine.
DEADLINE = 60
LAST = "user.verification.accepted"
# The client's own reference, of more than ASCII: bodies are signed as bytes.
EXTERNAL_ID = "Ünïcode \U0001f600"


class Receiver(http.server.BaseHTTPRequestHandler):
    arrived = queue.Queue()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.arrived.put((self.path, dict(self.headers), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def receiver():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@contextlib.contextmanager
def program(path, folder, **more):
    """The running program and a client of it: its credentials, and where the REST API is. `more` are settings."""
    settings = {
        "KIRA_DATA_DIR": str(folder / "data"),
        "KIRA_HTTP_ADDR": "127.0.0.1:0",
        "KIRA_GRPC_ADDR": "127.0.0.1:0",
        "KIRA_ADMIN_ADDR": "127.0.0.1:0",
        "KIRA_LOG_FORMAT": "json",
        "KIRA_SANDBOX_DELAY": "0s",
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("KIRA_")}
    environment = inherited | settings | more

    def run(*arguments):
        done = subprocess.run([path, *arguments], env=environment, check=True, capture_output=True, timeout=DEADLINE)
        return json.loads(done.stdout)

    log_file = folder / "log"
    with open(log_file, "wb") as log:
        process = subprocess.Popen([path], env=environment, stdout=log, stderr=log)
    try:
        base = address(process, log_file)
        # The first start makes the database that the command needs.
        yield run, run("client", "create", "--name", "ci", "--json"), base
    except BaseException:
        print(log_file.read_text(), file=sys.stderr)
        raise
    finally:
        process.terminate()
        process.wait(DEADLINE)


def address(process, log_file):
    for _ in range(DEADLINE * 20):
        for line in log_file.read_text().splitlines():
            if line.startswith("{") and (entry := json.loads(line)).get("message") == "ready":
                return f"http://{entry['rest']}"
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError("the program did not become ready")


class Client:
    def __init__(self, base, credentials):
        self.base, self.id, self.headers = base, credentials["client_id"], {"x-api-key": credentials["api_key"]}
        answer = self.call("POST", "/auth", {name: credentials[name] for name in ("client_id", "password")})
        self.headers["authorization"] = f"Bearer {answer['data']['access_token']}"

    def call(self, method, path, body=None, **headers):
        data = None if body is None else json.dumps(body).encode()
        headers = self.headers | {"content-type": "application/json"} | headers
        request = urllib.request.Request(self.base + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
            return json.load(answer)


def individual():
    """The individual of the specification, with real files."""
    text = (FIXTURES / "examples/individual_usa.json").read_text()
    files = {
        "image/jpeg;base64,{{front}}": "front.jpg",
        "image/jpeg;base64,{{back}}": "back.jpg",
        "image/png;base64,{{file_proof_of_address}}": "proof_of_address.png",
        "application/pdf;base64,{{file_proof_of_address}}": "business_formation.pdf",
    }
    for place, file in files.items():
        content = base64.b64encode((FIXTURES / "files" / file).read_bytes()).decode()
        text = text.replace(place, f"{place.partition('{')[0]}{content}")
    return json.loads(text) | {"external_id": EXTERNAL_ID}


def library(secret):
    """The library takes text as base64; a secret of another form is its own bytes."""
    return Webhook(secret if secret.startswith("whsec_") else secret.encode())


def verify(secrets, headers, body):
    """`secrets`: the one that signs, then those that still do."""
    expected = hmac.new(secrets[0].encode(), body, hashlib.sha256).hexdigest()
    assert headers["x-signature-sha256"] == expected, "x-signature-sha256"
    for secret in secrets:
        assert library(secret).verify(body, headers) == json.loads(body)
        for wrong in (body.replace(b'"', b"'", 1), body + b" "):
            try:
                library(secret).verify(wrong, headers, json_parse=False)
            except WebhookVerificationError:
                continue
            raise AssertionError("a changed body passed")


def main(path):
    with tempfile.TemporaryDirectory() as folder, receiver() as url:
        folder = pathlib.Path(folder)
        with program(path, folder) as (run, credentials, base):
            client = Client(base, credentials)
            secrets = {}

            made = client.call("POST", "/v1/webhooks/endpoints", {"url": f"{url}/made"})
            secrets["/made"] = [made["secret"]]

            text = "twenty-four bytes or more, as text"
            client.call("POST", "/v1/webhooks/endpoints", {"url": f"{url}/text", "secret": text, "ordered": True})
            secrets["/text"] = [text]

            short = "schlüssel"
            register = {"client_uuid": client.id, "webhook_url": f"{url}/live", "secret": short}
            client.call("POST", "/webhooks/register", register)
            secrets["/live"] = [short]

            arguments = ["--client", client.id, "--json"]
            before = run("webhook", "create", "--url", f"{url}/rotated", *arguments)
            after = run("webhook", "rotate", before["endpoint"]["id"], *arguments)
            secrets["/rotated"] = [after["secret"], before["secret"]]

            client.call("POST", "/v1/users", individual(), **{"idempotency-key": str(uuid.uuid4())})
            schemas, arrived, events = Schemas(), {}, {}
            # The acceptance is a user's last event.
            while len(arrived) < len(events) * len(secrets) or list(arrived.values()).count(LAST) < len(secrets):
                place, headers, body = Receiver.arrived.get(timeout=DEADLINE)
                verify(secrets[place], headers, body)
                message = json.loads(body)
                webhook = schemas.document["webhooks"][message["event"]]["post"]
                wrong = schemas.errors(webhook["requestBody"]["content"]["application/json"]["schema"], message)
                assert not wrong, wrong
                missing = {header["name"] for header in webhook["parameters"]} - {name.lower() for name in headers}
                assert not missing, missing
                assert message["data"]["external_id"] == EXTERNAL_ID
                assert headers["webhook-id"] == message["data"]["event_id"]
                arrived[place, message["data"]["event_id"]] = message["event"]
                if message["event"] == LAST:
                    page = client.call("GET", "/v1/events")["data"]
                    events = {event["data"]["event_id"]: event["event"] for event in page}
            expected = {(place, event): kind for place in secrets for event, kind in events.items()}
            assert arrived == expected, f"{arrived} arrived of {expected}"
    print(f"{len(arrived)} webhooks of {len(events)} events at {len(secrets)} endpoints: every signature is good")


if __name__ == "__main__":
    main(sys.argv[1])
