"""The clients in `clients/`, those of REST made from docs/openapi.json, tested against the real program:
`python clients.py PATH_OF_KIRA_USERS NODE_MODULES`.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from webhooks import DEADLINE, program

CLIENTS = pathlib.Path(__file__).resolve().parents[2] / "clients"


def run(*command, **options):
    subprocess.run([str(word) for word in command], check=True, timeout=4 * DEADLINE, **options)


def onboards(*command, **options):
    """Runs an example, which creates a business and verifies a webhook about it."""
    words = [str(word) for word in command]
    shown = subprocess.run(words, check=True, timeout=DEADLINE, capture_output=True, text=True, **options).stdout
    assert "created " in shown and "it needs" in shown and "verified user.created" in shown, shown


def typescript(folder, node_modules, environment):
    client = folder / "typescript"
    made = shutil.ignore_patterns("node_modules", "dist", "schema.ts", "*.js")
    shutil.copytree(CLIENTS / "typescript", client, ignore=made)
    (client / "node_modules").symlink_to(node_modules)
    tools = node_modules / ".bin"
    run(tools / "openapi-typescript", CLIENTS.parent / "docs/openapi.json", "-o", "src/schema.ts", cwd=client)
    run(tools / "tsc", cwd=client)
    run(tools / "tsc", "-p", "test", cwd=client)
    run("node", "--test", "test/service.test.js", cwd=client, env=environment)
    run(tools / "tsc", "-p", "examples", cwd=client)
    onboards("node", "examples/onboard.js", cwd=client, env=environment)


def python(folder, environment):
    generator = pathlib.Path(sys.executable).with_name("openapi-python-client")
    generated = folder / "python"
    generated.mkdir()
    run(CLIENTS / "python/generate", generated, env=os.environ | {"GENERATOR": str(generator)})
    paths = f"{generated}:{CLIENTS / 'python'}"
    options = {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
    run(sys.executable, "-m", "unittest", "discover", "-s", CLIENTS / "python/tests", env=environment | options)
    onboards(sys.executable, CLIENTS / "python/examples/onboard.py", env=environment | options)


def rust(path, environment):
    """The example is built beside the program; the tests of the client are in tests/it/rust_client."""
    example = pathlib.Path(path).resolve().parent / "examples/onboard"
    shown = subprocess.run([example], check=True, timeout=DEADLINE, env=environment, capture_output=True, text=True).stdout
    assert "USER_STATUS_CREATED" in shown and "EVENT_TYPE_USER_CREATED" in shown, shown


def main(path, node_modules):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        with program(path, folder) as (_, credentials, base):
            client = {f"KIRA_{name.upper()}": credentials[name] for name in ("client_id", "password", "api_key")}
            environment = os.environ | client | {"KIRA_URL": base}
            typescript(folder, pathlib.Path(node_modules).resolve(), environment)
            python(folder, environment)
            lines = [line for line in (folder / "log").read_text().splitlines() if line.startswith("{")]
            grpc = next(entry["grpc"] for entry in map(json.loads, lines) if entry.get("message") == "ready")
            rust(path, environment | {"KIRA_GRPC_URL": f"http://{grpc}"})


if __name__ == "__main__":
    main(*sys.argv[1:])
