// What a page weighs with all that it loads, before it is compressed.

export const PAGE_BYTES_MAX = 60_000;

/** Loads a page anew: its bytes with styles, scripts, pictures and fonts, and each of them. What streams is no part of it. */
export async function weigh(context, address) {
  const page = await context.newPage();
  const answers = [];
  page.on("response", (answer) => answer.request().resourceType() !== "eventsource" && answers.push(answer));
  await page.goto(address, { waitUntil: "load" });
  const icons = await page.locator("link[rel=icon]").evaluateAll((all) => all.map((one) => one.href));
  const seen = new Set(answers.map((answer) => answer.url()));
  for (const icon of icons.filter((icon) => !seen.has(icon))) answers.push(await context.request.get(icon));
  const whole = answers.filter((answer) => answer.status() < 300 || answer.status() >= 400);
  const parts = await Promise.all(whole.map(async (answer) => ({ address: answer.url(), bytes: (await answer.body()).length })));
  await page.close();
  return { bytes: parts.reduce((sum, part) => sum + part.bytes, 0), parts };
}
