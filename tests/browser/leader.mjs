// A leader finds why a site is worse, down to the facts: `node leader.mjs LOGIN_LINK [FOLDER]`. From the comparison to the
// devices behind a site, to the failures of one, to the facts in the log, by links alone. Fails where a step does not lead
// on, where the browser reports a violation of the page's policy, or where something is asked of another host.

import { mkdir } from "node:fs/promises";
import path from "node:path";
import { chromium } from "playwright-core";

const [link, folder = "shots"] = process.argv.slice(2);
if (!link) {
  console.error("usage: node leader.mjs LOGIN_LINK [FOLDER]");
  process.exit(2);
}
const origin = new URL(link).origin;
const findings = [];
const must = (holds, what) => holds || findings.push(what);

await mkdir(folder, { recursive: true });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
try {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, ignoreHTTPSErrors: true });
  page.setDefaultTimeout(60_000);
  page.on("console", (said) => said.type() === "error" && findings.push(`the browser says: ${said.text()}`));
  page.on("pageerror", (error) => findings.push(`script error: ${error.message}`));
  page.on("request", (request) => new URL(request.url()).origin === origin || findings.push(`request to ${request.url()}`));
  await page.goto(link);
  await page.waitForURL(`${origin}/`);

  await page.getByRole("link", { name: "Compare", exact: true }).click();
  await page.getByRole("heading", { name: "Sites compared" }).waitFor();
  const verdict = await page.locator(".verdict").innerText();
  must(verdict.trim().length > 20, "the comparison says nothing");
  await page.screenshot({ path: path.join(folder, "leader-1-sites.png"), fullPage: true });

  await page.getByRole("link", { name: "which devices" }).first().click();
  const worst = page.locator("#devices tbody th a").first();
  const device = (await worst.innerText()).trim();
  await page.screenshot({ path: path.join(folder, "leader-2-devices.png"), fullPage: true });

  await worst.click();
  await page.getByRole("heading", { name: device, exact: true }).waitFor();
  const facts = page.locator("#trouble tbody a").first();
  must((await facts.count()) === 1, `${device} shows no failure`);
  await page.screenshot({ path: path.join(folder, "leader-3-device.png"), fullPage: true });

  await facts.click();
  await page.getByRole("heading", { name: `Facts behind ${device}` }).waitFor();
  const places = await page.locator("table.facts code").allInnerTexts();
  must(places.some((place) => /^facts \d+:\d+ #\d+$/.test(place)), "no fact names its place in the log");
  await page.screenshot({ path: path.join(folder, "leader-4-facts.png"), fullPage: true });
  console.log(`${verdict.split("\n")[0]} → ${device} → ${places.length / 2} facts`);
} finally {
  await browser.close();
}
if (findings.length > 0) {
  console.error(findings.join("\n"));
  process.exit(1);
}
