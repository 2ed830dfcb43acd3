// What a browser must never report while somebody uses the pages: errors, what the pages' policy forbids, requests to anybody else.

import { mkdir } from "node:fs/promises";
import { chromium } from "playwright-core";

export const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
/** The browser's own errands would be requests that leave the machine. */
export const QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
  "--disable-sync", "--no-first-run", "--disable-default-apps", "--metrics-recording-only"];
/** WCAG 2.1, levels A and AA. */
export const WCAG = { runOnly: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] } };

/** A page whose mishaps are said. `own` tells which requests are the server's; an answer that is to fail is no mishap where `fails` says so. */
export async function watched(context, own, say, fails = () => false) {
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.on("pageerror", (error) => say(`script error: ${error.message}`));
  page.on("console", (said) => {
    if (said.type() === "error" && !fails(said)) say(`the browser says: ${said.text()}`);
  });
  page.on("request", (request) => own(new URL(request.url())) || say(`request to ${request.url()}`));
  // Events are told to the console, where the listener above hears them, also after the page is left.
  await page.addInitScript(() => addEventListener("securitypolicyviolation", (event) =>
    console.error(`policy violated: ${event.violatedDirective} by ${event.blockedURI} at ${event.sourceFile}:${event.lineNumber}`)));
  return page;
}

const DESK = { viewport: { width: 1440, height: 900 } };

/** Somebody's walk through the pages, at a desk or with another `screen`, from a login link on. `fails` as for [`watched`]. Ends the process
 *  where something was found on the way. */
export async function walked(link, folder, findings, steps, { screen = DESK, fails } = {}) {
  const origin = new URL(link).origin;
  await mkdir(folder, { recursive: true });
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: QUIET });
  try {
    const context = await browser.newContext({ ...screen, ignoreHTTPSErrors: true });
    const page = await watched(context, (to) => to.origin === origin, (what) => findings.push(what), fails);
    await page.goto(link);
    await page.waitForURL(`${origin}/`);
    await steps(page, context);
  } finally {
    await browser.close();
  }
  if (findings.length > 0) {
    console.error(findings.join("\n"));
    process.exit(1);
  }
}
