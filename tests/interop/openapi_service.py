"""Schemathesis against the real program: `python openapi_service.py PATH_OF_KIRA_USERS [EXAMPLES]`.

Requests are made from docs/openapi.json, good ones and bad ones. No answer may be a 5xx, have a status, media type, header
or body that the document does not have, or accept credentials that are none. Not asked for is what no schema can say: whether a
good request is accepted depends on what is stored, and on `Prefer: handling=strict`.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import uuid

from webhooks import FIXTURES, Client, program

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs/openapi.json"
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ignored_auth",
    "missing_required_header",
]
EVERYTHING = {"since": "2026-01-01T00:00:00Z", "delivered_too": True}
# A call that answers until the service stops.
STREAM = "watchEvents"


def stored(client):
    """Ids of what there is of each kind, so that calls reach more than a 404: what is in the path by its name."""
    business = json.loads((FIXTURES / "examples/business_mexico.json").read_text())
    for entry in [business, *business["associated_persons"]]:
        for identification in entry["identifying_information"]:
            for document in identification["documents"]:
                document["file"] = "data:application/pdf;base64,JVBERi0xLjQK"
    ids = {name: [] for name in ("user_id", "person_id", "identification_id", "endpoint_id", "delivery_id", "replay_id")}
    for number in range(3):
        user = client.call("POST", "/v1/users", business, **{"idempotency-key": str(uuid.uuid4())})
        ids["user_id"].append(user["id"])
        ids["person_id"] += [person["id"] for person in user["associated_persons"]]
        ids["identification_id"] += [entry["id"] for entry in user["identifying_information"]]
        url = f"http://127.0.0.1:40009/{number}"
        endpoint = client.call("POST", "/v1/webhooks/endpoints", {"url": url})["endpoint"]["id"]
        ids["endpoint_id"].append(endpoint)
        ids["delivery_id"].append(client.call("POST", f"/v1/webhooks/endpoints/{endpoint}:test")["delivery_id"])
        ids["replay_id"].append(client.call("POST", f"/v1/webhooks/endpoints/{endpoint}:replay", EVERYTHING)["id"])
    return ids


def main(path, examples="10"):
    tool = pathlib.Path(sys.executable).with_name("schemathesis")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        with program(path, folder) as (run, credentials, base):
            reviewer = run("client", "create", "--name", "reviewer", "--role", "reviewer", "--json")
            ids = stored(Client(base, credentials))
            parameters = "".join(f'"path.{name}" = {json.dumps(values)}\n' for name, values in ids.items())
            (folder / "schemathesis.toml").write_text(f"[parameters]\n{parameters}")
            failed = False
            for owner, choice in [(credentials, "--exclude-tag"), (reviewer, "--include-tag")]:
                headers = [f"{name}: {value}" for name, value in Client(base, owner).headers.items()]
                options = ["--checks", ",".join(CHECKS), "--max-examples", examples, "--seed", "1", "--no-color"]
                options += ["--phases", "examples,coverage,fuzzing", "--generation-allow-x00", "false"]
                options += ["--exclude-operation-id", STREAM, choice, "Reviews"]
                options += [option for header in headers for option in ("--header", header)]
                command = [tool, "run", DOCUMENT, "--url", base, *options]
                failed |= subprocess.run([str(word) for word in command], cwd=folder).returncode != 0
    sys.exit(failed)


if __name__ == "__main__":
    main(*sys.argv[1:])
