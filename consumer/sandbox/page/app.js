"use strict";

/* Fetches the figures every second while the page is visible. Values become text nodes only, never markup. */

const REFRESH_MS = 1000;
const chosen = { object: null, page: 0, search: "" };
const count = new Intl.NumberFormat("en");
const byId = (id) => document.getElementById(id);

function make(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

/* Replaces the children only when they differ, so that selection, focus and scroll position are kept. */
function show(parent, children) {
  const next = make("div", null, ...children);
  if (parent.innerHTML !== next.innerHTML) parent.replaceChildren(...next.childNodes);
}

/* Sets a text only when it changed: a screen reader reads out each change, and would do so every second. */
function say(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}

async function ask(name, parameters) {
  const query = parameters ? `?${new URLSearchParams(parameters)}` : "";
  const answer = await fetch(`/sandbox/api/${name}.json${query}`, { cache: "no-store" });
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return answer.json();
}

function bytes(size) {
  if (size < 1000) return `${size} B`;
  return size < 1e6 ? `${(size / 1e3).toFixed(1)} kB` : `${(size / 1e6).toFixed(1)} MB`;
}

function showFigures(overview) {
  const sum = (key) => overview.objects.reduce((total, object) => total + object[key], 0);
  const refused = Object.entries(overview.statuses)
    .filter(([status]) => Number(status) < 200 || Number(status) >= 400)
    .reduce((total, [, times]) => total + times, 0);
  const figures = [
    ["Rows stored", count.format(sum("rows"))],
    ["Upserts accepted", count.format(sum("upserts"))],
    ["Deletes accepted", count.format(sum("deletes"))],
    ["Requests", count.format(overview.requests)],
    ["Received", bytes(overview.body_bytes)],
    ["Not accepted", count.format(refused), refused > 0],
    ["Problem records", count.format(sum("problems")), sum("problems") > 0],
  ];
  show(byId("figures"), figures.map(([name, value, bad]) =>
    make("div", { class: bad ? "bad" : null }, make("dt", null, name), make("dd", null, value))));
}

function showObjects(overview) {
  for (const id of ["objects-section", "rows", "problems-section"]) byId(id).hidden = overview.objects.length === 0;
  show(byId("objects"), overview.objects.map((object) => make("li", null,
    make("button", { type: "button", "data-object": object.name, "aria-pressed": object.name === chosen.object },
      make("span", { class: "top" },
        make("span", { class: "name" }, object.name), make("span", null, count.format(object.rows))),
      make("small", null, `${object.category}, key ${object.primary_key}`),
      ...(object.stale ? [make("small", null, `${count.format(object.stale)} not newer, ignored`)] : []),
      ...(object.kept ? [make("small", { class: "bad" }, `${count.format(object.kept)} kept, newer than the delete`)] : []),
      ...(object.problems
        ? [make("small", { class: "bad" }, `${count.format(object.problems)} problem ${object.problems === 1 ? "record" : "records"}`)] : [])))));
}

function showFaults(faults) {
  byId("faults-section").hidden = faults.rules.length === 0;
  show(byId("faults"), faults.rules.map((rule) => make("li", null,
    make("code", null, rule.text), make("span", null, `applied ${count.format(rule.hits)}×`))));
}

function showRows(answer) {
  const table = byId("rows-table");
  say("rows-title", `Rows of ${answer.object}`);
  show(table.tHead, [make("tr", null, ...answer.columns.map((column) =>
    make("th", { scope: "col", class: column.type === "number" ? "number" : null },
      column.name, make("small", null, column.name === answer.primary_key ? "primary key" : column.type))))]);
  const cell = (value, column) => make(column.name === answer.primary_key ? "th" : "td", {
    scope: column.name === answer.primary_key ? "row" : null,
    class: value === null ? "null" : column.type === "number" ? "number" : null,
    title: value !== null && value.length > 30 ? value : null,
  }, value === null ? "null" : value);
  const rows = answer.rows.map((row) =>
    make("tr", null, ...row.map((value, at) => cell(value, answer.columns[at]))));
  const none = chosen.search ? "No row matches the search." : "No rows yet. Rows appear a moment after their 202.";
  show(table.tBodies[0], rows.length ? rows : [make("tr", null,
    make("td", { class: "empty", colspan: answer.columns.length }, none))]);
  const first = answer.page * answer.page_rows;
  say("rows-range", answer.rows.length
    ? `${count.format(first + 1)} to ${count.format(first + answer.rows.length)} of ${count.format(answer.total)}`
    : `0 of ${count.format(answer.total)}`);
  byId("previous").disabled = answer.page === 0;
  byId("next").disabled = first + answer.page_rows >= answer.total;
}

function showRequests(answer) {
  const kind = (status) => (status >= 200 && status < 300 ? "good" : status === 429 || status < 400 && status ? "" : "bad");
  const lines = answer.requests.map((line) => make("tr", null,
    make("td", null, new Date(line.wall_ms).toISOString().slice(11, 23)),
    make("td", { title: `${line.method} ${line.path}` }, line.endpoint),
    make("td", null, line.object || ""),
    make("td", null, make("span", { class: `tag ${kind(line.status)}` }, line.status || "none"),
      ...(line.fault ? [" ", make("span", { class: "tag" }, "scripted")] : [])),
    make("td", { class: "number" }, line.records ? count.format(line.records) : ""),
    make("td", { class: "number" }, count.format(line.body_bytes)),
    make("td", { class: "number" }, line.duration_ms.toFixed(1))));
  show(byId("requests").tBodies[0], lines.length ? lines
    : [make("tr", null, make("td", { class: "empty", colspan: 7 }, "No requests yet."))]);
}

function showJobs(answer) {
  const kinds = { JobComplete: "good", Failed: "bad", Aborted: "bad" };
  const figure = (value) => make("td", { class: "number" }, value === null ? "" : count.format(value));
  byId("jobs-section").hidden = answer.jobs.length === 0;
  show(byId("jobs").tBodies[0], answer.jobs.map((job) => make("tr", null,
    make("td", null, new Date(job.changed_ms).toISOString().slice(11, 23)),
    make("td", null, job.destination),
    make("td", null, job.object),
    make("td", null, job.operation),
    make("td", { title: job.message || null },
      make("span", { class: `tag ${job.refused && kinds[job.state] === "good" ? "" : kinds[job.state] || ""}` }, job.state),
      ...(job.message ? [" ", job.message] : [])),
    figure(job.rows), figure(job.accepted), figure(job.refused), figure(job.unprocessed),
    make("td", { class: "mono" }, job.id))));
}

function reasons(detail) {
  try {
    const errors = JSON.parse(detail).additionalInfo.transformationErrors;
    return errors.map((error) => `${error.fieldName}: ${error.errorMessage}`).join("; ");
  } catch {
    return detail;
  }
}

function showProblems(answer) {
  say("problems-title", `Problem records of ${answer.object}`);
  show(byId("problems"), answer.problems.length ? answer.problems.map((problem) => make("li", null,
    make("p", null, make("span", { class: "tag bad" }, problem.error_code)),
    make("p", null, reasons(problem.detailed_error)),
    make("p", { class: "row mono" }, problem.error_row)))
    : [make("li", { class: "empty" }, "None. Every accepted row was stored.")]);
}

function setState(state, text) {
  if (byId("state").dataset.state === state) return;
  byId("state").dataset.state = state;
  byId("state-text").textContent = text;
}

let turn = 0;

async function refresh() {
  const mine = ++turn;
  try {
    const overview = await ask("overview");
    if (!overview.objects.some((object) => object.name === chosen.object)) chosen.object = overview.objects[0]?.name ?? null;
    const [rows, requests, problems, jobs] = await Promise.all([
      chosen.object && ask("rows", { object: chosen.object, page: chosen.page, search: chosen.search }),
      ask("requests"),
      chosen.object && ask("problems", { object: chosen.object }),
      ask("jobs"),
    ]);
    if (mine !== turn) return;
    if (rows && rows.rows.length === 0 && chosen.page > 0) {
      chosen.page = Math.max(0, Math.ceil(rows.total / rows.page_rows) - 1);
      await refresh();
      return;
    }
    say("source", overview.source);
    say("origin", overview.origin);
    showFigures(overview);
    showObjects(overview);
    showFaults(overview.faults);
    if (rows) showRows(rows);
    showRequests(requests);
    if (problems) showProblems(problems);
    showJobs(jobs);
    setState("live", "Live");
  } catch (problem) {
    if (mine === turn) setState("lost", "The sandbox does not answer");
    console.warn(problem);
  }
}

async function keepFresh() {
  if (!document.hidden) await refresh();
  setTimeout(keepFresh, REFRESH_MS);
}

byId("objects").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  chosen.object = button.dataset.object;
  chosen.page = 0;
  refresh().then(() => document.querySelector("#objects [aria-pressed=true]").focus());
});
byId("search").addEventListener("input", (event) => {
  chosen.search = event.target.value;
  chosen.page = 0;
  refresh();
});
byId("previous").addEventListener("click", () => { chosen.page = Math.max(0, chosen.page - 1); refresh(); });
byId("next").addEventListener("click", () => { chosen.page += 1; refresh(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
keepFresh();
