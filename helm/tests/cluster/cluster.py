"""A Kubernetes API server with its controllers, and Helm against it. There is no kubelet: pods are made and never run."""

import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request

import yaml

from chart import CHART, HELM

CACHE = pathlib.Path(os.environ.get("KIRA_KUBE") or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "kira-kube")).expanduser()
BINARIES = {name: CACHE / "bin" / name for name in ("etcd", "kube-apiserver", "kube-controller-manager")}
TOKEN = "token-of-the-tests"
# Kinds by the path of their API.
KINDS = {
    "Deployment": "apis/apps/v1", "HorizontalPodAutoscaler": "apis/autoscaling/v1", "Ingress": "apis/networking.k8s.io/v1",
    "Job": "apis/batch/v1", "NetworkPolicy": "apis/networking.k8s.io/v1", "PersistentVolumeClaim": "api/v1", "Pod": "api/v1",
    "PodDisruptionBudget": "apis/policy/v1beta1", "ReplicaSet": "apis/apps/v1", "Secret": "api/v1", "Service": "api/v1",
    "ServiceAccount": "api/v1", "ConfigMap": "api/v1",
}


def missing():
    """The binaries that are not there."""
    return [name for name, file in BINARIES.items() if not os.access(file, os.X_OK)]


def free_ports(count):
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def plural(kind):
    return "networkpolicies" if kind == "NetworkPolicy" else kind.lower() + ("es" if kind.endswith("s") else "s")


class Cluster:
    """The processes, for the life of the tests."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.processes = []
        client, peer, self.port = free_ports(3)
        subprocess.run(["openssl", "genrsa", "-out", self.folder / "sa.key", "2048"], check=True, capture_output=True)
        (self.folder / "tokens.csv").write_text(f'{TOKEN},admin,admin,"system:masters"\n')
        self.kubeconfig = self.folder / "kubeconfig"
        self.kubeconfig.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "tests",
            "clusters": [{"name": "tests", "cluster": {"server": f"https://127.0.0.1:{self.port}", "insecure-skip-tls-verify": True}}],
            "users": [{"name": "admin", "user": {"token": TOKEN}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "admin"}}],
        }))
        self.kubeconfig.chmod(0o600)
        etcd, peers = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
        self.start(
            "etcd", "--data-dir", self.folder / "etcd", "--unsafe-no-fsync",
            "--listen-client-urls", etcd, "--advertise-client-urls", etcd,
            "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", f"default={peers}",
        )
        self.start(
            "kube-apiserver", "--etcd-servers", etcd, "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1",
            "--secure-port", self.port, "--cert-dir", self.folder / "certs", "--token-auth-file", self.folder / "tokens.csv",
            "--service-account-key-file", self.folder / "sa.key", "--service-account-signing-key-file", self.folder / "sa.key",
            "--service-account-issuer", "https://kubernetes.default.svc", "--service-cluster-ip-range", "10.0.0.0/20",
            "--authorization-mode", "RBAC", "--disable-admission-plugins", "ServiceAccount", "--endpoint-reconciler-type", "none",
        )
        self.await_true(lambda: self.request("readyz") == "ok", "the API server is ready")
        self.start(
            "kube-controller-manager", "--kubeconfig", self.kubeconfig, "--port", "0", "--bind-address", "127.0.0.1",
            "--service-account-private-key-file", self.folder / "sa.key", "--controllers", "*,-nodeipam,-nodelifecycle",
        )
        self.await_true(lambda: self.request("api/v1/namespaces/default"), "the namespace `default` is there")

    def start(self, name, *arguments):
        log = open(self.folder / f"{name}.log", "wb")
        command = [str(part) for part in (BINARIES[name], *arguments)]
        # etcd refuses some processors unless it is named them, and reads no other variable here.
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "ETCD_UNSUPPORTED_ARCH": os.uname().machine}
        self.processes.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=self.folder))

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()

    def await_true(self, condition, what):
        for _ in range(1200):
            if condition():
                return
            assert all(process.poll() is None for process in self.processes), f"a process ended: see {self.folder}"
            time.sleep(0.1)
        raise AssertionError(f"it does not become true that {what}")

    def request(self, path, method="GET", body=None, content_type="application/json"):
        """The answer; None where there is none or it is `not found`."""
        request = urllib.request.Request(f"https://127.0.0.1:{self.port}/{path}", method=method)
        request.add_header("Authorization", f"Bearer {TOKEN}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", content_type)
        try:
            context = ssl._create_unverified_context()
            with urllib.request.urlopen(request, context=context, timeout=30) as answer:
                text = answer.read().decode()
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            text = error.read().decode()
            if method == "GET":
                return None
            raise AssertionError(f"{method} {path}: {text}") from error
        except (urllib.error.URLError, OSError):
            return None
        return json.loads(text) if text.startswith("{") else text


class Namespace:
    """One namespace, with Helm in it."""

    def __init__(self, cluster, name, chart):
        self.cluster, self.name, self.chart = cluster, name, chart
        cluster.request("api/v1/namespaces", "POST", {"metadata": {"name": name}})

    def helm(self, *arguments, values=None, fails=False):
        """Runs Helm; what it prints."""
        command = [str(part) for part in (HELM, *arguments, "--namespace", self.name, "--kubeconfig", self.cluster.kubeconfig)]
        text = None
        if values is not None:
            command += ["--values", "-"]
            text = json.dumps(values)
        # Its caches stay in the folder of the tests.
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.cluster.folder)}
        done = subprocess.run(command, input=text, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def install(self, values, release="users", **options):
        return self.helm("install", release, self.chart, values=values, **options)

    def upgrade(self, values, *more, release="users", **options):
        return self.helm("upgrade", release, self.chart, *more, values=values, **options)

    def rollback(self, revision, release="users", **options):
        return self.helm("rollback", release, str(revision), **options)

    def status(self, release="users"):
        return json.loads(self.helm("status", release, "--output", "json"))["info"]["status"]

    def all(self, kind):
        """The objects of a kind, by name; without those that Kubernetes makes in each namespace."""
        found = self.cluster.request(f"{KINDS[kind]}/namespaces/{self.name}/{plural(kind)}")["items"]
        made = {"default", "kube-root-ca.crt"}
        return {
            it["metadata"]["name"]: it for it in found
            if it["metadata"]["name"] not in made and not it["metadata"]["name"].startswith(("default-token-", "sh.helm."))
        }

    def one(self, kind, name):
        return self.all(kind)[name]

    def scale(self, deployment, replicas):
        path = f"{KINDS['Deployment']}/namespaces/{self.name}/deployments/{deployment}/scale"
        self.cluster.request(path, "PATCH", {"spec": {"replicas": replicas}}, "application/merge-patch+json")

    def replicas(self, deployment):
        return self.one("Deployment", deployment)["spec"]["replicas"]

    def await_none(self, *kinds):
        """Until the garbage collector has removed what belonged to what was removed."""
        self.cluster.await_true(lambda: not any(self.all(kind) for kind in kinds), f"no {kinds} is left")


def chart_for(folder, name="chart"):
    """A copy of the chart for a Kubernetes that is older than the chart's oldest: with the API versions that it serves."""
    copy = pathlib.Path(shutil.copytree(CHART, pathlib.Path(folder) / name))
    changes = {
        "Chart.yaml": [(r"kubeVersion: .*\n", "")],
        "templates/autoscaling.yaml": [("autoscaling/v2", "autoscaling/v2beta2")],
        "templates/disruption.yaml": [("policy/v1", "policy/v1beta1"), (r" *unhealthyPodEvictionPolicy: .*\n", "")],
        "templates/_pod.tpl": [(r' "matchLabelKeys" \(list "pod-template-hash"\)', "")],
    }
    for file, replacements in changes.items():
        text = (copy / file).read_text()
        for pattern, replacement in replacements:
            text, count = re.subn(pattern, replacement, text)
            assert count, (file, pattern)
        (copy / file).write_text(text)
    return copy
