// A leader finds why a site is worse, down to the facts: `node leader.mjs LOGIN_LINK [FOLDER]`. From the comparison to the
// devices behind the worst site, to the failures of one, to the facts in the log, by links alone. Fails where the verdict does not name
// the site taken (or, where no site is worse, does not say that), where a step does not lead on, where the browser reports an error or
// a violation of the page's policy, or where something is asked of another host. Prints the site, the device and the facts as JSON.

import path from "node:path";
import { walked } from "./watch.mjs";

const [link, folder = "shots"] = process.argv.slice(2);
if (!link) {
  console.error("usage: node leader.mjs LOGIN_LINK [FOLDER]");
  process.exit(2);
}
const findings = [];
const must = (holds, what) => holds || findings.push(what);

/** The sites as the page shows them: name, ratio, and the mark of their standing. */
async function sites(page) {
  return page.locator("table.compared tbody tr:not(.group)").evaluateAll((rows) =>
    rows.map((row) => ({
      name: row.querySelector("th a").textContent.trim(),
      ratio: Number(row.querySelector("td b").textContent.replaceAll(",", "")),
      standing: row.querySelector("td .mark").className.split(" ").at(-1),
    })));
}

/** The site to look into, which the verdict must name as worse; where none is, the verdict must say so and the highest ratio is taken. */
function worst(all, verdict) {
  const highest = (some) => some.toSorted((a, b) => b.ratio - a.ratio)[0];
  const beyond = all.filter((site) => site.standing === "most");
  const between = all.filter((site) => site.standing === "more");
  const named = (start, site) => verdict.some((line) => line.startsWith(start) && line.includes(`${site.name} (`));
  if (beyond.length > 0) {
    const site = highest(beyond);
    must(named("More ", site), `the verdict does not name ${site.name} as worse: ${verdict}`);
    return site;
  }
  must(!verdict.some((line) => line.startsWith("More ")), `the verdict names a site that no mark shows: ${verdict}`);
  if (between.length > 0) {
    const site = highest(between);
    must(named("Between ", site), `the verdict does not name ${site.name} as one to look at: ${verdict}`);
    return site;
  }
  const open = /^No site lies outside the limits|^No ranking is given|groups can be told apart/;
  must(verdict.some((line) => open.test(line)), `no site is worse, and the verdict does not say so: ${verdict}`);
  return highest(all);
}

await walked(link, folder, findings, async (page) => {
  await page.getByRole("link", { name: "Compare", exact: true }).click();
  await page.getByRole("heading", { name: "Sites compared" }).waitFor();
  const verdict = await page.locator(".verdict p").allInnerTexts();
  const all = await sites(page);
  must(all.length > 1 && all.every((site) => Number.isFinite(site.ratio)), `sites and ratios are ${JSON.stringify(all)}`);
  const site = worst(all, verdict);
  await page.screenshot({ path: path.join(folder, "leader-1-sites.png"), fullPage: true });

  const own = page.locator("table.compared tr", { has: page.getByRole("link", { name: site.name, exact: true }) });
  await own.getByRole("link", { name: "which devices" }).click();
  await page.getByRole("heading", { name: `${site.name}: which devices` }).waitFor();
  const more = await page.locator("#devices tbody td:last-child").allInnerTexts();
  const excess = more.map((text) => Number(text.replaceAll(",", "").replace("−", "-").replace("+", "")));
  must(excess.length > 0 && excess.every((one, at) => at === 0 || one <= excess[at - 1]), `its devices stand in the order ${more}`);
  const first = page.locator("#devices tbody th a").first();
  const device = (await first.innerText()).trim();
  await page.screenshot({ path: path.join(folder, "leader-2-devices.png"), fullPage: true });

  await first.click();
  await page.getByRole("heading", { name: device, exact: true }).waitFor();
  must((await page.getByRole("link", { name: site.name }).count()) > 0, `${device} does not lead back to ${site.name}`);
  const facts = page.locator("#trouble tbody a").first();
  must((await facts.count()) === 1, `${device} shows no failure`);
  await page.screenshot({ path: path.join(folder, "leader-3-device.png"), fullPage: true });

  await facts.click();
  await page.getByRole("heading", { name: `Facts behind ${device}` }).waitFor();
  const codes = await page.locator("table.facts code").allInnerTexts();
  const places = codes.filter((code) => /^facts \d+:\d+ #\d+$/.test(code));
  must(places.length > 0, "no fact names its place in the log");
  await page.screenshot({ path: path.join(folder, "leader-4-facts.png"), fullPage: true });
  console.log(JSON.stringify({ verdict, site: site.name, standing: site.standing, device, address: page.url(), places }));
});
