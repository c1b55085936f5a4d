// What the pages do beyond showing: each part works on what it finds on the page and on nothing else.
// Texts from the hub are put in as text; the only markup taken over is that of the hub's own pages.
"use strict";

const news = document.getElementById("news");

// The path of the hub's public URL: empty, or the part of the host under which the hub lies.
const { base } = document.body.dataset;

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
    const answer = await fetch(`${base}/v1/federated`, { method: "HEAD", headers, cache: "no-store" });
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
    timer = setTimeout(() => show(address()), event.target.type === "search" ? 30 : 0);
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("#results a[data-live]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    show(link.getAttribute("href"));
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    show(address());
  });
}

// ---- Doing something with a token. It stays in its field and is sent to this hub alone; nothing keeps it.

function told(tag, about, ...inside) {
  const made = Object.assign(document.createElement(tag), about);
  made.append(...inside);
  return made;
}

// Text of a publisher or of a problem, whose direction must not reach what stands beside it.
const apart = (text) => told("bdi", {}, text);

async function ask(method, path, { body, token, type = "application/json" } = {}) {
  const headers = { Accept: "application/json", ...(body !== undefined && { "Content-Type": type }) };
  if (token !== undefined) headers.Authorization = `Bearer ${token}`;
  try {
    const answer = await fetch(base + path, { method, headers, body, cache: "no-store", credentials: "omit" });
    return { ok: answer.ok, said: await answer.json() };
  } catch {
    return { ok: false, said: { title: "No answer of the hub arrived", detail: "Whether it did what was asked is not known; reload the page to see." } };
  }
}

function refused(problem) {
  const errors = (problem.errors || []).map((one) => told("li", {}, told("code", {}, apart(one.pointer)), " ", apart(one.detail)));
  const lines = [told("p", {}, told("span", { className: "failed" }, `${problem.title}. `), apart(problem.detail))];
  return errors.length ? [...lines, told("ul", {}, ...errors)] : lines;
}

function faults(errors) {
  return told("ul", {}, ...errors.map((one) =>
    told("li", {}, `Line ${one.line}, column ${one.column}: `, told("code", {}, apart(one.pointer)), " ", apart(one.detail), ". ",
      apart(one.hint || ""))));
}

function number(count, noun, nouns = `${noun}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? noun : nouns}`;
}

const entries = (count) => number(count, "entry", "entries");

function standing(count, served, winners) {
  if (served === count) return `${entries(count)}${count ? ", all of them served" : ""}`;
  if (count === 1) return `1 entry, not served${winners.length ? `: its id is claimed by ${winners[0].repo}` : ""}`;
  const some = (lost) => (lost === count ? "all" : lost.toLocaleString("en"));
  const claimed = winners.slice(0, 5).map((one) => `${some(one.count)} claimed by ${one.repo}`).join(", ");
  return `${entries(count)}, ${served.toLocaleString("en")} of them served${claimed && `: ${claimed}`}`;
}

function claims(conflicts) {
  const counted = new Map();
  for (const { repo } of conflicts) counted.set(repo, (counted.get(repo) || 0) + 1);
  return [...counted].map(([repo, count]) => ({ repo, count })).sort((one, other) => other.count - one.count);
}

function checked({ repo, outcome, source }) {
  const good = outcome === "changed" || outcome === "unchanged";
  return told("p", {}, told("span", { className: good ? "fresh" : "failed" }, `${outcome}. `),
    `${repo} is ${source.state}: ${standing(source.capability_count, source.served_count, source.served_elsewhere)}. `, apart(source.error ? source.error.detail : ""));
}

function tried(said) {
  const { fetch: got, refusal, errors, conflicts, capabilities } = said;
  const good = !refusal && got.outcome === "fetched";
  const made = [told("p", {}, told("span", { className: good ? "fresh" : "failed" },
    good ? "It can be registered. " : "It would not work yet. "),
    good ? `It would bring ${standing(said.capability_count, said.served_count, claims(conflicts))}. ` : "",
    apart([refusal && refusal.detail, got.error && got.error.detail].filter(Boolean).join(" ")))];
  if (errors.length) made.push(faults(errors));
  if (conflicts.length) made.push(told("p", {}, `${number(conflicts.length, "id is", "ids are")} claimed by others already, so these entries would not be served:`),
    told("ul", {}, ...conflicts.slice(0, 20).map((one) =>
      told("li", {}, told("code", {}, one.id), ` by ${one.repo}${one.identical ? ", with the same content" : ""}`))));
  if (capabilities.length) made.push(told("ul", {}, ...capabilities.slice(0, 20).map((one) =>
    told("li", {}, apart(one.name), " ", told("code", {}, one.id)))));
  return made;
}

async function renew() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-part]")) {
    const found = page.querySelector(`[data-part="${part.dataset.part}"]`);
    if (found) part.replaceWith(document.adoptNode(found));
  }
  document.body.dataset.serial = page.body.dataset.serial;
  offerCopying(document);
}

const sourcePath = (repo) => `/v1/repos/${encodeURIComponent(repo)}`;

function wanted() {
  const given = Object.fromEntries([...new FormData(document.getElementById("registration"))].filter(([, text]) => text));
  return JSON.stringify({ ...given, ...(given.required && { required: true }) });
}

const deeds = {
  async check(form) {
    const body = form.querySelector("textarea").value;
    const { ok, said } = await ask("POST", "/v1/validate", { body, type: "application/yaml" });
    if (!ok) return refused(said);
    if (said.valid) return [told("p", {}, told("span", { className: "fresh" }, "It is valid"), `, with ${entries(said.capability_count)}.`)];
    return [told("p", {}, told("span", { className: "failed" }, number(said.errors.length, "fault"))), faults(said.errors)];
  },
  async try(form, token) {
    const { ok, said } = await ask("POST", "/v1/repos?dry_run=true", { body: wanted(), token });
    return ok ? tried(said) : refused(said);
  },
  async register(form, token) {
    const made = await ask("POST", "/v1/repos", { body: wanted(), token });
    if (!made.ok) return refused(made.said);
    const { repo } = made.said;
    const first = told("p", {}, told("span", { className: "fresh" }, "Registered: "),
      told("a", { href: `${base}/sources/${encodeURIComponent(repo)}` }, repo));
    const read = await ask("POST", `${sourcePath(repo)}/refresh`, { token });
    return [first, ...(read.ok ? [checked(read.said)] : refused(read.said))];
  },
  async refresh(form, token) {
    const { ok, said } = await ask("POST", `${sourcePath(form.dataset.repo)}/refresh`, { token });
    return ok ? [checked(said)] : refused(said);
  },
  async accept(form, token) {
    // What the page shows is accepted, and not what a later check may have brought.
    const { digest } = form.querySelector("[data-digest]").dataset;
    const { ok, said } = await ask("POST", `${sourcePath(form.dataset.repo)}/accept`, { body: JSON.stringify({ digest }), token });
    return ok ? [checked(said)] : refused(said);
  },
  enable: (form, token) => turn(form, token, true),
  disable: (form, token) => turn(form, token, false),
};

const nextCheck = (form) => ("scheduled" in form.dataset
  ? "Its next check is due now."
  : "This hub does not check in the background: “Check it now” reads the index.");

async function turn(form, token, enabled) {
  const { ok, said } = await ask("PATCH", sourcePath(form.dataset.repo), { body: JSON.stringify({ enabled }), token });
  if (!ok) return refused(said);
  return [told("p", {}, told("span", { className: "fresh" }, enabled ? "Enabled. " : "Disabled. "),
    enabled ? nextCheck(form) : "Nothing of it is served; its registration and its history are kept.")];
}

function act(form) {
  const outcome = form.querySelector(".outcome");
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-do]");
    if (!button || form.ariaBusy === "true") return;
    // What takes entries away is asked about first, as the client does on a terminal.
    if (button.dataset.question && !confirm(button.dataset.question)) {
      outcome.replaceChildren(told("p", {}, "Nothing was changed."));
      return;
    }
    form.ariaBusy = "true";
    outcome.replaceChildren(told("p", {}, "One moment \u2026"));
    try {
      const lines = await deeds[button.dataset.do](form, form.querySelector(".token")?.value);
      if (form.id === "act") await renew();
      outcome.replaceChildren(...lines);
    } finally {
      form.ariaBusy = "false";
    }
  });
}

for (const form of document.querySelectorAll("form.act")) act(form);
for (const form of document.querySelectorAll("form[data-live]")) live(form);
offerCopying(document);
tellTimes();
setInterval(tellTimes, 20_000);
document.addEventListener("visibilitychange", lookForNews);
watched.timer = setTimeout(lookForNews, EVERY);
