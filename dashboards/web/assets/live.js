// Keeps a page fresh: when a newer cut changes a device, the page is read again and its parts are replaced together, so
// that all numbers on it belong to one cut. Without this script the page is simply as old as it says.

const PARTS = ["fresh", "headline", "now", "matrix", "timeline", "alerts", "alert-head", "life"];
const FIRST_WAIT_MS = 1500;
const WAIT_MS = 10000;
const NEWS_WAIT_MS = 200;

let due = null;
let readAt = 0;

async function readAgain() {
  due = null;
  if (document.hidden) return;
  readAt = Date.now();
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!answer.ok || answer.redirected) return;
  renew(new DOMParser().parseFromString(await answer.text(), "text/html"));
}

/** Takes the parts of a page that was read again. */
function renew(next) {
  for (const id of PARTS) {
    const old = document.getElementById(id);
    const fresh = next.getElementById(id);
    if (!old || !fresh || old.contains(document.activeElement)) continue;
    const left = old.scrollLeft;
    old.replaceWith(fresh);
    fresh.scrollLeft = left;
  }
}

// Other scripts of a page know of something new, or have just read the page.
document.addEventListener("medfleet:news", () => {
  clearTimeout(due);
  due = setTimeout(() => readAgain().catch(() => {}), NEWS_WAIT_MS);
});
document.addEventListener("medfleet:page", (event) => renew(event.detail));

function soon() {
  if (due !== null) return;
  const wait = Math.max(FIRST_WAIT_MS, readAt + WAIT_MS - Date.now());
  due = setTimeout(() => readAgain().catch(() => {}), wait);
}

if (document.body.hasAttribute("data-live")) {
  const events = new EventSource("/api/v1/live");
  events.addEventListener("change", soon);
  events.addEventListener("resync", soon);
  events.onopen = () => document.body.classList.add("connected");
  events.onerror = () => document.body.classList.remove("connected");
  document.addEventListener("visibilitychange", () => document.hidden || soon());
  addEventListener("pagehide", () => events.close());
}
