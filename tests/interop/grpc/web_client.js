// Calls a running service over gRPC-Web: connect-es by the published descriptors (binary), and grpc-web (base64).
// node web_client.js HOST:PORT REST_URL ORIGIN API_KEY TOKEN
"use strict";

const assert = require("node:assert");
const { Code, ConnectError, createClient } = require("@connectrpc/connect");
const { createGrpcWebTransport } = require("@connectrpc/connect-web");
const { loadFileDescriptorSetFromBuffer } = require("@grpc/proto-loader");
const { create, createFileRegistry, fromBinary, toBinary } = require("@bufbuild/protobuf");
const { FileDescriptorSetSchema } = require("@bufbuild/protobuf/wkt");
// grpc-web is for browsers; this is what it expects of them.
globalThis.XMLHttpRequest = require("xhr2");
const { GrpcWebClientBase, MethodDescriptor, MethodType } = require("grpc-web");

const [address, rest, origin, apiKey, token] = process.argv.slice(2);
const baseUrl = `http://${address}`;
const credentials = { "x-api-key": apiKey, authorization: `Bearer ${token}` };

// What a browser does before a page may call: the preflight must allow all that connect-es sends.
async function preflight() {
  const response = await fetch(`${baseUrl}/kira.users.v1.UsersService/GetUser`, {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,content-type,grpc-timeout,x-api-key,x-grpc-web,x-user-agent",
    },
  });
  assert.equal(response.headers.get("access-control-allow-origin"), origin);
  const allowed = response.headers.get("access-control-allow-headers").toLowerCase().split(",");
  for (const name of ["authorization", "content-type", "grpc-timeout", "x-api-key", "x-grpc-web", "x-user-agent"]) {
    assert(allowed.includes(name), name);
  }
}

async function binary(registry) {
  const transport = createGrpcWebTransport({ baseUrl });
  const service = (name) => createClient(registry.getService(`kira.users.v1.${name}`), transport);
  const users = service("UsersService");
  const options = { headers: credentials, timeoutMs: 60_000 };
  const individual = { email: "web@example.com", firstName: "Web", lastName: "Client" };
  let headers;
  const { user } = await users.createUser(
    { user: { case: "individual", value: individual } },
    {
      ...options,
      headers: { ...credentials, "idempotency-key": crypto.randomUUID() },
      onHeader: (received) => (headers = received),
    },
  );
  assert(headers.get("x-request-id"));
  const read = await users.getUser({ userId: user.id }, options);
  assert.equal(read.user.id, user.id);

  const wrong = await users.getUser({ userId: "1" }, options).catch((error) => error);
  assert(wrong instanceof ConnectError, wrong);
  assert.equal(wrong.code, Code.InvalidArgument);
  assert(wrong.details.some(({ type }) => type === "google.rpc.BadRequest"), "the details come as trailers");
  const stranger = await users.getUser({ userId: user.id }).catch((error) => error);
  assert.equal(stranger.code, Code.Unauthenticated);

  // A stream of the server: the first event, and then the client leaves.
  const cursor = "00000000-0000-0000-0000-000000000000";
  for await (const { event } of service("EventsService").watchEvents({ cursor }, options)) {
    assert(event.data.eventId);
    break;
  }
  return user.id;
}

function text(registry, userId) {
  const { input, output } = registry.getService("kira.users.v1.UsersService").method.getUser;
  const method = new MethodDescriptor(
    "/kira.users.v1.UsersService/GetUser",
    MethodType.UNARY,
    Object,
    Object,
    (message) => toBinary(input, create(input, message)),
    (bytes) => fromBinary(output, bytes),
  );
  const client = new GrpcWebClientBase({ format: "text" });
  const url = `${baseUrl}${method.getName()}`;
  return Promise.all([
    client.unaryCall(url, { userId }, credentials, method).then(({ user }) => assert.equal(user.id, userId)),
    client.unaryCall(url, { userId: "1" }, credentials, method).then(
      () => assert.fail("not an id"),
      (error) => assert.equal(error.code, Code.InvalidArgument),
    ),
  ]);
}

async function main() {
  const published = new Uint8Array(await (await fetch(`${rest}/descriptors.binpb`)).arrayBuffer());
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, published));
  assert("kira.users.v1.UsersService" in loadFileDescriptorSetFromBuffer(Buffer.from(published)));
  await preflight();
  await text(registry, await binary(registry));
  console.log("connect-es and grpc-web call over gRPC-Web, by the published descriptors");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
