"""The notes end in a call that works: they are run, with the real program behind a stand-in for kubectl."""

import os
import re
import socket
import stat
import subprocess
import time

import pytest

from chart import ROOT, NAMESPACE, notes, of_kind, render
from modes import MODES

PROGRAM = ROOT / "target" / "debug" / "kira-users"
# `exec` runs the program with the pod's settings, `port-forward` has nothing to do: the program listens where it would.
KUBECTL = """#!/bin/sh
case "$*" in
  *" rollout status "*) exit 0 ;;
  *" exec "*) while [ "$1" != -- ]; do shift; done; shift 2; exec "$PROGRAM" "$@" ;;
  *" port-forward "*) exec sleep 60 ;;
esac
exit 1
"""


def commands(text):
    return text[text.index("kubectl "):]


@pytest.mark.parametrize("mode", MODES)
def test_the_commands_of_the_notes_are_a_shell_script(mode):
    script = commands(notes(MODES[mode]))
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
    assert NAMESPACE in script and f"{'https' if MODES[mode].get('tls') else 'http'}://127.0.0.1:8080/v1/users" in script


def test_the_notes_tell_what_is_dangerous():
    assert "a restart loses all users" in notes(MODES["sqlite without a volume"])
    assert "/var/lib/kira/master.keys" in notes(MODES["sqlite"])
    assert "verifies everybody" in notes(MODES["sqlite"])
    assert "prints its credentials to the pod's log" in notes(MODES["sqlite"])
    assert "credentials to the pod's log" not in notes(MODES["sqlite with secrets"])
    assert "verifies everybody" not in notes(MODES["postgres"])
    assert "networkPolicy.ingress.grpc.from" in notes(MODES["Gateway API"])


def test_the_notes_end_in_a_working_call(tmp_path):
    """The program runs with the ConfigMap of the chart; only folders and ports are this machine's."""
    [config] = of_kind(render(MODES["sqlite"]), "ConfigMap")
    local = free_addresses("KIRA_HTTP_ADDR", "KIRA_GRPC_ADDR", "KIRA_ADMIN_ADDR")
    settings = {**config["data"], **local, "KIRA_DATA_DIR": str(tmp_path / "data")}
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PROGRAM": str(PROGRAM), **settings}
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(KUBECTL)
    kubectl.chmod(kubectl.stat().st_mode | stat.S_IXUSR)
    script = commands(notes(MODES["sqlite"])).replace("127.0.0.1:8080", local["KIRA_HTTP_ADDR"])
    with open(tmp_path / "log", "w") as log, subprocess.Popen([PROGRAM], env=environment, stdout=log, stderr=log) as program:
        try:
            await_ready(environment, program)
            done = subprocess.run(["bash", "-eu"], input=script, env=environment, text=True, capture_output=True, timeout=60)
        finally:
            program.terminate()
    assert done.stdout.startswith("HTTP/1.1 201 Created"), done.stdout + done.stderr + (tmp_path / "log").read_text()
    assert re.search(r'"email":"john@example.com"', done.stdout)


def free_addresses(*names):
    listeners = {name: socket.create_server(("127.0.0.1", 0)) for name in names}
    found = {name: f"127.0.0.1:{listener.getsockname()[1]}" for name, listener in listeners.items()}
    for listener in listeners.values():
        listener.close()
    return found


def await_ready(environment, program):
    for _ in range(300):
        done = subprocess.run([PROGRAM, "healthcheck"], env=environment, capture_output=True, check=False)
        if done.returncode == 0:
            return
        assert program.poll() is None, "the program ended"
        time.sleep(0.1)
    raise AssertionError("the program is not ready")
