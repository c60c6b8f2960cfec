"""The chart as the tests see it: rendered objects, and the tools they are checked with."""

import functools
import json
import pathlib
import re
import shutil
import subprocess
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "kira-users"
TOOLS = ROOT / "target" / "ci-tools"
PROGRAM = ROOT / "target" / "debug" / "kira-users"
HELM = TOOLS / "node_modules" / ".bin" / "helm"
NAMESPACE = "onboarding"
RELEASE = "users"
WORKLOADS = {"Deployment", "Job", "Pod"}


class Refused(Exception):
    """Helm did not render the values; the text is its error."""


def run(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)


def render(values, kube="1.33.0", chart=CHART):
    """The objects of the values."""
    return [document for document in yaml.load_all(rendered(json.dumps(values), kube, chart), Loader=yaml.CSafeLoader) if document]


@functools.cache
def rendered(values, kube, chart):
    """What Helm prints."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(values)
        file.flush()
        done = run(
            HELM, "template", RELEASE, chart, "--namespace", NAMESPACE, "--values", file.name, "--kube-version", kube
        )
    if done.returncode != 0:
        raise Refused(done.stderr + done.stdout)
    return done.stdout


def notes(values):
    """What is shown after an install. Helm shows it where there is a cluster; so it is rendered as an object here."""
    with tempfile.TemporaryDirectory() as folder:
        chart = pathlib.Path(shutil.copytree(CHART, pathlib.Path(folder) / "chart"))
        text = (chart / "templates" / "NOTES.txt").read_text()
        (chart / "templates" / "NOTES.txt").unlink()
        wrapped = '{{- define "notes" -}}' + text + '{{- end -}}\nkind: Notes\ntext: {{ include "notes" . | toJson }}\n'
        (chart / "templates" / "notes.yaml").write_text(wrapped)
        return of_kind(render(values, chart=chart), "Notes")[0]["text"]


def of_kind(objects, *kinds):
    return [it for it in objects if it["kind"] in kinds]


def named(objects, kind, name):
    [found] = [it for it in of_kind(objects, kind) if it["metadata"]["name"] == name]
    return found


def template_of(workload):
    """The metadata and spec of the pods that the object makes."""
    return workload if workload["kind"] == "Pod" else workload["spec"]["template"]


def workloads(objects):
    return of_kind(objects, *WORKLOADS)


def containers(workload):
    spec = template_of(workload)["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]


def main_container(workload):
    """The container that serves or works, beside init containers and sidecars."""
    [found] = [it for it in template_of(workload)["spec"]["containers"] if it["name"] == "kira-users"]
    return found


def labels_of(workload):
    return template_of(workload)["metadata"]["labels"]


def matches(selector, labels):
    return all(labels.get(key) == value for key, value in selector.items())


def component(workload):
    return labels_of(workload)["app.kubernetes.io/component"]


def environment(container):
    """The program's settings in a container."""
    given = {it["name"]: it["value"] for it in container.get("env", []) if "value" in it}
    return {name: value for name, value in given.items() if name.startswith("KIRA_")}


def config_file(workload):
    """The file that KIRA_CONFIG names, as the pods of the object mount it; None without one."""
    template = template_of(workload)
    for volume in template["spec"].get("volumes", []):
        if volume["name"] == "config":
            [item] = volume["downwardAPI"]["items"]
            annotation = re.fullmatch(r"metadata\.annotations\['(.+)'\]", item["fieldRef"]["fieldPath"])[1]
            return template["metadata"]["annotations"][annotation]
    return None


def settings():
    """The settings of the program, from the table that it is built with."""
    table = (ROOT / "src" / "config" / "table.rs").read_text()
    table = table.split("pub const SETTINGS", 1)[1].split("\n];", 1)[0]
    return set(re.findall(r'"(KIRA_[A-Z_]+)"', table))
