"""The documentation page of the real program in Chromium: `python docs_page.py PATH_OF_KIRA_USERS NODE_MODULES [SCREENSHOTS]`."""

import os
import pathlib
import subprocess
import sys
import tempfile

from webhooks import DEADLINE, program

PAGE = pathlib.Path(__file__).resolve().parent / "docs/page.js"


def main(path, node_modules, *screenshots):
    with tempfile.TemporaryDirectory() as folder, program(path, pathlib.Path(folder)) as (_, credentials, base):
        client = {name.upper(): credentials[name] for name in ("client_id", "password", "api_key")}
        environment = os.environ | client | {"NODE_PATH": node_modules}
        subprocess.run(["node", str(PAGE), base, *screenshots], check=True, env=environment, timeout=2 * DEADLINE)


if __name__ == "__main__":
    main(*sys.argv[1:])
