// Alerts: the page is read again when one changes, and a tap on a dead network is kept in this browser and sent later under
// the key it always had. Without this script the forms are plain forms.

const STORE = "medfleet.taps";
const RETRY_MS = 10000;
const KEPT_DAYS = 7;
/** A page of ours with one of these says that a tap will never be taken. */
const REFUSALS = [400, 404, 409, 422];

const box = document.getElementById("kept");
let sending = false;

/** All that is kept: taps to be sent, and those that were refused, until somebody has seen it. */
function kept() {
  try {
    return JSON.parse(localStorage.getItem(STORE) ?? "[]");
  } catch {
    return [];
  }
}

function taps() {
  return kept().filter((tap) => !tap.refused);
}

function keep(all) {
  localStorage.setItem(STORE, JSON.stringify(all));
}

function same(tap, other) {
  return tap.to === other.to && tap.body === other.body;
}

function without(done) {
  return kept().filter((tap) => !same(tap, done));
}

function paragraph(text, className) {
  const line = document.createElement("p");
  line.className = className;
  line.textContent = text;
  return line;
}

function refusal(tap) {
  const line = paragraph(`${tap.says} was not taken. ${tap.refused} `, "wrong");
  const seen = document.createElement("button");
  seen.textContent = "Seen";
  seen.addEventListener("click", () => {
    keep(without(tap));
    show();
  });
  line.append(seen);
  return line;
}

/** What is kept is always in sight, on every page of alerts, and so is what was refused. */
function show(said) {
  const lines = kept().map((tap) => (tap.refused ? refusal(tap) : paragraph(`Kept, will be sent: ${tap.says}`, "kept")));
  box.replaceChildren(...lines, ...(said ? [paragraph(said, "wrong")] : []));
}

function refuse(tap, refused) {
  keep([...without(tap), { ...tap, refused }]);
  show();
}

/** What is too old to be sent is said to be, and not dropped without a word. */
function age() {
  const oldest = Date.now() - KEPT_DAYS * 86400000;
  const old = taps().filter((tap) => tap.at <= oldest);
  for (const tap of old) refuse(tap, `It could not be sent for ${KEPT_DAYS} days: look at the alert again.`);
}

/** Sent, or refused by us in so many words: then it need not be sent again. Whatever else answers is not us. */
async function send(tap) {
  const headers = { "content-type": "application/x-www-form-urlencoded", accept: "text/html" };
  const answer = await fetch(tap.to, { method: "POST", headers, body: tap.body });
  if (answer.url.includes("/login")) throw new Error("Sign in again: what is kept is sent then.");
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const problem = REFUSALS.includes(answer.status) && page.querySelector("[data-problem]");
  if (!answer.ok && !problem) {
    throw new Error(`The server could not take it (${answer.status}): what is kept is sent again by itself.`);
  }
  if (!answer.ok) return refuse(tap, page.querySelector("h1 + p")?.textContent ?? "");
  const refused = page.querySelector("#alert-head > p.wrong");
  if (refused) refuse(tap, refused.textContent);
  else keep(without(tap));
  show();
  if (new URL(answer.url).pathname === location.pathname) {
    document.dispatchEvent(new CustomEvent("medfleet:page", { detail: page }));
  }
}

/** The same words under the same key, other words under another: a verdict that is corrected is not the one before. */
function keyed(body) {
  const text = body.toString();
  let sum = 5381;
  for (let at = 0; at < text.length; at += 1) sum = (sum * 33 + text.charCodeAt(at)) >>> 0;
  body.set("key", `${body.get("key")}-${sum.toString(16)}`);
  return body.toString();
}

/** In the order they were made; the first that cannot be sent holds the rest. */
async function sendAll() {
  if (sending) return;
  sending = true;
  try {
    age();
    for (let tap = taps()[0]; tap; tap = taps()[0]) await send(tap);
  } catch (error) {
    show(error instanceof TypeError ? "" : error.message);
  } finally {
    sending = false;
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-alert]")) return;
  const body = keyed(new URLSearchParams(new FormData(form, event.submitter)));
  const says = `${event.submitter?.dataset.says ?? event.submitter?.textContent.trim()} – ${form.dataset.alert}`;
  const tap = { to: form.action, body, says, at: Date.now() };
  try {
    keep([...without(tap), tap]);
  } catch {
    return; // This browser keeps nothing: the form goes out by itself.
  }
  event.preventDefault();
  form.closest("details")?.removeAttribute("open");
  document.activeElement?.blur();
  show();
  sendAll();
});

addEventListener("online", sendAll);
setInterval(() => taps().length > 0 && sendAll(), RETRY_MS);
show();
sendAll();

if (document.body.hasAttribute("data-live")) {
  const events = new EventSource("/api/v1/alerts/live");
  const news = () => document.dispatchEvent(new Event("medfleet:news"));
  events.addEventListener("alerts", news);
  events.addEventListener("resync", news);
  addEventListener("pagehide", () => events.close());
}
