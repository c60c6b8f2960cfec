// Signatures of webhooks, as Standard Webhooks 1.0 has them.
import type { components } from "./schema.js";

export type Webhook = components["schemas"]["UserWebhook"] | components["schemas"]["EndpointWebhook"];

/** Why a request is not believed to be a webhook of the service. */
export class WebhookError extends Error {
  override name = "WebhookError";
}

export interface VerifyOptions {
  /** Seconds by which the clocks may differ; 300 by default. */
  tolerance?: number;
  /** Now, in milliseconds. */
  now?: number;
}

/**
 * The webhook in a request, if one of the secrets has signed it. `body` must be the bytes as they came. The same webhook may arrive
 * twice: drop one whose `data.sequence` is not above the highest of its user.
 */
export async function verifyWebhook(
  secrets: string | string[],
  headers: Headers,
  body: string | Uint8Array,
  { tolerance = 300, now = Date.now() }: VerifyOptions = {},
): Promise<Webhook> {
  const [id, timestamp, signatures] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => headers.get(name));
  if (!id || !timestamp || !signatures) throw new WebhookError("a header of the signature is missing");
  if (!/^[0-9]{1,12}$/.test(timestamp) || Math.abs(now / 1000 - Number(timestamp)) > tolerance) {
    throw new WebhookError("the timestamp is too far from now");
  }
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const head = new TextEncoder().encode(`${id}.${timestamp}.`);
  const signed = new Uint8Array(head.length + bytes.length);
  signed.set(head);
  signed.set(bytes, head.length);
  for (const secret of [secrets].flat()) {
    const key = await crypto.subtle.importKey("raw", keyOf(secret), { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
    for (const signature of signatures.split(" ")) {
      const mac = signature.startsWith("v1,") ? decoded(signature.slice(3)) : undefined;
      // The comparison takes the same time for every signature.
      if (mac !== undefined && (await crypto.subtle.verify("HMAC", key, mac, signed))) {
        return JSON.parse(new TextDecoder().decode(bytes)) as Webhook;
      }
    }
  }
  throw new WebhookError("no signature is of a known secret");
}

function keyOf(secret: string): Uint8Array<ArrayBuffer> {
  const key = secret.startsWith("whsec_") ? decoded(secret.slice(6)) : new TextEncoder().encode(secret);
  if (key === undefined || key.length === 0) throw new WebhookError("the secret is not base64 after whsec_");
  return key;
}

function decoded(base64: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  } catch {
    return undefined;
  }
}
