"""The notes end in a call that works: they are run, with the real program behind a stand-in for kubectl."""

import os
import pathlib
import re
import socket
import stat
import subprocess
import time
import urllib.request

import pytest

from chart import NAMESPACE, PROGRAM, notes, of_kind, render
from modes import MODES

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


@pytest.fixture(scope="module")
def pod(tmp_path_factory):
    """The program with the ConfigMap of the chart; only folders and ports are this machine's."""
    folder = tmp_path_factory.mktemp("pod")
    [config] = of_kind(render(MODES["sqlite"]), "ConfigMap")
    local = free_addresses("KIRA_HTTP_ADDR", "KIRA_GRPC_ADDR", "KIRA_ADMIN_ADDR")
    settings = {**config["data"], **local, "KIRA_DATA_DIR": str(folder / "data")}
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "PROGRAM": str(PROGRAM), **settings}
    kubectl = folder / "kubectl"
    kubectl.write_text(KUBECTL)
    kubectl.chmod(kubectl.stat().st_mode | stat.S_IXUSR)
    with open(folder / "log", "w") as log, subprocess.Popen([PROGRAM], env=environment, stdout=log, stderr=log) as program:
        try:
            await_ready(environment, program)
            yield environment
        finally:
            program.terminate()


def test_the_notes_end_in_a_working_call(pod):
    script = commands(notes(MODES["sqlite"])).replace("127.0.0.1:8080", pod["KIRA_HTTP_ADDR"])
    done = subprocess.run(["bash", "-eu"], input=script, env=pod, text=True, capture_output=True, timeout=60, check=False)
    assert done.stdout.startswith("HTTP/1.1 201 Created"), done.stdout + done.stderr
    assert re.search(r'"email":"john@example.com"', done.stdout)


def test_the_call_of_helm_test_is_answered(pod):
    [test] = of_kind(render(MODES["sqlite"]), "Pod")
    *words, url = test["spec"]["containers"][0]["args"]
    path = url.split("/", 3)[3]
    done = subprocess.run([PROGRAM, *words, f"http://{pod['KIRA_HTTP_ADDR']}/{path}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_probes_are_answered(pod):
    [api] = of_kind(render(MODES["sqlite"]), "Deployment")
    [container] = api["spec"]["template"]["spec"]["containers"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        with urllib.request.urlopen(f"http://{pod['KIRA_ADMIN_ADDR']}{container[probe]['httpGet']['path']}") as answer:
            assert answer.status == 200


def test_the_program_shows_the_metrics_of_the_list_and_no_others(pod):
    """So alerts and dashboard, which are held against the list, ask for what there is."""
    listed = {}
    for line in (pathlib.Path(__file__).parent / "metrics.txt").read_text().splitlines():
        if not line.startswith("#"):
            kind, name, *labels = line.split()
            listed[name] = (kind, set(labels))
    with urllib.request.urlopen(f"http://{pod['KIRA_ADMIN_ADDR']}/metrics") as answer:
        page = answer.read().decode()
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", page, re.MULTILINE))
    ours = {name: kind for name, kind in kinds.items() if name.startswith(("kira_", "db_")) or name in listed}
    assert len(ours) > 10 and ours == {name: listed.get(name, ("unlisted",))[0] for name in ours}
    for name, labels in re.findall(r"^(\w+)\{(.*)\} \S+$", page, re.MULTILINE):
        base = name if name in listed else re.sub(r"_(bucket|sum|count)$", "", name)
        if base in listed:
            assert set(re.findall(r'(\w+)="', labels)) <= listed[base][1] | {"le"}, name


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
