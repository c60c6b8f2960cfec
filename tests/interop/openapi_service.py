"""Schemathesis against the real program: `python openapi_service.py PATH_OF_KIRA_USERS [EXAMPLES]`.

Requests are made from docs/openapi.json, good ones and bad ones. No answer may be a 5xx, have a status, media type, header
or body that the document does not have, or accept credentials that are none. Not asked for is what no schema can say: whether a
good request is accepted depends on what is stored, and on `Prefer: handling=strict`.
"""

import pathlib
import subprocess
import sys
import tempfile

from webhooks import Client, program

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
# A call that answers until the service stops.
STREAM = "watchEvents"


def main(path, examples="10"):
    tool = pathlib.Path(sys.executable).with_name("schemathesis")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        with program(path, folder) as (run, credentials, base):
            reviewer = run("client", "create", "--name", "reviewer", "--role", "reviewer", "--json")
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
