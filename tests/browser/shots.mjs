// Looks at the pages as people do: `node shots.mjs LOGIN_LINK [FOLDER] [PAGE …]`. Takes every page, or those named, on a desk and
// on a phone, by day and by night, and fails on an accessibility finding, a script error, a request to another host, a page that scrolls
// sideways, or one that is too heavy.

import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { chromium } from "playwright-core";

const [link, folder = "shots", ...only] = process.argv.slice(2);
if (!link) {
  console.error("usage: node shots.mjs LOGIN_LINK [FOLDER] [PAGE …]");
  process.exit(2);
}
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const PAGE_BYTES_MAX = 60_000;
const SIZES = { desk: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };
const SCHEMES = ["light", "dark"];
const QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
  "--disable-sync", "--no-first-run", "--disable-default-apps", "--metrics-recording-only"];

const origin = new URL(link).origin;
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const findings = [];

/** Where the pages are: the first site, and the device that says the most. */
async function pages(context) {
  const ask = async (what) => (await context.request.get(origin + what)).json();
  const { sites } = await ask("/api/v1/sites");
  if (sites.length === 0) throw new Error("the server knows no site: fill it first");
  const { rows } = await ask("/api/v1/uptime?group=device");
  const telling = rows.toSorted((a, b) => b.seconds.unscheduled_down - a.seconds.unscheduled_down)[0];
  return {
    fleet: "/",
    site: `/sites/${sites[0].site}`,
    kind: `/sites/${telling.site}?kind=${telling.kind}`,
    device: `/devices/${telling.device}`,
    month: `/devices/${telling.device}?days=30`,
    compare: `/compare?site=${telling.site}`,
    hours: "/compare?by=downtime&adjust=nothing",
    contracts: "/contracts",
    ...(await contracted(ask)),
    ...(await evidence(ask, telling.device)),
    maintenance: "/maintenance",
    risk: "/risk?horizon=24h",
    alerts: "/alerts?show=all",
    ...(await alerted(ask)),
    pipeline: "/pipeline",
    nowhere: "/devices/no-such-device",
  };
}

/** A contract, and the statement of one of its devices; none where no contract is recorded. */
async function contracted(ask) {
  const { rows } = await ask("/api/v1/kpi/contract_versions");
  if (rows.length === 0) return {};
  const { site, contract, kind } = rows[0];
  const { devices } = await ask(`/api/v1/devices?site=${site}&kind=${kind}&limit=1`);
  return {
    contract: `/contracts/${site}/${encodeURIComponent(contract)}`,
    statement: `/devices/${devices[0].device}/statement?contract=${encodeURIComponent(contract)}`,
  };
}

/** The newest alert of a device; none where nothing was raised. */
async function alerted(ask) {
  const { alerts } = await ask("/api/v1/alerts?limit=1000");
  const one = alerts.find((alert) => alert.subject_kind === "device") ?? alerts[0];
  return one ? { alert: `/alerts/${one.alert}` } : {};
}

/** The facts behind a device's last outage. */
async function evidence(ask, device) {
  const { rows } = await ask(`/api/v1/kpi/downtimes?device=${device}&days=30`);
  const last = rows.at(-1);
  return last ? { evidence: `/devices/${device}/evidence?from=${last.onset_at}&until=${last.until_at}` } : {};
}

async function look(context, name, address, size, scheme) {
  const page = await context.newPage();
  const say = (what) => findings.push(`${name} ${size} ${scheme}: ${what}`);
  page.on("pageerror", (error) => say(`script error: ${error.message}`));
  page.on("request", (request) => {
    const to = new URL(request.url());
    if (to.origin !== origin && to.protocol !== "data:") say(`request to ${to.origin}`);
  });
  await page.setViewportSize(SIZES[size]);
  await page.emulateMedia({ colorScheme: scheme });
  const answer = await page.goto(origin + address, { waitUntil: "load" });
  const bytes = (await answer.body()).length;
  if (bytes > PAGE_BYTES_MAX) say(`${bytes} bytes, more than ${PAGE_BYTES_MAX}`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (wide > 0) say(`scrolls ${wide} px sideways`);
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  for (const { id, help, nodes } of violations) say(`${id}: ${help} (${nodes.length}, e.g. ${nodes[0].target})`);
  await page.screenshot({ path: path.join(folder, `${name}-${size}-${scheme}.png`), fullPage: true });
  console.log(`${name} ${size} ${scheme}: ${bytes} bytes, ${violations.length} accessibility findings`);
  await page.close();
}

await mkdir(folder, { recursive: true });
const browser = await chromium.launch({ executablePath: CHROMIUM, args: QUIET });
try {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const first = await context.newPage();
  await first.goto(`${origin}/login`);
  await first.screenshot({ path: path.join(folder, "login.png") });
  await first.goto(link, { waitUntil: "load" });
  await first.waitForURL(`${origin}/`);
  await first.close();
  const wanted = await pages(context);
  const unknown = only.filter((name) => !(name in wanted));
  if (unknown.length > 0) throw new Error(`no page ${unknown}: there are ${Object.keys(wanted)}`);
  for (const [name, address] of Object.entries(wanted).filter(([name]) => only.length === 0 || only.includes(name))) {
    for (const size of Object.keys(SIZES)) {
      for (const scheme of SCHEMES) await look(context, name, address, size, scheme);
    }
  }
} finally {
  await browser.close();
}
if (findings.length > 0) {
  console.error(findings.join("\n"));
  process.exit(1);
}
