"""gRPC clients that are not ours, against the real program: `python grpc_clients.py PATH_OF_KIRA_USERS BUF NODE_MODULES`.

grpcio reads the reflection services of both versions and watches the health of a service; `buf curl` calls by reflection and by
the published descriptors, which grpcio and proto-loader read too;
grpc-js loads every proto and creates a user; connect-es and grpc-web do it over gRPC-Web, by the published descriptors.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from webhooks import DEADLINE, Client, program

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVICES = {"kira.users.v1.UsersService", "kira.users.v1.WebhooksService", "grpc.health.v1.Health"}


def reflection(channel):
    database = ProtoReflectionDescriptorDatabase(channel)
    assert SERVICES <= set(database.get_services()), database.get_services()
    service = DescriptorPool(database).FindServiceByName("kira.users.v1.UsersService")
    assert "CreateUser" in service.methods_by_name
    # The same messages under the path of the other version.
    call = channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        reflection_pb2.ServerReflectionRequest.SerializeToString,
        reflection_pb2.ServerReflectionResponse.FromString,
    )
    answer = next(call(iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=DEADLINE))
    assert SERVICES <= {service.name for service in answer.list_services_response.service}


def health(channel):
    stub = health_pb2_grpc.HealthStub(channel)
    for name, expected in [("kira.users.v1.UsersService", "SERVING"), ("unknown", "SERVICE_UNKNOWN")]:
        watch = stub.Watch(health_pb2.HealthCheckRequest(service=name), timeout=DEADLINE)
        status = health_pb2.HealthCheckResponse.ServingStatus.Name(next(watch).status)
        assert status == expected, f"{name}: {status}"
        watch.cancel()


def descriptors(folder, base, address, credentials, buf):
    """The published descriptors are enough for grpcio, and for buf to call."""
    with urllib.request.urlopen(f"{base}/descriptors.binpb", timeout=DEADLINE) as answer:
        published = answer.read()
    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(published).file:
        pool.Add(file)
    assert "CreateUser" in pool.FindServiceByName("kira.users.v1.UsersService").methods_by_name
    (folder / "kira.binpb").write_bytes(published)
    data = json.dumps({name: credentials[name] for name in ("api_key", "client_id", "password")})
    options = ["--schema", "kira.binpb", "--protocol", "grpc", "--http2-prior-knowledge", "--data", data]
    method = f"http://{address}/kira.users.v1.AuthService/CreateToken"
    called = subprocess.run([buf, "curl", *options, method], check=True, capture_output=True, timeout=DEADLINE, cwd=folder)
    assert json.loads(called.stdout)["data"]["accessToken"], "a token"


def main(path, buf, node_modules):
    scripts = ROOT / "tests/interop/grpc"
    origin = "https://app.example.com"
    environment = os.environ | {"NODE_PATH": node_modules}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        with program(path, folder, KIRA_CORS_ORIGINS=origin) as (_, credentials, base):
            lines = [line for line in (folder / "log").read_text().splitlines() if line.startswith("{")]
            address = next(entry["grpc"] for entry in map(json.loads, lines) if entry.get("message") == "ready")
            with grpc.insecure_channel(address) as channel:
                reflection(channel)
                health(channel)
            method = f"http://{address}/grpc.health.v1.Health/Check"
            options = ["--protocol", "grpc", "--http2-prior-knowledge", "--reflect", "--data", "{}"]
            called = subprocess.run(
                [buf, "curl", *options, method], check=True, capture_output=True, timeout=DEADLINE, cwd=folder
            )
            assert json.loads(called.stdout) == {"status": "SERVING"}, called.stdout
            descriptors(folder, base, address, credentials, buf)
            client = Client(base, credentials)
            token = client.headers["authorization"].removeprefix("Bearer ")
            identity = [credentials["api_key"], token]
            for node in (
                [str(scripts / "node_client.js"), str(ROOT / "proto"), address],
                [str(scripts / "web_client.js"), address, base, origin],
            ):
                subprocess.run(["node", *node, *identity], check=True, env=environment, timeout=DEADLINE)
    print("grpcio, buf and grpc-js find the services and call them")


if __name__ == "__main__":
    main(*sys.argv[1:])
