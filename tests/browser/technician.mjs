// A technician with a phone: `node technician.mjs LOGIN_LINK [FOLDER]`. Opens the first alert of the list, reads its card,
// acknowledges it, and gives a verdict while the network is cut: the tap is kept in sight and sent once the network is back,
// and counts once. Fails on an accessibility finding at WCAG 2.1 AA, a script error, a request to another host, a page that
// scrolls sideways, or one that weighs too much with all its files.

import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { chromium } from "playwright-core";

const [link, folder = "shots"] = process.argv.slice(2);
if (!link) {
  console.error("usage: node technician.mjs LOGIN_LINK [FOLDER]");
  process.exit(2);
}
const PAGE_BYTES_MAX = 60_000;
const FIRST_SCREEN = ["Device", "Room", "Now", "Suspected part", "Act by", "First check", "Who repairs", "Such alerts"];
const RULES = { runOnly: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] } };

const origin = new URL(link).origin;
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const findings = [];
const must = (holds, what) => holds || findings.push(what);
let shots = 0;
let cut = false;

async function look(page, name) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  must(wide <= 0, `${name} scrolls ${wide} px sideways`);
  await page.evaluate(axe);
  const { violations } = await page.evaluate((rules) => globalThis.axe.run(rules), RULES);
  for (const { id, help, nodes } of violations) findings.push(`${name}: ${id}: ${help} (${nodes[0].target})`);
  shots += 1;
  await page.screenshot({ path: path.join(folder, `technician-${shots}-${name}.png`) });
}

/** The page with all its files, as they are before they are compressed. */
async function weigh(page, name) {
  const files = await page.locator("link[href], script[src]").evaluateAll((all) => all.map((one) => one.href || one.src));
  const answers = await Promise.all([page.url(), ...files].map((address) => page.request.get(address)));
  const bodies = await Promise.all(answers.map((answer) => answer.body()));
  const bytes = bodies.reduce((sum, body) => sum + body.length, 0);
  must(bytes < PAGE_BYTES_MAX, `${name} weighs ${bytes} bytes with its files`);
  console.log(`${name}: ${bytes} bytes with ${files.length} files`);
}

await mkdir(folder, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
try {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, ignoreHTTPSErrors: true });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  // The browser itself complains of requests that a cut network does not carry.
  page.on("console", (said) => said.type() === "error" && !cut && findings.push(`the browser says: ${said.text()}`));
  page.on("pageerror", (error) => findings.push(`script error: ${error.message}`));
  page.on("request", (request) => new URL(request.url()).origin === origin || findings.push(`request to ${request.url()}`));
  await page.goto(link);
  await page.waitForURL(`${origin}/`);

  await page.getByRole("link", { name: "Alerts", exact: true }).tap();
  await page.getByRole("heading", { name: "Alerts", exact: true }).waitFor();
  await weigh(page, "list");
  await look(page, "list");
  await page.locator("ol.alerts a").first().tap();
  await page.locator("dl.card").waitFor();
  const told = await page.locator("dl.card dt").allInnerTexts();
  must(JSON.stringify(told) === JSON.stringify(FIRST_SCREEN), `the card begins with ${told}`);
  const { y, height } = await page.locator("dl.card").boundingBox();
  must(y + height <= 844, `the card ends at ${y + height} px, below the first screen`);
  const address = new URL(page.url());
  const alert = address.pathname.split("/").at(-1);

  await page.getByLabel("Your name").fill("Kim Ø. O'Neil");
  await page.getByRole("button", { name: "Go on" }).tap();
  await page.getByRole("button", { name: "Acknowledge" }).waitFor();
  await weigh(page, "card");
  await look(page, "card");

  await page.getByRole("button", { name: "Acknowledge" }).tap();
  await page.getByText("Acknowledged by Kim Ø. O'Neil").first().waitFor();
  await look(page, "acknowledged");

  cut = true;
  await context.setOffline(true);
  await page.getByText("Give a verdict").tap();
  await look(page, "verdicts");
  await page.getByRole("button", { name: "Wear found and replaced" }).tap();
  await page.getByText("Kept, will be sent: Wear found and replaced").waitFor();
  await look(page, "kept");

  await context.setOffline(false);
  await page.getByText("Verdict: Wear found and replaced").waitFor();
  await page.getByText("Kept, will be sent").waitFor({ state: "detached" });
  cut = false;
  await look(page, "sent");

  const { life } = await (await context.request.get(`${origin}/api/v1/alerts/${alert}`)).json();
  const steps = life.map((step) => step.change);
  must(steps.filter((step) => step === "acknowledged").length === 1, `acknowledged once: ${steps}`);
  must(steps.filter((step) => step === "judged").length === 1, `judged once: ${steps}`);
  console.log(`${alert}: ${steps.join(", ")}`);
} finally {
  await browser.close();
}
if (findings.length > 0) {
  console.error(findings.join("\n"));
  process.exit(1);
}
