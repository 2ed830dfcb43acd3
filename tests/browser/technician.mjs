// A technician with a phone: `node technician.mjs LOGIN_LINK [FOLDER] [taps | risk HORIZON ALERT]`.
// `taps` opens the first alert of the list, reads its card, acknowledges it, finds it among their own, and gives a verdict while the
// network is cut: the tap is kept in sight and sent once the network is back, and counts once. A verdict is corrected while it is
// kept, a browser has no room, a proxy answers, and the desk refuses. `risk` reads why devices are at
// risk, what the model behind that is worth, and the card of an alert that a model raised. Fails on an accessibility finding at
// WCAG 2.1 AA, a script error, a request to another host, a page that scrolls sideways, or one that weighs too much with its files.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { WCAG, walked } from "./watch.mjs";
import { PAGE_BYTES_MAX, weigh } from "./weigh.mjs";

const [link, folder = "shots", story = "taps", ...more] = process.argv.slice(2);
if (!link || !["taps", "risk"].includes(story) || (story === "risk" && more.length !== 2)) {
  console.error("usage: node technician.mjs LOGIN_LINK [FOLDER] [taps | risk HORIZON ALERT]");
  process.exit(2);
}
const SCREEN = { width: 390, height: 844 };
const FIRST_SCREEN = ["Device", "Room", "Now", "Suspected part", "Act by", "First check", "Who repairs", "Such alerts"];
const NAME = "Kim Ø. O'Neil";

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
  const { violations } = await page.evaluate((rules) => globalThis.axe.run(rules), WCAG);
  for (const { id, help, nodes } of violations) findings.push(`${name}: ${id}: ${help} (${nodes[0].target})`);
  shots += 1;
  await page.screenshot({ path: path.join(folder, `technician-${story}-${shots}-${name}.png`) });
}

async function light(page, name) {
  const { bytes, parts } = await weigh(page.context(), page.url());
  must(bytes < PAGE_BYTES_MAX, `${name} weighs ${bytes} bytes with its files: ${parts.map((part) => `${part.address} ${part.bytes}`)}`);
  console.log(`${name}: ${bytes} bytes in ${parts.length} files`);
}

/** All of it is on the first screen, without scrolling. */
async function inSight(page, what, name) {
  await page.evaluate(() => scrollTo(0, 0));
  const box = await what.boundingBox();
  const { x, y, width, height } = box ?? { x: -1, y: -1, width: 0, height: 0 };
  const within = x >= 0 && y >= 0 && x + width <= SCREEN.width && y + height <= SCREEN.height;
  must(within, `${name} lies at ${x},${y} and is ${width} × ${height}: not on a screen of ${SCREEN.width} × ${SCREEN.height}`);
}

async function firstScreen(page) {
  const told = await page.locator("dl.card dt").allInnerTexts();
  must(JSON.stringify(told) === JSON.stringify(FIRST_SCREEN), `the card begins with ${told}`);
  await inSight(page, page.locator("dl.card"), "the card");
}

async function taps(page, context) {
  await page.getByRole("link", { name: "Alerts", exact: true }).tap();
  await page.getByRole("heading", { name: "Alerts", exact: true }).waitFor();
  await light(page, "list");
  await look(page, "list");
  await page.locator("ol.alerts a").first().tap();
  await page.locator("dl.card").waitFor();
  await firstScreen(page);
  const address = new URL(page.url());
  const alert = address.pathname.split("/").at(-1);

  await page.getByLabel("Your name").fill(NAME);
  await page.getByRole("button", { name: "Go on" }).tap();
  await page.getByRole("button", { name: "Acknowledge" }).waitFor();
  await light(page, "card");
  await look(page, "card");

  await page.getByRole("button", { name: "Acknowledge" }).tap();
  await page.getByText(`Acknowledged by ${NAME}`).first().waitFor();
  await look(page, "acknowledged");

  await page.getByRole("link", { name: "Alerts", exact: true }).first().tap();
  await page.getByRole("link", { name: "Mine", exact: true }).tap();
  await page.waitForURL(/assigned=me/);
  const mine = await page.locator("ol.alerts a").evaluateAll((all) => all.map((one) => new URL(one.href).pathname));
  must(JSON.stringify(mine) === JSON.stringify([`/alerts/${alert}`]), `mine are ${mine}`);
  await look(page, "mine");
  await page.locator("ol.alerts a").first().tap();
  await page.getByText("Give a verdict").waitFor();

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

  const steps = await life(context, alert);
  must(steps.filter((step) => step === "acknowledged").length === 1, `acknowledged once: ${steps}`);
  must(steps.filter((step) => step === "judged").length === 1, `judged once: ${steps}`);
  console.log(`${alert}: ${steps.join(", ")}`);
  await corrected(page, context, alert);
  await withoutRoom(page);
  await notOurs(page, context);
  await refused(page, context);
}

async function life(context, alert) {
  const told = await (await context.request.get(`${origin}/api/v1/alerts/${alert}`)).json();
  return told.life.map((step) => step.change);
}

/** A verdict that is corrected before it could be sent: both are sent, and the later holds. */
async function corrected(page, context, alert) {
  cut = true;
  await context.setOffline(true);
  for (const part of ["gantry", "tube"]) {
    await page.getByText("Give a verdict").tap();
    await page.getByLabel("Other part").fill(part);
    await page.locator('form:has(#part) button[value="other_part"]').tap();
  }
  must((await page.getByText("Kept, will be sent: Other part").count()) === 2, "not both verdicts are kept");
  await context.setOffline(false);
  await page.getByText("Verdict: Other part: tube").waitFor();
  await page.getByText("Kept, will be sent").first().waitFor({ state: "detached" });
  cut = false;
  const judged = (await life(context, alert)).filter((step) => step === "judged").length;
  must(judged === 3, `judged ${judged} times after a correction`);
}

/** A browser that keeps nothing sends the form by itself. */
async function withoutRoom(page) {
  await page.evaluate(() => {
    Storage.prototype.setItem = () => {
      throw new DOMException("no room", "QuotaExceededError");
    };
  });
  await page.getByText("Give a verdict").tap();
  await page.getByRole("button", { name: "Confirmed" }).tap();
  await page.waitForURL(/asked=/);
  await page.getByText("Verdict: Confirmed").waitFor();
}

/** What a proxy answers is no refusal of ours: the tap stays. */
async function notOurs(page, context) {
  cut = true;
  await context.route(/\/alerts\/[0-9a-f]{16}$/, (route) => {
    if (route.request().method() !== "POST") return route.continue();
    return route.fulfill({ status: 429, contentType: "text/html", body: "<p>Slow down</p>" });
  });
  await page.getByText("Give a verdict").tap();
  await page.getByRole("button", { name: "Not done" }).tap();
  await page.getByText("The server could not take it (429)").waitFor();
  must((await page.getByText("Kept, will be sent: Not done").count()) === 1, "a proxy's answer lost the tap");
  await context.unroute(/\/alerts\/[0-9a-f]{16}$/);
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await page.getByText("Verdict: Not done").waitFor();
  cut = false;
}

/** What the desk refuses is said wherever the person is by then, until it is seen. */
async function refused(page, context) {
  cut = true;
  await context.setOffline(true);
  for (const reason of ["fuse replaced", "fuse replaced twice"]) {
    await page.getByText("Give on, put to sleep, close").tap();
    await page.getByLabel("What fixed it").fill(reason);
    await page.getByRole("button", { name: "Close", exact: true }).tap();
  }
  await context.setOffline(false);
  const words = page.locator("#kept .wrong", { hasText: "was not taken. Not done: it ended at" });
  await words.waitFor();
  cut = false;
  await page.goto(`${origin}/alerts`);
  await words.waitFor();
  await look(page, "refused");
  await page.getByRole("button", { name: "Seen" }).tap();
  await words.waitFor({ state: "detached" });
}

async function risk(page) {
  const [horizon, alert] = more;
  await page.goto(`${origin}/risk?horizon=${horizon}`);
  const reasons = page.locator(".risks .why");
  await reasons.first().waitFor();
  await inSight(page, reasons.first(), "the reason of the first device");
  must((await reasons.first().innerText()).length > "Why ".length, "the first device has no reason");
  await light(page, "risk");
  await look(page, "devices");

  await page.locator("tr", { has: page.getByText("in use", { exact: true }) }).getByRole("link").first().tap();
  await page.getByRole("heading", { name: /^Who speaks for which part/ }).waitFor();
  await light(page, "model");
  await look(page, "model");
  await page.getByRole("link", { name: "Backtest" }).tap();
  await page.getByRole("heading", { name: /^Backtest: failures within/ }).waitFor();
  const voices = await page.locator(".voices-judged tbody th").allInnerTexts();
  must(voices.length === 8 && voices.includes("trees"), `the backtest judges ${voices}`);
  must((await page.locator("svg.plot polyline").count()) >= 4, "the backtest draws no curves");
  await light(page, "backtest");
  await look(page, "backtest");

  await page.goto(`${origin}/alerts/${alert}`);
  await page.locator("dl.card").waitFor();
  await firstScreen(page);
  const first = await page.locator("dl.card dd").allInnerTexts();
  first.forEach((words, at) => must(words.trim().length > 0, `${FIRST_SCREEN[at]} says nothing`));
  await inSight(page, page.locator('dl.card a[href^="tel:"]').first(), "the phone of who repairs");
  await light(page, "foreseen");
  await look(page, "foreseen");
  const count = async (what) => page.locator(what).count();
  must((await count("#risk .plain-list li")) >= 1, "nothing speaks for the risk");
  must((await count("#risk .voices > div")) === 3, "not each of three voices says what it thinks");
  must((await page.locator("#risk .voices").innerText()).includes("is heard"), "no voice is heard");
  for (const heading of ["Equivalents free now", "Similar cases and what fixed them", "Risk of the device, any part"]) {
    must((await page.getByRole("heading", { name: heading }).count()) === 1, `there is no ${heading}`);
  }
  must((await count("svg.trend.errors")) === 1, "no line of errors a day");
  const lives = page.locator('section[aria-labelledby="counters-h"] td:last-child');
  must((await lives.allInnerTexts()).some((life) => /\d/.test(life)), "no counter shows its life");
  const ends = await lives.evaluateAll((all) => all.map((one) => one.getBoundingClientRect().right));
  must(ends.every((end) => end <= SCREEN.width), `lives of counters end at ${ends} px`);
  await page.locator("#risk").scrollIntoViewIfNeeded();
  await look(page, "grounds");
  console.log(first.map((words, at) => `${FIRST_SCREEN[at]}: ${words.replaceAll("\n", " ")}`).join("\n"));
}

const PHONE = { viewport: SCREEN, hasTouch: true, isMobile: true };
// The browser itself complains of requests that a cut network does not carry.
const phone = { screen: PHONE, fails: () => cut };
await walked(link, folder, findings, (page, context) => (story === "taps" ? taps(page, context) : risk(page)), phone);
