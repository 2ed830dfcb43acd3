// Looks at the pages as people do: `node shots.mjs LOGIN_LINK [FOLDER] [PAGE … | NAME=/PATH … | NAME=FILE …]`. Takes every page, or those
// named, on a desk and on a phone, by day and by night, on paper, and further pages by their paths and reports that were written into
// files. Fails on an accessibility finding, a script error, an error or a violated policy that the browser tells of, a request to another host, an answer without a strict policy,
// a page that scrolls sideways, is cut off on paper or prints a button, one that is too heavy, a report that takes more than one sheet, or
// conditions that only colour tells apart.

import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import { CHROMIUM, QUIET, watched } from "./watch.mjs";

const [link, folder = "shots", ...rest] = process.argv.slice(2);
if (!link) {
  console.error("usage: node shots.mjs LOGIN_LINK [FOLDER] [PAGE … | NAME=/PATH … | NAME=FILE …]");
  process.exit(2);
}
const more = rest.filter((word) => word.includes("=")).map((word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)]);
const only = rest.filter((word) => !word.includes("="));
const PAGE_BYTES_MAX = 60_000;
// A4 upright within its margins, at 96 dots an inch; a report lies across.
const PAPER = { width: 702, height: 1032 };
const SIZES = { desk: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };
// What a page says and how it is built is the same by night; only its colours are looked at again.
const SCHEMES = { light: {}, dark: { runOnly: { type: "rule", values: ["color-contrast", "link-in-text-block"] } } };
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'";
const LOGIN = "/login";

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
    kpis: `/scorecard?days=30&group=site_kind&site=${telling.site}`,
    maintenance: "/maintenance",
    risk: "/risk?horizon=24h",
    alerts: "/alerts?show=all",
    ...(await alerted(ask)),
    pipeline: "/pipeline?gaps=show",
    nowhere: "/devices/no-such-device",
  };
}

/** A contract about a kind, and the statement of one of its devices; none where no such contract is recorded. */
async function contracted(ask) {
  const { rows } = await ask("/api/v1/kpi/contract_versions");
  const ofKind = rows.find((row) => row.kind);
  if (!ofKind) return {};
  const { site, contract, kind } = ofKind;
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

/** Looks at one page in every size and scheme: one that the server sends, or a file. */
async function look(context, name, address, served) {
  let now = name;
  const say = (what) => findings.push(`${now}: ${what}`);
  const own = (to) => (address.startsWith("file:") ? to.href === address : to.origin === origin);
  // A page that is not there is told so, by the browser too.
  const fails = (said) => name === "nowhere" && said.location().url === address && said.text().includes("404");
  const page = await watched(context, own, say, fails);
  // What a page is sent as does not depend on who looks at it, nor how: styles do the rest.
  const answer = await page.goto(address, { waitUntil: "load" });
  const bytes = (await answer.body()).length;
  if (bytes > PAGE_BYTES_MAX) say(`${bytes} bytes, more than ${PAGE_BYTES_MAX}`);
  if (served && !answer.headers()["content-security-policy"]?.startsWith(POLICY)) say("its answer has no strict policy");
  await page.evaluate(axe);
  for (const [size, screen] of Object.entries(SIZES)) {
    now = `${name} ${size}`;
    await page.setViewportSize(screen);
    await page.emulateMedia({ colorScheme: "light" });
    for (const what of await page.evaluate(alike)) say(what);
    for (const [scheme, rules] of Object.entries(SCHEMES)) {
      now = `${name} ${size} ${scheme}`;
      await page.emulateMedia({ colorScheme: scheme });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 0) say(`scrolls ${wide} px sideways`);
      const { violations } = await page.evaluate((rules) => globalThis.axe.run(rules), rules);
      for (const { id, help, nodes } of violations) say(`${id}: ${help} (${nodes.length}, e.g. ${nodes[0].target})`);
      await page.screenshot({ path: path.join(folder, `${name}-${size}-${scheme}.png`), fullPage: true });
      console.log(`${now}: ${bytes} bytes, ${violations.length} accessibility findings`);
    }
  }
  now = `${name} paper`;
  await page.setViewportSize(served ? PAPER : { width: PAPER.height, height: PAPER.width });
  await page.emulateMedia({ media: "print", colorScheme: "light" });
  // Nobody prints the page that signs in, which is all button.
  for (const what of name === "login" ? [] : await page.evaluate(onPaper)) say(what);
  await page.screenshot({ path: path.join(folder, `${name}-paper.png`), fullPage: true });
  const sheets = served ? 1 : await printed(page, path.join(folder, `${name}.pdf`));
  if (sheets !== 1) say(`takes ${sheets} sheets of A4`);
  console.log(now);
  await page.close();
}

/** Prints a report as its own style says, into a file; how many sheets it takes. */
async function printed(page, file) {
  const pdf = await page.pdf({ path: file, preferCSSPageSize: true });
  return pdf.toString("latin1").match(/\/Type\s*\/Page\b/g).length;
}

/** Conditions on a device's strip that have one place and one height, so that a thin one of them is told from the other by colour alone. Runs in the page. */
function alike() {
  const strip = document.querySelector(".strip");
  if (!strip) return [];
  const made = (to, tag, style) => {
    const one = to.appendChild(document.createElementNS("http://www.w3.org/2000/svg", tag));
    one.setAttribute("class", style);
    return one;
  };
  const line = (style) => {
    const one = made(strip.querySelector("svg"), "path", style);
    const { strokeWidth, transform } = getComputedStyle(one);
    one.remove();
    return `${strokeWidth} ${transform}`;
  };
  const mark = (style) => {
    const one = made(strip, "rect", style);
    const { y, height } = getComputedStyle(one);
    one.remove();
    return `${y} ${height}`;
  };
  const told = { path: ["p", "s", "e", "n", "x", "d", "u"].map((style) => [style, line(style)]), rect: ["lp", "ls", "le", "n", "x", "d", "u"].map((style) => [style, mark(style)]) };
  return Object.entries(told).flatMap(([tag, all]) => all.flatMap(([one, its], at) =>
    all.slice(at + 1).filter(([, other]) => other === its).map(([other]) => `${tag}s of ${one} and ${other} differ by colour alone: ${its}`)));
}

/** What paper would lose, and what is of no use on it. Runs in the page. */
function onPaper() {
  const shown = (one) => one.checkVisibility() && one.getBoundingClientRect().width > 1;
  const cut = (one) => one.scrollWidth > one.clientWidth + 1 || one.getBoundingClientRect().right > innerWidth + 1;
  const all = (what, is) => [...document.querySelectorAll(what)].filter((one) => shown(one) && is(one));
  return [
    ...all("table, .scroll, svg", cut).map((one) => `${one.tagName} .${one.getAttribute("class")} is cut off`),
    ...all("button, input, select, textarea, nav a", () => true).map((one) => `prints ${one.tagName} ${one.textContent.trim()}`),
  ];
}

await mkdir(folder, { recursive: true });
const browser = await chromium.launch({ executablePath: CHROMIUM, args: QUIET });
try {
  const stranger = await browser.newContext({ ignoreHTTPSErrors: true });
  if (only.length === 0 || only.includes("login")) await look(stranger, "login", origin + LOGIN, true);
  await stranger.close();
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const first = await context.newPage();
  await first.goto(link, { waitUntil: "load" });
  await first.waitForURL(`${origin}/`);
  await first.close();
  const wanted = await pages(context);
  const absent = only.filter((name) => !(name in wanted) && name !== "login");
  if (absent.length > 0) throw new Error(`no page ${absent}: there are login, ${Object.keys(wanted)}`);
  for (const [name, address] of Object.entries(wanted).filter(([name]) => only.length === 0 || only.includes(name))) {
    await look(context, name, origin + address, true);
  }
  for (const [name, where] of more) {
    const served = where.startsWith("/") && !where.endsWith(".html");
    await look(context, name, served ? origin + where : pathToFileURL(path.resolve(where)).href, served);
  }
} finally {
  await browser.close();
}
if (findings.length > 0) {
  console.error(findings.join("\n"));
  process.exit(1);
}
