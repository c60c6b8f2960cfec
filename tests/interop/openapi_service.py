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
import time
import uuid

from webhooks import DEADLINE, Client, individual, program

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs/openapi.json"
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ignored_auth",
    "missing_required_header",
    "use_after_free",
    "ensure_resource_availability",
]
EVERYTHING = {"since": "2026-01-01T00:00:00Z", "delivered_too": True}
# Of each kind: calls remove some.
MANY = 8
# A call that answers until the service stops.
STREAM = "watchEvents"


def stored(client):
    """Ids of what there is of each kind, by the name that they have in paths, so that calls reach more than a 404."""
    passport = {"type": "passport", "issuing_country": "MEX", "number": "G1"}
    tax_id = {"type": "tax_id", "issuing_country": "MEX", "number": "T1"}
    person = {"last_name": "Lee", "identifying_information": [passport, tax_id]}
    business = {
        "type": "business",
        "email": "ann@example.com",
        "business_legal_name": "Ann Ltd",
        "associated_persons": [person | {"first_name": f"Ann {number}"} for number in range(MANY)],
        "identifying_information": [tax_id | {"number": f"T{number}"} for number in range(MANY)],
    }
    user = client.call("POST", "/v1/users", business, **{"idempotency-key": str(uuid.uuid4())})
    persons = user["associated_persons"]
    entries = [user["identifying_information"], *(person["identifying_information"] for person in persons)]
    ids = {
        "user_id": [user["id"]],
        "person_id": [person["id"] for person in persons],
        "identification_id": [entry["id"] for list in entries for entry in list],
    }
    ids |= {name: [] for name in ("endpoint_id", "delivery_id", "replay_id")}
    for number in range(MANY):
        url = f"http://127.0.0.1:40009/{number}"
        endpoint = client.call("POST", "/v1/webhooks/endpoints", {"url": url})["endpoint"]["id"]
        ids["endpoint_id"].append(endpoint)
        ids["delivery_id"].append(client.call("POST", f"/v1/webhooks/endpoints/{endpoint}:test")["delivery_id"])
        ids["replay_id"].append(client.call("POST", f"/v1/webhooks/endpoints/{endpoint}:replay", EVERYTHING)["id"])
    return ids


def waiting(client, reviewer):
    """Ids of reviews that wait for a decision."""
    for number in range(MANY):
        body = individual() | {"last_name": "Doe REVIEW", "external_id": f"review {number}"}
        client.call("POST", "/v1/users", body, **{"idempotency-key": str(uuid.uuid4())})
    for _ in range(DEADLINE * 20):
        reviews = reviewer.call("GET", "/v1/reviews?limit=100")["data"]
        if len(reviews) == MANY:
            return [review["id"] for review in reviews]
        time.sleep(0.05)
    raise RuntimeError("the users are not reviewed")


def main(path, examples="10"):
    tool = pathlib.Path(sys.executable).with_name("schemathesis")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        with program(path, folder) as (run, credentials, base):
            reviewer = run("client", "create", "--name", "reviewer", "--role", "reviewer", "--json")
            client = Client(base, credentials)
            ids = stored(client) | {"review_id": waiting(client, Client(base, reviewer))}
            settings = ["[parameters]"]
            settings += [f'"path.{name}" = {{ dictionary = "{name}", probability = 0.9 }}' for name in ids]
            settings += [f"[dictionaries.{name}]\nvalues = {json.dumps(values)}" for name, values in ids.items()]
            (folder / "schemathesis.toml").write_text("\n".join(settings))
            # There the links of the document supply the ids: what an answer names can be used, until it is removed.
            links = folder / "links"
            links.mkdir()
            each, chains = "examples,coverage,fuzzing", "stateful"
            runs = [
                (credentials, "--exclude-tag", each, folder, examples),
                (credentials, "--exclude-tag", chains, links, str(10 * int(examples))),
                (reviewer, "--include-tag", each, folder, examples),
            ]
            failed = False
            for owner, choice, phases, place, count in runs:
                headers = [f"{name}: {value}" for name, value in Client(base, owner).headers.items()]
                options = ["--checks", ",".join(CHECKS), "--max-examples", count, "--seed", "1", "--no-color"]
                options += ["--phases", phases, "--generation-allow-x00", "false"]
                options += ["--exclude-operation-id", STREAM, choice, "Reviews"]
                options += [option for header in headers for option in ("--header", header)]
                command = [tool, "run", DOCUMENT, "--url", base, *options]
                failed |= subprocess.run([str(word) for word in command], cwd=place).returncode != 0
    sys.exit(failed)


if __name__ == "__main__":
    main(*sys.argv[1:])
