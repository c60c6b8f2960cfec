"""The notes end in a call that works: they are run, with the real program and a fake kubectl."""

import os
import pathlib
import re
import socket
import stat
import subprocess
import time
import urllib.request

import pytest

from chart import NAMESPACE, PROGRAM, containers, environment, notes, of_kind, render
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
    assert "verifies every user" in notes(MODES["sqlite"])
    assert "verifies every user" not in notes(MODES["postgres"])
    assert "networkPolicy.ingress.grpc.from" in notes(MODES["Gateway API"])


@pytest.fixture(scope="module", params=["sqlite", "sqlite with TLS"])
def pod(request, tmp_path_factory):
    """The program with the settings of the API's pod; only folders and ports are this machine's."""
    folder = tmp_path_factory.mktemp("pod")
    objects = render(MODES[request.param])
    [api] = of_kind(objects, "Deployment")
    [container] = containers(api)
    local = free_addresses("KIRA_HTTP_ADDR", "KIRA_GRPC_ADDR", "KIRA_ADMIN_ADDR")
    settings = {**environment(container), **local, "KIRA_DATA_DIR": str(folder / "data")}
    settings = {name: value.replace("/etc/kira", str(folder)) for name, value in settings.items()}
    if "KIRA_HTTP_TLS_CERT" in settings:
        certificate(settings["KIRA_HTTP_TLS_CERT"], settings["KIRA_HTTP_TLS_KEY"])
    settings |= {"PATH": f"{folder}:{os.environ['PATH']}", "PROGRAM": str(PROGRAM)}
    kubectl = folder / "kubectl"
    kubectl.write_text(KUBECTL)
    kubectl.chmod(kubectl.stat().st_mode | stat.S_IXUSR)
    with open(folder / "log", "w") as log, subprocess.Popen([PROGRAM], env=settings, stdout=log, stderr=log) as program:
        try:
            await_ready(settings, program)
            yield Pod(MODES[request.param], objects, settings)
        finally:
            program.terminate()


class Pod:
    """A program that runs as the chart would have it."""

    def __init__(self, values, objects, settings):
        self.values, self.objects, self.settings = values, objects, settings

    def admin(self, path):
        """What the admin port answers."""
        with urllib.request.urlopen(f"http://{self.settings['KIRA_ADMIN_ADDR']}{path}") as answer:
            assert answer.status == 200
            return answer.read().decode()

    def run(self, *command, text=None):
        return subprocess.run(command, input=text, env=self.settings, text=True, capture_output=True, timeout=60, check=False)


def certificate(cert, key):
    pathlib.Path(cert).parent.mkdir(parents=True)
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run([*command, *names, "-keyout", key, "-out", cert], check=True, capture_output=True)


def test_the_notes_end_in_a_working_call(pod):
    script = commands(notes(pod.values)).replace("127.0.0.1:8080", pod.settings["KIRA_HTTP_ADDR"])
    done = pod.run("bash", "-eu", text=script)
    assert re.match(r"HTTP/\S+ 201\b", done.stdout), done.stdout + done.stderr
    assert '"email":"john@example.com"' in done.stdout


def test_the_call_of_helm_test_is_answered(pod):
    [test] = of_kind(pod.objects, "Pod")
    *words, url = containers(test)[0]["args"]
    path = url.split("/", 3)[3]
    protocol = "KIRA_ADMIN_ADDR" if "-admin:" in url else "KIRA_HTTP_ADDR"
    done = pod.run(PROGRAM, *words, f"http://{pod.settings[protocol]}/{path}")
    assert done.returncode == 0, done.stderr


def test_the_probes_are_answered(pod):
    [api] = of_kind(pod.objects, "Deployment")
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        pod.admin(containers(api)[0][probe]["httpGet"]["path"])


def test_the_program_shows_the_metrics_of_the_list_and_no_others(pod):
    """So alerts and dashboard, which are held against the list, ask for what there is."""
    listed = {}
    for line in (pathlib.Path(__file__).parent / "metrics.txt").read_text().splitlines():
        if not line.startswith("#"):
            kind, name, *labels = line.split()
            listed[name] = (kind, set(labels))
    page = pod.admin("/metrics")
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", page, re.MULTILINE))
    ours = {name: kind for name, kind in kinds.items() if name.startswith(("kira_", "db_")) or name in listed}
    assert len(ours) > 10 and ours == {name: listed.get(name, ("unlisted",))[0] for name in ours}
    for name, labels in re.findall(r"^(\w+)\{(.*)\} \S+$", page, re.MULTILINE):
        base = name if name in listed else re.sub(r"_(bucket|sum|count)$", "", name)
        if base in listed:
            assert set(re.findall(r'(\w+)="', labels)) <= listed[base][1] | {"le"}, name
    if pod.values.get("tls"):
        assert "kira_tls_certificate_not_after_timestamp_seconds" in ours


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
