// Alerts: the page is read again when one changes, and a tap on a dead network is kept in this browser and sent later under
// the key it always had. Without this script the forms are plain forms.

const STORE = "medfleet.taps";
const RETRY_MS = 10000;
const KEPT_DAYS = 7;

const box = document.getElementById("kept");
let sending = false;

function taps() {
  try {
    const oldest = Date.now() - KEPT_DAYS * 86400000;
    return JSON.parse(localStorage.getItem(STORE) ?? "[]").filter((tap) => tap.at > oldest);
  } catch {
    return [];
  }
}

function keep(all) {
  localStorage.setItem(STORE, JSON.stringify(all));
}

function without(done) {
  return taps().filter((tap) => tap.to !== done.to || tap.body !== done.body);
}

function paragraph(text, className) {
  const line = document.createElement("p");
  line.className = className;
  line.textContent = text;
  return line;
}

/** What is kept is always in sight, and what was said against it. */
function show(said) {
  const kept = taps().map((tap) => paragraph(`Kept, will be sent: ${tap.says}`, "kept"));
  box.replaceChildren(...kept, ...(said ? [paragraph(said, "wrong")] : []));
}

/** True: it need not be kept any longer. */
async function send(tap) {
  const headers = { "content-type": "application/x-www-form-urlencoded", accept: "text/html" };
  const answer = await fetch(tap.to, { method: "POST", headers, body: tap.body });
  if (answer.url.includes("/login")) throw new Error("Sign in again: what is kept is sent then.");
  if (answer.status >= 500) throw new Error("The server is busy: what is kept is sent again by itself.");
  keep(without(tap));
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!answer.ok) return show(`${tap.says} was not taken: ${page.querySelector("main p")?.textContent ?? answer.status}`);
  show();
  if (new URL(answer.url).pathname === location.pathname) {
    document.dispatchEvent(new CustomEvent("medfleet:page", { detail: page }));
  }
}

/** In the order they were made; the first that cannot be sent holds the rest. */
async function sendAll() {
  if (sending) return;
  sending = true;
  try {
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
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form, event.submitter)).toString();
  const says = `${event.submitter?.dataset.says ?? event.submitter?.textContent.trim()} – ${form.dataset.alert}`;
  const tap = { to: form.action, body, says, at: Date.now() };
  keep([...without(tap), tap]);
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
