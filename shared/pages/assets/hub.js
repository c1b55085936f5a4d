// What the pages do beyond showing: each part works on what it finds on the page and on nothing else.
// Texts from the hub are put in as text; the only markup taken over is that of the hub's own pages.
"use strict";

const news = document.getElementById("news");

// ---- Times go on while a page is open.

const UNITS = [[60, 3600, "min"], [3600, 172800, "h"], [86400, 5184000, "days"], [2592000, Infinity, "months"]];

function ago(seconds) {
  const length = Math.abs(seconds);
  if (length < 45) return seconds >= 0 ? "just now" : "in a moment";
  const [size, , unit] = UNITS.find(([, below]) => length < below);
  const told = `${Math.max(Math.round(length / size), 1)} ${unit}`;
  return seconds > 0 ? `${told} ago` : `in ${told}`;
}

function tellTimes() {
  for (const time of document.querySelectorAll("time[title]")) {
    const told = ago((Date.now() - Date.parse(time.dateTime)) / 1000);
    if (time.textContent !== told) time.textContent = told;
  }
}

// ---- Lines to copy.

function offerCopying(root) {
  for (const lines of root.querySelectorAll(".lines:not(:has(button))")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(lines.querySelector("code").textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    lines.append(button);
  }
}

// ---- A new serial: asked for by a conditional request for the head alone, less often when it can't be had.

const EVERY = Number(document.body.dataset.every || 15) * 1000;
const LONGEST = 300_000;
const watched = { tag: null, wait: EVERY, timer: 0 };

async function lookForNews() {
  clearTimeout(watched.timer);
  if (document.hidden) return;
  try {
    const headers = { Accept: "application/json", ...(watched.tag && { "If-None-Match": watched.tag }) };
    const answer = await fetch("/v1/federated", { method: "HEAD", headers, cache: "no-store" });
    watched.wait = answer.ok || answer.status === 304 ? EVERY : Math.min(watched.wait * 2, LONGEST);
    if (answer.ok) {
      watched.tag = answer.headers.get("ETag");
      tellNews(answer.headers.get("Reuse-Surface-Serial"));
    }
  } catch {
    watched.wait = Math.min(watched.wait * 2, LONGEST);
  }
  watched.timer = setTimeout(lookForNews, watched.wait);
}

function tellNews(serial) {
  if (!serial || serial === document.body.dataset.serial || news.dataset.serial === serial) return;
  news.dataset.serial = serial;
  const link = document.createElement("a");
  link.href = location.href;
  link.textContent = "Show it";
  news.replaceChildren(`The federated index has changed: serial ${serial}. `, link);
}

// ---- Forms that show what they find while one types. The address bar holds what is asked for.

function live(form) {
  let under = null;
  let timer = 0;
  const address = () => {
    const given = [...new FormData(form)].filter(([, value]) => value !== "");
    const query = new URLSearchParams(given).toString();
    return query ? `${form.getAttribute("action")}?${query}` : form.getAttribute("action");
  };
  const show = async (to) => {
    under?.abort();
    under = new AbortController();
    const asked = performance.now();
    try {
      const answer = await fetch(to, { headers: { Accept: "text/html" }, signal: under.signal });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const found = page.getElementById("results");
      if (!found) return location.assign(to);
      document.getElementById("results").replaceWith(document.adoptNode(found));
      history.replaceState(null, "", to);
      offerCopying(found);
      found.dataset.took = (performance.now() - asked).toFixed(1);
    } catch (fault) {
      if (fault.name !== "AbortError") location.assign(to);
    }
  };
  form.addEventListener("input", (event) => {
    clearTimeout(timer);
    timer = setTimeout(() => show(address()), event.target.type === "search" ? 60 : 0);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    show(address());
  });
}

for (const form of document.querySelectorAll("form[data-live]")) live(form);
offerCopying(document);
tellTimes();
setInterval(tellTimes, 20_000);
document.addEventListener("visibilitychange", lookForNews);
watched.timer = setTimeout(lookForNews, EVERY);
