// Loads every proto with @grpc/proto-loader and calls a running service with grpc-js:
// node node_client.js PROTO_FOLDER [HOST:PORT API_KEY TOKEN]
"use strict";

const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [root, address, apiKey, token] = process.argv.slice(2);
const options = { includeDirs: [root], keepCase: true, longs: String, enums: String, oneofs: true };

const files = fs.readdirSync(root, { recursive: true }).filter((file) => file.endsWith(".proto"));
for (const file of files) {
  try {
    loader.loadSync(file, options);
  } catch (error) {
    throw new Error(`${file}: ${error.message}`);
  }
}
console.log(`${files.length} protos load`);

function call(client, method, request, metadata) {
  return new Promise((resolve, reject) => {
    const deadline = { deadline: Date.now() + 60_000 };
    client[method](request, metadata, deadline, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

async function main() {
  const load = (file) => grpc.loadPackageDefinition(loader.loadSync(file, options)).kira.users.v1;
  const { UsersService } = load("kira/users/v1/users_service.proto");
  const users = new UsersService(address, grpc.credentials.createInsecure());
  const metadata = new grpc.Metadata();
  metadata.set("x-api-key", apiKey);
  metadata.set("authorization", `Bearer ${token}`);
  metadata.set("idempotency-key", crypto.randomUUID());
  const individual = { email: "node@example.com", first_name: "Node", last_name: "Client" };
  const { user } = await call(users, "CreateUser", { individual }, metadata);
  assert.equal(user.first_name ?? user.individual?.first_name, "Node");
  metadata.remove("idempotency-key");
  const read = await call(users, "GetUser", { user_id: user.id }, metadata);
  assert.equal(read.user.id, user.id);
  const wrong = await call(users, "GetUser", { user_id: "1" }, metadata).catch((error) => error);
  assert.equal(wrong.code, grpc.status.INVALID_ARGUMENT);
  users.close();
  console.log("grpc-js creates and reads a user");
}

if (address) {
  main().catch((error) => {
    console.error(error);
    process.exit(1);
  });
}
