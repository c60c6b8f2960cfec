// Against the service at KIRA_URL.
import assert from "node:assert/strict";
import { type ServerResponse, createServer } from "node:http";
import { test } from "node:test";
import { KiraError, type Options, type UserEvent, createClient, listEvents, unwrap, verifyWebhook } from "../dist/index.js";

function env(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

const options = { baseUrl: env("KIRA_URL"), clientId: env("KIRA_CLIENT_ID"), password: env("KIRA_PASSWORD"), apiKey: env("KIRA_API_KEY") };
const kira = createClient(options);
const key = () => ({ header: { "idempotency-key": crypto.randomUUID() } });
const file = (type: "front" | "file_proof_of_address") => ({ type, file: "data:application/pdf;base64,JVBERi0xLjQK" });

test("a business with persons and files is created, changed and listed", async () => {
  const created = await unwrap(kira.POST("/v1/users", {
    params: key(),
    body: {
      type: "business", email: "ann@example.com", business_legal_name: "Ann Ltd", address_country: "GBR",
      associated_persons: [{
        first_name: "Ann", last_name: "Lee", ownership_percentage: 100,
        identifying_information: [{ type: "passport", issuing_country: "GBR", number: "1", documents: [file("front")] }],
      }],
      identifying_information: [{ type: "proof_of_address", issuing_country: "GBR", documents: [file("file_proof_of_address")] }],
    },
  }));
  assert.equal(created.type, "business");
  assert.equal(created.associated_persons?.[0]?.identifying_information?.[0]?.documents?.[0]?.media_type, "application/pdf");
  const path = { user_id: created.id };
  const changed = await unwrap(kira.PATCH("/v1/users/{user_id}", { params: { path }, body: { phone: "+442071838750" } }));
  assert.deepEqual(changed.updated_fields, ["phone"]);
  const events: UserEvent[] = [];
  for await (const event of listEvents(kira, { user_id: created.id, limit: 1 })) events.push(event);
  assert.deepEqual(events.map(({ event }) => event), ["user.created", "user.updated"]);
});

test("an error has its code, its problems and the id of the request", async () => {
  const path = { user_id: crypto.randomUUID() };
  const missing = unwrap(kira.GET("/v1/users/{user_id}", { params: { path } }));
  await assert.rejects(missing, (error: KiraError) => error.status === 404 && error.code === "not_found" && error.requestId !== null);
  const wrong = unwrap(kira.POST("/v1/users", { params: key(), body: { type: "individual", email: "x", first_name: "A", last_name: "B" } }));
  await assert.rejects(wrong, (error: KiraError) => error.problems[0]?.path === "email" && error.problems[0].code === "invalid_string");
  const stranger = createClient({ ...options, password: "wrong" });
  await assert.rejects(unwrap(stranger.GET("/v1/events")), (error: KiraError) => error.status === 401);
});

test("a request whose answer is lost, late or HTML is repeated with the same key and makes one user", async () => {
  const keys = new Set<string | null>();
  let calls = 0;
  const unsteady: typeof fetch = async (input, init) => {
    const answer = await fetch(input, init);
    if (String(input).endsWith("/auth")) return answer;
    keys.add(new Headers(init?.headers).get("idempotency-key"));
    calls += 1;
    if (calls === 1) throw new TypeError("the connection is lost");
    if (calls === 2) return new Response("<html>", { status: 503, headers: { "retry-after": "7" } });
    return answer;
  };
  const waits: number[] = [];
  const sleep = (milliseconds: number) => { waits.push(milliseconds); return Promise.resolve(); };
  const client = createClient({ ...options, fetch: unsteady, sleep });
  const body = { type: "individual", email: "bob@example.com", first_name: "Bob", last_name: "Ray" } as const;
  const { response } = await client.POST("/v1/users", { params: key(), body });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("idempotent-replayed"), "true");
  assert.deepEqual([keys.size, waits.length, waits[1]], [1, 2, 7000]);
});

/** A client by way of a server that puts something else in the place of the first answers of the service. */
async function behind(instead: ((response: ServerResponse) => void)[], more: Partial<Options> = {}) {
  const paths: string[] = [];
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const path = request.url ?? "/";
    paths.push(path);
    const names = ["authorization", "content-type", "idempotency-key", "x-api-key"];
    const headers = names.flatMap((name) => (request.headers[name] === undefined ? [] : [[name, String(request.headers[name])] as [string, string]]));
    const init = { method: request.method ?? "GET", headers };
    const answer = await fetch(`${options.baseUrl}${path}`, parts.length === 0 ? init : { ...init, body: Buffer.concat(parts) });
    const body = Buffer.from(await answer.arrayBuffer());
    const other = path === "/auth" ? undefined : instead.shift();
    if (other !== undefined) return other(response);
    const kept = ["content-type", "idempotent-replayed"].flatMap((name) => (answer.headers.has(name) ? [[name, String(answer.headers.get(name))]] : []));
    response.writeHead(answer.status, Object.fromEntries(kept)).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert(typeof address === "object" && address !== null);
  const baseUrl = `http://127.0.0.1:${address.port}`;
  const client = createClient({ ...options, baseUrl, sleep: () => Promise.resolve(), ...more });
  const end = () => { server.closeAllConnections(); server.close(); };
  return { client, paths, end };
}

const body = { type: "individual", email: "eve@example.com", first_name: "Eve", last_name: "Day" } as const;

test("a server that dies in the middle of its answer is asked again, and makes one user", async () => {
  const die = (response: ServerResponse) => {
    response.writeHead(201, { "content-type": "application/json", "content-length": "1000" });
    response.write('{"id":', () => response.destroy());
  };
  const { client, end } = await behind([die]);
  const { data, response } = await client.POST("/v1/users", { params: key(), body });
  end();
  assert.deepEqual([response.status, response.headers.get("idempotent-replayed"), data?.email], [200, "true", body.email]);
});

test("a server that does not answer in time is asked again, and given up in the end", async () => {
  const silent = () => {};
  const slow = await behind([silent], { timeout: 5_000 });
  const { response } = await slow.client.POST("/v1/users", { params: key(), body });
  slow.end();
  assert.equal(response.headers.get("idempotent-replayed"), "true");
  const gone = await behind([silent, silent], { timeout: 1_000, maxRetries: 1 });
  await assert.rejects(gone.client.GET("/v1/events"), /in time/);
  gone.end();
});

test("a page in the place of an answer is an error with its status", async () => {
  const page = (response: ServerResponse) => { response.writeHead(200, { "content-type": "text/html" }).end("<html>Log in</html>"); };
  const { client, end } = await behind([page]);
  await assert.rejects(unwrap(client.GET("/v1/events")), (error: KiraError) => error.code === "unknown" && error.status === 200);
  end();
});

test("a token that the service no longer takes, since its key was replaced, is renewed", async () => {
  const replaced = (response: ServerResponse) => {
    response.writeHead(401, { "content-type": "application/json" }).end('{"code":"unauthorized","message":"Invalid token"}');
  };
  const { client, paths, end } = await behind([replaced]);
  const { response } = await client.GET("/v1/events");
  end();
  assert.deepEqual([response.status, paths], [200, ["/auth", "/v1/events", "/auth", "/v1/events"]]);
});

test("an answer that is not the service's is an error and not a crash", async () => {
  const fake = async () => new Response("<html>busy</html>", { status: 502 });
  await assert.rejects(unwrap(createClient({ ...options, fetch: fake }).GET("/v1/events")), (error: KiraError) => error.code === "unknown");
});

test("a webhook of the service is verified, and a changed one is not", async () => {
  const arrived = new Promise<{ headers: Headers; body: string }>((resolve) => {
    const server = createServer((request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (part: string) => { body += part; }).on("end", () => {
        response.writeHead(204).end();
        server.close();
        resolve({ headers: new Headers(request.headers as Record<string, string>), body });
      });
    });
    server.listen(0, "127.0.0.1", async () => {
      const address = server.address();
      assert(typeof address === "object" && address !== null);
      const { endpoint } = await unwrap(kira.POST("/v1/webhooks/endpoints", { body: { url: `http://127.0.0.1:${address.port}/`, secret } }));
      await unwrap(kira.POST("/v1/webhooks/endpoints/{endpoint_id}:test", { params: { path: { endpoint_id: endpoint.id } } }));
    });
  });
  const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const { headers, body } = await arrived;
  assert.equal((await verifyWebhook(secret, headers, body)).event, "webhook.test");
  assert.equal((await verifyWebhook(["another secret, longer", secret], headers, new TextEncoder().encode(body))).event, "webhook.test");
  await assert.rejects(verifyWebhook(secret, headers, `${body} `), /no signature/);
  await assert.rejects(verifyWebhook("another secret, longer", headers, body), /no signature/);
  await assert.rejects(verifyWebhook(secret, headers, body, { now: Date.now() + 600_000 }), /timestamp/);
  headers.delete("webhook-id");
  await assert.rejects(verifyWebhook(secret, headers, body), /missing/);
});
