// An operator re-drives a quarantined batch: `node operator.mjs LOGIN_LINK FOLDER ABOUT REASON`. Opens the pipeline page, finds what was
// refused about ABOUT (`device/ct-1`) with its REASON, drives each entry in again with its button, and sees it admitted and gone; a
// moment later, with the facts in the tables, it is still gone. Fails on an accessibility finding, an error or a violated policy that the
// browser tells of, and a request to another host. Prints the places as JSON.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { WCAG, walked } from "./watch.mjs";

const [link, folder, about, reason] = process.argv.slice(2);
if (!reason) {
  console.error("usage: node operator.mjs LOGIN_LINK FOLDER ABOUT REASON");
  process.exit(2);
}
const ADMITTED = /^(\d+:\d+): (\d+) facts? admitted\.$/;
const READ_ANEW_MILLISECONDS = 500;
const origin = new URL(link).origin;
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const findings = [];
const must = (holds, what) => holds || findings.push(what);
let shots = 0;

async function look(page, name) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate((rules) => globalThis.axe.run(rules), WCAG);
  for (const { id, help, nodes } of violations) findings.push(`${name}: ${id}: ${help} (${nodes[0].target})`);
  shots += 1;
  await page.screenshot({ path: path.join(folder, `operator-${shots}-${name}.png`), fullPage: true });
}

/** The entries about ABOUT that the page offers for a second try. */
const entries = (page) => page.locator("#quarantine tbody tr", { has: page.getByText(about, { exact: true }) });
const place = async (row) => (await row.locator("th").innerText()).trim();

/** The first entry that was not driven in yet. One that was, two clicks ago, is offered until its facts are in the tables. */
async function next(page, driven) {
  for (const row of await entries(page).all()) {
    const at = await place(row);
    if (!driven.some((one) => one.place === at)) return { row, at };
  }
  throw new Error(`none is left that was not driven in: ${JSON.stringify(driven)}`);
}

/** One entry: its button, what the page says then, and that it is gone. Answers the place and how many facts were admitted. */
async function redrive(page, driven) {
  const { row, at } = await next(page, driven);
  must((await row.innerText()).includes(reason), `${at} is refused for another reason: ${await row.innerText()}`);
  await row.getByRole("button", { name: `Redrive ${at}`, exact: true }).click();
  const said = page.locator("#quarantine [role=status]", { hasText: `${at}: ` });
  await said.waitFor();
  const told = ADMITTED.exec((await said.innerText()).trim());
  must(told?.[1] === at, `of ${at} the page says: ${await said.innerText()}`);
  must((await page.getByRole("button", { name: `Redrive ${at}`, exact: true }).count()) === 0, `${at} is admitted and still offered`);
  return { place: at, facts: Number(told?.[2]) };
}

/** Until the tables have what the log has, and the page a cut with it. It is read anew: a cut that is made while a page is on its way
    is told to no one. */
async function inTables(page) {
  const waiting = page.locator("#headline .fig", { hasText: "Waiting" }).locator(".mid");
  do {
    await page.waitForTimeout(READ_ANEW_MILLISECONDS);
    await page.goto(`${origin}/pipeline`);
  } while ((await waiting.innerText()).trim() !== "0");
}

await walked(link, folder, findings, async (page) => {
  await page.getByRole("link", { name: "Pipeline", exact: true }).click();
  await page.getByRole("heading", { name: "Quarantine" }).waitFor();
  await entries(page).first().waitFor();
  const offered = await entries(page).count();
  await look(page, "refused");

  const driven = [];
  while (driven.length < offered && findings.length === 0) {
    driven.push(await redrive(page, driven));
    await look(page, "admitted");
  }
  if (findings.length === 0) {
    await inTables(page);
    await page.reload();
    for (const one of driven) {
      const offered = await page.getByRole("button", { name: `Redrive ${one.place}`, exact: true }).count();
      must(offered === 0, `the facts of ${one.place} are in the tables, and it is offered again`);
    }
    await look(page, "gone");
  }
  console.log(JSON.stringify(driven));
});
