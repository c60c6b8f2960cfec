// Client of the kira-users REST API. The types are those of docs/openapi.json (`npm run generate`); what is written by hand is what a
// generator does not know: tokens, idempotency keys, retries, errors with codes, events as an iteration, signatures of webhooks.
import createFetchClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./schema.js";

export type { components, paths } from "./schema.js";
export { type VerifyOptions, type Webhook, WebhookError, verifyWebhook } from "./webhooks.js";

export type User = components["schemas"]["User"];
export type UserEvent = components["schemas"]["Event"];
export type Problem = components["schemas"]["Problem"];
export type KiraClient = Client<paths>;

export interface Options {
  baseUrl: string;
  clientId: string;
  password: string;
  apiKey: string;
  /** How often a request is repeated whose answer was lost or says to try again; 4 by default. */
  maxRetries?: number;
  /** Milliseconds until the answer of each try; 40,000 by default, more than the service takes. A stream may go on. */
  timeout?: number;
  fetch?: typeof fetch;
  sleep?: (milliseconds: number) => Promise<void>;
}

/** An error of the service. Decide by `code`; a 400 has `problems`. */
export class KiraError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly problems: Problem[],
    /** By which the operators of the service find the request. */
    readonly requestId: string | null,
  ) {
    super(message);
    this.name = "KiraError";
  }
}

const RETRIED = new Set([429, 503, 504]);
const MAX_DELAY = 60_000;
const TIMEOUT = 40_000;
const STREAMS = ["application/x-ndjson", "text/event-stream"];
/** The answers that a `Response` refuses a body of. */
const WITHOUT_BODY = new Set([204, 205, 304]);

/**
 * A client with typed paths, bodies and answers. It gets a token when it needs one. A POST, PUT or PATCH gets an idempotency key
 * unless it has one, and so can be repeated.
 */
export function createClient(options: Options): KiraClient {
  return createFetchClient<paths>({ baseUrl: options.baseUrl, fetch: new Caller(options).fetch });
}

class Caller {
  #token: { text: string; until: number } | undefined;

  constructor(private readonly options: Options) {}

  fetch = async (request: Request): Promise<Response> => {
    const headers = new Headers(request.headers);
    headers.set("x-api-key", this.options.apiKey);
    const repeats = request.method === "GET" || request.method === "HEAD" || request.method === "DELETE";
    if (!repeats && !headers.has("idempotency-key")) headers.set("idempotency-key", crypto.randomUUID());
    // The body is sent again by a repetition.
    const body = request.body === null ? undefined : await request.arrayBuffer();
    const send = async () => {
      headers.set("authorization", `Bearer ${await this.token()}`);
      const init: RequestInit = { method: request.method, headers, signal: request.signal };
      return this.#send(request.url, body === undefined ? init : { ...init, body });
    };
    let answer = await this.repeat(send);
    if (answer.status === 401) {
      // The service may have replaced its keys since.
      this.#token = undefined;
      answer = await this.repeat(send);
    }
    return answer;
  };

  /** One try. Its answer is read to the end, so that one that breaks off counts as lost; a stream is not. */
  async #send(url: string, init: RequestInit): Promise<Response> {
    const timer = new AbortController();
    const late = () => timer.abort(new TypeError("the service has not answered in time"));
    const timeout = setTimeout(late, this.options.timeout ?? TIMEOUT);
    const signal = init.signal ? AbortSignal.any([init.signal, timer.signal]) : timer.signal;
    try {
      const answer = await (this.options.fetch ?? fetch)(url, { ...init, signal });
      const { ok, status, statusText, headers } = answer;
      const type = headers.get("content-type") ?? "";
      if (STREAMS.some((stream) => type.startsWith(stream))) return answer;
      const body = await answer.arrayBuffer();
      const whole = new Response(WITHOUT_BODY.has(status) ? null : body, { status, statusText, headers });
      // A page of something between the client and the service, such as a login.
      if (ok && body.byteLength > 0 && !type.startsWith("application/json")) throw await errorOf(whole);
      return whole;
    } finally {
      clearTimeout(timeout);
    }
  }

  private async repeat(send: () => Promise<Response>): Promise<Response> {
    const most = this.options.maxRetries ?? 4;
    for (let tries = 0; ; tries += 1) {
      let after: string | null = null;
      try {
        const answer = await send();
        if (!RETRIED.has(answer.status) || tries >= most) return answer;
        after = answer.headers.get("retry-after");
      } catch (error) {
        const lost = error instanceof TypeError;
        if (!lost || tries >= most) throw error;
      }
      await this.pause(after, tries);
    }
  }

  /** As long as the service says, else about twice as long at each repetition. */
  private pause(after: string | null, tries: number): Promise<void> {
    const said = Number(after ?? Number.NaN) * 1000;
    const delay = Number.isFinite(said) ? said : 250 * 2 ** tries * (0.5 + Math.random() / 2);
    const sleep = this.options.sleep ?? ((milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)));
    return sleep(Math.min(delay, MAX_DELAY));
  }

  private async token(): Promise<string> {
    if (this.#token !== undefined && Date.now() < this.#token.until) return this.#token.text;
    const { baseUrl, clientId, password, apiKey } = this.options;
    const answer = await this.repeat(() =>
      this.#send(`${baseUrl.replace(/\/$/, "")}/auth`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-api-key": apiKey },
        body: JSON.stringify({ client_id: clientId, password }),
      }),
    );
    if (!answer.ok) throw await errorOf(answer);
    const { data } = (await answer.json()) as components["schemas"]["CreateTokenResponse"];
    this.#token = { text: data.access_token, until: Date.now() + Math.max(data.expires_in - 60, 1) * 1000 };
    return data.access_token;
  }
}

/** The data of an answer, or its error thrown as a `KiraError`. */
export async function unwrap<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await call;
  if (!response.ok || data === undefined) throw toError(response, error);
  return data;
}

/** The events behind a cursor, page by page, until there are no more. Keep the id of the last one: it is the next cursor. */
export async function* listEvents(
  client: KiraClient,
  query: NonNullable<paths["/v1/events"]["get"]["parameters"]["query"]> = {},
): AsyncGenerator<UserEvent> {
  for (let cursor = query.cursor; ; ) {
    const page = await unwrap(client.GET("/v1/events", { params: { query: cursor === undefined ? query : { ...query, cursor } } }));
    yield* page.data;
    if (!page.has_more) return;
    cursor = page.next_cursor;
  }
}

async function errorOf(answer: Response): Promise<KiraError> {
  const text = await answer.text();
  let body: unknown = text;
  try {
    body = JSON.parse(text);
  } catch {
    // Something between the client and the service has answered.
  }
  return toError(answer, body);
}

function toError(answer: Response, body: unknown): KiraError {
  const { status, headers } = answer;
  const id = headers.get("x-request-id");
  if (typeof body === "object" && body !== null) {
    if ("details" in body && Array.isArray(body.details)) {
      const problems = body.details as Problem[];
      const text = problems.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`)).join("; ");
      return new KiraError(status, "invalid_request", text, problems, id);
    }
    if ("code" in body && typeof body.code === "string" && "message" in body) {
      return new KiraError(status, body.code, String(body.message), [], id);
    }
  }
  return new KiraError(status, "unknown", `The answer ${status} is not one of the service`, [], id);
}
