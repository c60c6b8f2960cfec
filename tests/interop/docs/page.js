// The documentation page in Chromium: it renders, asks nothing of any other host, breaks no content security policy, and
// makes a call.
//
// usage: NODE_PATH=… node page.js BASE_URL [SCREENSHOT_FOLDER], with the client's CLIENT_ID, PASSWORD and API_KEY in the
// environment
"use strict";

const path = require("node:path");
const { chromium } = require("playwright-core");

const [origin, shots] = process.argv.slice(2);
const { CLIENT_ID, PASSWORD, API_KEY, CHROMIUM = "/usr/bin/chromium" } = process.env;

function check(holds, what) {
  if (!holds) throw new Error(what);
  console.log(`ok: ${what}`);
}

async function main() {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
  });
  try {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, colorScheme: "light" });
    const page = await context.newPage();
    const asked = [];
    const faults = [];
    page.on("request", (request) => asked.push(request.url()));
    page.on("console", (message) => {
      if (message.type() === "error") faults.push(message.text());
    });
    page.on("pageerror", (error) => faults.push(String(error)));
    await page.addInitScript(() => {
      window.violations = [];
      document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
    });
    const shot = async (name) => {
      if (shots) await page.screenshot({ path: path.join(shots, `${name}.png`) });
    };

    await page.goto(`${origin}/docs`);
    await page.waitForSelector("#op-createUser");
    check((await page.locator(".entry[id^=op-]").count()) >= 30, "all calls are listed");
    const { webhooks } = await (await fetch(`${origin}/openapi.json`)).json();
    check((await page.locator(".entry[id^=webhook-]").count()) === Object.keys(webhooks).length, "all webhooks are listed");
    await shot("light");

    await page.click("#op-createUser > summary");
    await page.waitForSelector("#op-createUser form.try");
    await shot("call");
    await page.click("#open-credentials");
    await page.fill("[name=client_id]", CLIENT_ID);
    await page.fill("[name=password]", PASSWORD);
    await page.fill("[name=api_key]", API_KEY);
    await page.click("#credentials button[type=submit]");
    await page.waitForFunction(() => document.getElementById("credentials-state").textContent.startsWith("Got a token"));
    await page.click("#open-credentials");
    await page.click("#op-createUser form.try button[type=submit]");
    await page.waitForSelector("#op-createUser [data-status]");
    check((await page.getAttribute("#op-createUser [data-status]", "data-status")) === "201", "a user is created from the page");
    await page.selectOption("#op-createUser form.try select", { label: "A business of Mexico: verification starts" });
    await page.click("#op-createUser form.try button[type=submit]");
    await page.waitForFunction(() => document.querySelector("#op-createUser form.try").textContent.includes('"associated_persons"'));
    check((await page.getAttribute("#op-createUser [data-status]", "data-status")) === "201", "a business with persons and files too");
    await page.locator("#op-createUser [data-status]").scrollIntoViewIfNeeded();
    await shot("tried");

    await page.fill("#search", "webhook endpoint");
    check(await page.locator("#op-createUser").isHidden(), "the search hides other calls");
    await page.fill("#search", "");
    await page.goto(`${origin}/docs#schema-IndividualInput`);
    await page.waitForSelector("#schema-IndividualInput[open] .schema");
    await shot("schema");

    await page.emulateMedia({ colorScheme: "dark" });
    await page.goto(`${origin}/docs#op-updateUser`);
    await page.waitForSelector("#op-updateUser[open] .schema");
    const dark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    check(dark === "rgb(20, 24, 28)", "it is dark where the reader prefers it");
    await shot("dark");
    await page.click("#theme");
    check((await page.evaluate(() => getComputedStyle(document.body).backgroundColor)) === "rgb(255, 255, 255)", "the theme can be changed");

    await page.setViewportSize({ width: 390, height: 800 });
    await page.goto(`${origin}/docs#op-getUser`);
    await page.waitForSelector("#op-getUser[open]");
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    check(wide <= 0, "it fits a narrow screen");
    await shot("narrow");

    // Every call, webhook and schema can be opened.
    await page.evaluate(() => document.querySelectorAll(".entry").forEach((entry) => { entry.open = true; entry.fill(); }));
    check((await page.locator(".entry > div").count()) === (await page.locator(".entry").count()), "everything opens");

    const elsewhere = asked.filter((url) => !url.startsWith(`${origin}/`) && !url.startsWith("data:"));
    check(elsewhere.length === 0, `no request leaves this origin ${elsewhere}`);
    check((await page.evaluate(() => window.violations)).length === 0, "the content security policy is kept");
    check(faults.length === 0, `no error on the page ${faults}`);
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
