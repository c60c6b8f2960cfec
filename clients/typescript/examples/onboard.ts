// Onboards a business with a person and files, and waits for the webhook that says so. After `npm run build`:
// KIRA_URL=… KIRA_CLIENT_ID=… KIRA_PASSWORD=… KIRA_API_KEY=… node examples/onboard.js
import { createServer } from "node:http";
import { type Webhook, createClient, unwrap, verifyWebhook } from "kira-users-client";

const { KIRA_URL: baseUrl = "", KIRA_CLIENT_ID: clientId = "", KIRA_PASSWORD: password = "", KIRA_API_KEY: apiKey = "" } = process.env;
const kira = createClient({ baseUrl, clientId, password, apiKey });

// Where webhooks arrive. A service elsewhere needs an address that it can reach.
const secret = `whsec_${Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString("base64")}`;
let created: (webhook: Webhook) => void;
const arrived = new Promise<Webhook>((resolve) => { created = resolve; });
const server = createServer(async (request, response) => {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  try {
    const webhook = await verifyWebhook(secret, new Headers(request.headers as Record<string, string>), Buffer.concat(parts));
    response.writeHead(204).end();
    if (webhook.event === "user.created") created(webhook);
  } catch {
    response.writeHead(401).end();
  }
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const address = server.address();
const port = typeof address === "object" && address !== null ? address.port : 0;
const { endpoint } = await unwrap(kira.POST("/v1/webhooks/endpoints", { body: { url: `http://127.0.0.1:${port}/`, secret } }));

// Stands for the files of a real business.
const file = `data:application/pdf;base64,${Buffer.from("%PDF-1.4\n").toString("base64")}`;
const user = await unwrap(kira.POST("/v1/users", {
  params: { header: { "idempotency-key": crypto.randomUUID() } },
  body: {
    type: "business",
    email: "ann@example.com",
    business_legal_name: "Ann Ltd",
    associated_persons: [{
      first_name: "Ann",
      last_name: "Lee",
      identifying_information: [
        { type: "passport", issuing_country: "GBR", number: "123456789", documents: [{ type: "front", file }] },
      ],
    }],
  },
}));
console.log("created", user.id, user.status);
for (const [target, fields] of Object.entries(user.missing_fields ?? {})) console.log(`for ${target} it needs`, fields);

const webhook = await arrived;
console.log("verified", webhook.event);
await unwrap(kira.DELETE("/v1/webhooks/endpoints/{endpoint_id}", { params: { path: { endpoint_id: endpoint.id } } }));
server.close();
