// The API reference, made in the browser from openapi.json. Elements are made one by one, never from markup, so that no
// text of the document or of an answer is taken for markup.
"use strict";

let spec;
const state = { token: "", apiKey: "" };
const byId = (id) => document.getElementById(id);

function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== "" && child !== false && child !== 0));
  return element;
}

// Paragraphs, **bold**, `code` and addresses.
function prose(text = "") {
  return text.split("\n\n").filter(Boolean).map((paragraph) => el("p", {}, inline(paragraph)));
}

function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) => {
    if (part.startsWith("`") && part.length > 2) return el("code", {}, part.slice(1, -1));
    if (part.startsWith("**") && part.length > 4) return el("strong", {}, part.slice(2, -2));
    return part;
  });
}

function resolve(value) {
  while (value && value.$ref) {
    const rest = { ...value };
    delete rest.$ref;
    const target = value.$ref.slice(2).split("/").reduce((at, key) => at[key], spec);
    value = { ...target, ...rest, refName: value.$ref.split("/").pop() };
  }
  return value;
}

const nameOf = (schema) => (schema && schema.$ref ? schema.$ref.split("/").pop() : undefined);
const variantsOf = (schema) => schema.oneOf || schema.anyOf;

function typeText(schema) {
  const name = nameOf(schema);
  if (name) return el("a", { href: `#schema-${name}` }, name);
  if (schema.type === "array") return el("span", {}, "array of ", typeText(schema.items));
  if (variantsOf(schema)) {
    const parts = variantsOf(schema).flatMap((variant, index) => (index ? [" or ", typeText(variant)] : [typeText(variant)]));
    return el("span", {}, parts);
  }
  if (schema.const !== undefined) return el("code", {}, JSON.stringify(schema.const));
  if (schema.type === "object" && typeof schema.additionalProperties === "object") {
    return el("span", {}, "map of ", typeText(schema.additionalProperties));
  }
  return schema.format && schema.type === "string" ? `string, ${schema.format}` : schema.type || "any";
}

function rules(schema) {
  const found = [];
  const range = (least, most, unit) => {
    if (least !== undefined && most !== undefined) found.push(`${least} to ${most}${unit}`);
    else if (least !== undefined) found.push(`at least ${least}${unit}`);
    else if (most !== undefined) found.push(`at most ${most}${unit}`);
  };
  range(schema.minLength, schema.maxLength, " characters");
  range(schema.minimum, schema.maximum, "");
  range(schema.minItems, schema.maxItems, " elements");
  if (schema.maxProperties !== undefined) found.push(`at most ${schema.maxProperties} keys`);
  if (schema["x-sensitivity"]) found.push(schema["x-sensitivity"].replace("-", " "));
  return found;
}

// The inside of a schema: members, variants or values. Those of other schemas are made when they are opened.
function inside(schema, depth = 0) {
  schema = resolve(schema);
  if (!schema) return undefined;
  if (schema.type === "array") return inside(schema.items, depth);
  if (variantsOf(schema)) {
    return el("ul", { class: "schema" }, variantsOf(schema).map((variant) => {
      const content = inside(variant, depth + 1);
      return el("li", {}, el("span", { class: "key" }, typeText(variant)), content && fold("Keys", () => inside(variant, depth + 1)));
    }));
  }
  if (schema.enum) {
    const descriptions = schema["x-enumDescriptions"] || {};
    const list = () => el("ul", { class: "schema" }, schema.enum.map((value) =>
      el("li", {}, el("span", { class: "key" }, String(value)), descriptions[value] && el("span", { class: "rule" }, descriptions[value]))));
    return schema.enum.length > 40 ? fold(`${schema.enum.length} values`, list) : list();
  }
  if (!schema.properties) return undefined;
  const required = schema.required || [];
  return el("ul", { class: "schema" }, Object.entries(schema.properties).map(([key, property]) => {
    const known = resolve(property);
    const target = property.type === "array" ? property.items : property;
    const nested = target.$ref && inside(target, depth + 1);
    return el("li", {},
      el("span", { class: "key" }, key),
      el("span", { class: "type" }, typeText(property)),
      required.includes(key) && el("span", { class: "needed" }, "required"),
      rules(known).map((rule) => el("span", { class: "rule" }, rule)),
      prose(property.description),
      nested && fold(resolve(target).enum ? "Values" : "Keys", () => inside(target, depth + 1)));
  }));
}

function fold(title, make, open = false) {
  const details = el("details", { open }, el("summary", {}, title));
  fill(details, make);
  return details;
}

// Makes the inside of a fold when it is first opened.
function fill(details, make) {
  let made = false;
  const now = () => {
    if (made || !details.open) return;
    made = true;
    const content = make();
    if (content) details.append(content);
  };
  details.addEventListener("toggle", now);
  details.fill = now;
  now();
}

function tabs(label, entries, first = 0) {
  const list = el("div", { role: "tablist", "aria-label": label });
  const panel = el("div", { role: "tabpanel", tabindex: "0" });
  const buttons = entries.map(([name, make], index) => el("button", {
    type: "button", role: "tab",
    onclick: () => select(index),
    onkeydown: (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) select((index + step + entries.length) % entries.length, true);
    },
  }, name));
  function select(index, focus) {
    buttons.forEach((button, at) => {
      button.setAttribute("aria-selected", at === index);
      button.tabIndex = at === index ? 0 : -1;
    });
    panel.setAttribute("aria-label", entries[index][0]);
    panel.replaceChildren(...[entries[index][1]()].flat().filter(Boolean));
    if (focus) buttons[index].focus();
  }
  list.append(...buttons);
  select(first);
  return [list, panel];
}

const block = (text) => el("pre", { tabindex: "0" }, el("code", {}, text));
const pretty = (value) => JSON.stringify(value, null, 2);

function media(content = {}) {
  return Object.entries(content).flatMap(([type, { schema, examples, example, "x-itemSchema": item }]) => {
    const named = Object.entries(examples || {}).map(([name, given]) => [resolve(given).summary || name, () => block(pretty(resolve(given).value))]);
    if (example !== undefined) named.push(["Example", () => block(pretty(example))]);
    const shown = item || schema;
    return [
      el("p", {}, el("code", {}, type), " ", typeText(shown)),
      item && prose(schema.description),
      inside(shown),
      named.length && [el("h4", {}, "Examples"), ...tabs("Examples", named)],
    ].flat().filter(Boolean);
  });
}

function parameterTable(parameters) {
  return el("div", { class: "scroll" }, el("table", {},
    el("thead", {}, el("tr", {}, ["Name", "In", "Type", "Meaning"].map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, parameters.map((parameter) => el("tr", {},
      el("td", {}, el("code", {}, parameter.name), parameter.required && el("span", { class: "needed" }, "required")),
      el("td", {}, parameter.in),
      el("td", {}, typeText(parameter.schema), rules(resolve(parameter.schema)).map((rule) => el("span", { class: "rule" }, rule))),
      el("td", {}, inline(parameter.description || "")))))));
}

function responses(all) {
  // A call that creates has 201 or 202 beside the 200 of a repetition.
  const first = Math.max(Object.keys(all).findIndex((status) => ["201", "202", "2XX"].includes(status)), 0);
  return tabs("Responses", Object.entries(all).map(([status, response]) => [status, () => {
    response = resolve(response);
    const headers = Object.entries(response.headers || {}).map(([name, header]) => ({ name, in: "header", ...resolve(header), required: false }));
    return [prose(response.description), headers.length && [el("h4", {}, "Headers"), parameterTable(headers)], media(response.content)].flat(2);
  }]), first);
}

function operation(path, verb, call, isWebhook) {
  const parameters = (call.parameters || []).map(resolve);
  const body = call.requestBody;
  const security = call.security || spec.security;
  const needs = [...new Set(security.flatMap((scheme) => Object.keys(scheme)))];
  const content = el("div", {}, prose(call.description));
  if (!isWebhook) {
    content.append(el("p", {}, needs.length ? `Credentials: ${needs.map((name) => ({ bearerAuth: "access token", apiKey: "API key" })[name] || name).join(" and ")}.` : "No credentials.",
      call["x-grpc-method"] && [" gRPC: ", el("code", {}, call["x-grpc-method"])]));
  }
  if (parameters.length) content.append(el("h3", {}, isWebhook ? "Headers" : "Parameters"), parameterTable(parameters));
  if (body) content.append(el("h3", {}, isWebhook ? "Body" : "Request body"), ...media(body.content));
  content.append(el("h3", {}, "Responses"), ...responses(call.responses));
  const samples = call["x-codeSamples"] || [];
  if (samples.length) {
    content.append(el("h3", {}, "Samples"), ...tabs("Samples", samples.map((sample) => [sample.label, () => block(sample.source)])));
  }
  if (!isWebhook) content.append(el("h3", {}, "Try it"), attempt(path, verb, call, parameters, needs));
  return content;
}

function renew(parameter, input) {
  input.value = crypto.randomUUID ? crypto.randomUUID() : parameter.example || "";
}

function attempt(path, verb, call, parameters, needs) {
  const result = el("div", { "aria-live": "polite" });
  const streams = Object.keys(resolve(call.responses[200] || {}).content || {}).includes("text/event-stream");
  const fields = parameters.map((parameter) => {
    const schema = resolve(parameter.schema);
    const list = schema.enum || (schema.items && resolve(schema.items).enum);
    const input = list
      ? el("select", {}, ["", ...list].map((value) => el("option", {}, value)))
      : el("input", { spellcheck: "false", autocomplete: "off" });
    if (parameter.name === "idempotency-key") renew(parameter, input);
    else if (parameter.required && parameter.example !== undefined) input.value = parameter.example;
    return { parameter, input };
  });
  const json = call.requestBody && call.requestBody.content["application/json"];
  const examples = Object.values((json && json.examples) || {});
  const first = examples[0];
  const body = json && el("textarea", { "aria-label": "Request body", spellcheck: "false" });
  if (body) body.value = pretty(first ? first.value : {});
  // Another request needs another key.
  const choose = () => {
    body.value = pretty(examples[choice.selectedIndex].value);
    fields.filter(({ parameter }) => parameter.name === "idempotency-key").forEach(({ parameter, input }) => renew(parameter, input));
  };
  const choice = examples.length > 1 && el("select", { onchange: choose }, examples.map(({ summary }) => el("option", {}, summary)));
  const send = el("button", { type: "submit" }, "Send");
  let stop;
  const form = el("form", {
    class: "try",
    onsubmit: async (event) => {
      event.preventDefault();
      if (stop) return stop.abort();
      stop = new AbortController();
      send.textContent = "Stop";
      try {
        await run(stop.signal);
      } catch (error) {
        if (error.name !== "AbortError") result.replaceChildren(el("p", { class: "bad" }, `The request failed: ${error.message}`));
      }
      stop = undefined;
      send.textContent = "Send";
    },
  },
  el("div", { class: "fields" }, fields.map(({ parameter, input }) =>
    el("label", {}, parameter.name, parameter.required && el("span", { class: "needed" }, "required"), input))),
  choice && el("label", {}, "Example", choice), body, send, result);

  async function run(signal) {
    const headers = new Headers();
    const query = new URLSearchParams();
    let target = path;
    for (const { parameter, input } of fields) {
      const value = input.value.trim();
      if (parameter.in === "path") target = target.replace(`{${parameter.name}}`, encodeURIComponent(value));
      else if (!value) continue;
      else if (parameter.in === "query") query.append(parameter.name, value);
      else headers.set(parameter.name, value);
    }
    if (needs.includes("bearerAuth") && state.token) headers.set("authorization", `Bearer ${state.token}`);
    if (needs.includes("apiKey") && state.apiKey) headers.set("x-api-key", state.apiKey);
    if (body) headers.set("content-type", "application/json");
    if (streams) headers.set("accept", "application/x-ndjson");
    const began = performance.now();
    const response = await fetch(address(target, query), { method: verb.toUpperCase(), headers, body: body ? body.value : undefined, signal });
    const code = el("code", {}, "");
    const shown = ["content-type", "location", "etag", "idempotent-replayed", "retry-after", "ratelimit", "x-request-id"]
      .filter((name) => response.headers.has(name)).map((name) => `${name}: ${response.headers.get(name)}`);
    result.replaceChildren(
      el("p", { class: response.ok ? "good" : "bad", "data-status": String(response.status) }, `${response.status} in ${Math.round(performance.now() - began)} ms`),
      block(shown.join("\n")), el("pre", { tabindex: "0" }, code));
    if (response.ok && streams) {
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let part = await reader.read(); !part.done; part = await reader.read()) code.append(part.value);
      return;
    }
    const text = await response.text();
    try { code.textContent = pretty(JSON.parse(text)); } catch { code.textContent = text; }
  }
  return form;
}

// Of this installation, which may be below a path of a proxy.
function address(path, query = new URLSearchParams()) {
  const base = new URL(".", document.baseURI).pathname.replace(/\/$/, "");
  return base + path + (query.size ? `?${query}` : "");
}

function entry(id, head, words, make) {
  const details = el("details", { class: "entry", id, "data-words": words.toLowerCase() }, el("summary", {}, head));
  fill(details, make);
  return details;
}

function render() {
  document.title = `${spec.info.title}: API reference`;
  byId("title").textContent = `${spec.info.title} ${spec.info.version}`;
  const main = byId("content");
  const nav = byId("nav");
  const documents = ["openapi.json", "openapi.yaml", "openapi-3.2.json", "llms.txt", "descriptors.binpb"];
  main.replaceChildren(el("section", { id: "top" }, prose(spec.info.description), el("p", {}, "The document, also for OpenAPI 3.2, for ",
    "language models and for gRPC: ", ...documents.flatMap((name, at) => [at ? ", " : "", el("a", { href: name }, name)]), ".")));
  nav.replaceChildren();
  const section = (title, description, entries) => {
    main.append(el("section", { "aria-label": title }, el("h2", {}, title), prose(description), entries.map(({ node }) => node)));
    nav.append(el("div", {}, el("h2", {}, title), el("ul", {}, entries.map(({ node, label }) =>
      el("li", { "data-for": node.id }, el("a", { href: `#${node.id}` }, label))))));
  };
  for (const tag of spec.tags) {
    const entries = [];
    for (const [path, item] of Object.entries(spec.paths)) {
      for (const [verb, call] of Object.entries(item)) {
        if (!call.tags.includes(tag.name)) continue;
        const head = [el("span", { class: `verb ${verb}` }, verb.toUpperCase()), el("code", {}, path), el("span", { class: "sum" }, call.summary)];
        entries.push({
          label: call.summary,
          node: entry(`op-${call.operationId}`, head, `${call.operationId} ${path} ${call.summary}`, () => operation(path, verb, call)),
        });
      }
    }
    section(tag.name, tag.description, entries);
  }
  section("Webhook messages", "What the service sends to the endpoints of a client.", Object.entries(spec.webhooks).map(([event, { post }]) => ({
    label: event,
    node: entry(`webhook-${event}`, [el("span", { class: "verb post" }, "POST"), el("code", {}, event), el("span", { class: "sum" }, post.summary)], event, () => operation(event, "post", post, true)),
  })));
  section("Schemas", "", Object.entries(spec.components.schemas).map(([name, schema]) => ({
    label: name,
    node: entry(`schema-${name}`, [el("code", {}, name)], name, () => el("div", {}, prose(schema.description), inside(schema) || el("p", {}, typeText(schema), rules(schema).map((rule) => el("span", { class: "rule" }, rule))))),
  })));
  show();
}

// Opens what the address names.
function show() {
  const found = location.hash && byId(decodeURIComponent(location.hash.slice(1)));
  if (!found) return;
  if (found.fill) {
    found.open = true;
    found.fill();
  }
  found.scrollIntoView();
}

function search() {
  const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const node of document.querySelectorAll(".entry")) {
    const hit = words.every((word) => node.dataset.words.includes(word));
    node.hidden = !hit;
    const link = document.querySelector(`li[data-for="${CSS.escape(node.id)}"]`);
    if (link) link.hidden = !hit;
  }
}

function credentials() {
  const form = byId("credentials");
  const said = byId("credentials-state");
  byId("open-credentials").addEventListener("click", (event) => {
    form.hidden = !form.hidden;
    event.target.setAttribute("aria-expanded", String(!form.hidden));
    if (!form.hidden) form.elements.client_id.focus();
  });
  form.addEventListener("input", () => {
    state.apiKey = form.elements.api_key.value.trim();
    state.token = form.elements.token.value.trim();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { client_id, password } = form.elements;
    try {
      const response = await fetch(address("/auth"), {
        method: "POST",
        headers: { "content-type": "application/json", "x-api-key": state.apiKey },
        body: JSON.stringify({ client_id: client_id.value.trim(), password: password.value }),
      });
      const answer = await response.json();
      if (!response.ok) throw new Error(answer.message || answer.details.map((problem) => `${problem.path}: ${problem.message}`).join("; "));
      state.token = form.elements.token.value = answer.data.access_token;
      said.textContent = `Got a token for ${answer.data.expires_in} seconds.`;
    } catch (error) {
      said.textContent = `No token: ${error.message}`;
    }
  });
}

function theme() {
  byId("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
}

async function start() {
  credentials();
  theme();
  byId("search").addEventListener("input", search);
  addEventListener("hashchange", show);
  try {
    const response = await fetch("openapi.json");
    if (!response.ok) throw new Error(`status ${response.status}`);
    spec = await response.json();
    render();
  } catch (error) {
    byId("content").replaceChildren(el("p", { class: "bad" }, `The document cannot be shown: ${error.message}`));
  }
}

start();
