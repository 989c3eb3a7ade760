"use strict";

// One snapshot every two seconds; rates are the differences between successive snapshots.
const EVERY_MS = 2000;
const PATIENCE_MS = 8000;
const HISTORY_MS = 5 * 60 * 1000;
const CHART_FROM_MS = 60 * 1000;
const ROWS_SHOWN = 500;
const PARTS = ["accepted", "conflated", "filtered", "dead_lettered", "open"];
const STEPS = {
  AUTH: "Check the credentials, the permissions of the user, and the connected app.",
  CONFIG: "Compare connector, object and schema in Data 360 with the configuration.",
  RATE: "Wait, or reduce other traffic that uses the request limit of the tenant.",
  SINK: "Check the status of the service. The daemon resumes by itself.",
  MASS_REJECT: "Compare the mapping with current records: their structure may have changed.",
  DEAD_LETTER: "Restore the dead-letter topic, or grant this client the right to write to it.",
  BROKER: "Check the brokers and the network between them and this replica.",
  OFFSET_LOST: "Choose the offset to resume from: the log does not continue at this position. The detail says how to set it.",
  SPOOL: "Free space on the disk of delivery.spool_dir. The daemon resumes by itself.",
};

const find = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

let history = [];
let latest = null;
let shownHolds = "[]";
let answeredAt = performance.now();

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

function age(hold) {
  const seconds = Math.max(0, (Date.now() - Date.parse(hold.since)) / 1000);
  return seconds < 60 ? "for less than a minute" : `for ${seconds < 120 ? "a minute" : duration(seconds)}`;
}

function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let at = 0;
  for (; count >= 1024 && at < units.length - 1; at += 1) count /= 1024;
  return `${at === 0 ? count : count.toFixed(1)} ${units[at]}`;
}

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function say(id, text) {
  // Unchanged text is not set again: a screen reader would read a live region out each time.
  if (find(id).textContent !== text) find(id).textContent = text;
}

function showState(report) {
  const held = report.holds.length > 0;
  find("state").dataset.state = held ? "held" : report.state;
  say("state-text", held ? `${report.state}, held: ${report.holds.map((hold) => hold.reason).join(", ")}` : report.state);
  document.title = held ? `held: ${report.holds[0].reason} · ${report.group_id}` : `${report.state} · ${report.group_id}`;
  document.body.classList.remove("lost");
}

function showHolds(report) {
  const present = JSON.stringify(report.holds.map((hold) => [hold.reason, hold.detail, age(hold)]));
  if (present === shownHolds) return; // a screen reader reads a hold out once, not with every snapshot
  shownHolds = present;
  find("holds").hidden = report.holds.length === 0;
  find("hold-list").replaceChildren(...report.holds.map((hold) => {
    const line = element("li");
    const name = element("p", undefined, "name");
    name.append(element("span", hold.reason), element("span", age(hold), "since"));
    line.append(name, element("p", hold.detail, "detail"));
    if (STEPS[hold.reason]) line.append(element("p", STEPS[hold.reason], "step"));
    return line;
  }));
}

function showFigures(report) {
  const known = report.assignment.filter((owned) => owned.lag !== null);
  const oldest = report.assignment.reduce((most, owned) => Math.max(most, owned.oldest_open_s ?? 0), 0);
  say("lag", known.length ? whole.format(known.reduce((sum, owned) => sum + owned.lag, 0)) : "–");
  say("oldest", report.ledger.open ? duration(oldest) : "none");
  find("oldest").parentElement.classList.toggle("late", oldest >= 60);
  say("in-flight", whole.format(report.in_flight));
  say("buffer", bytes(report.buffer_bytes));
  find("rate").replaceChildren(`${whole.format(report.rate.limit)} `, element("small", `${Math.round(report.rate.share * 100)} % share`));
  say("token", report.token.expires_in_s === null ? "no token" : duration(report.token.expires_in_s));
}

function showLedger(report) {
  const sum = PARTS.reduce((total, part) => total + report.ledger[part], 0);
  const difference = report.ledger.polled - sum;
  say("polled", whole.format(report.ledger.polled));
  for (const part of PARTS) say(part, whole.format(report.ledger[part]));
  say("ledger-check", difference === 0 ? "✓ adds up" : `✗ off by ${whole.format(difference)}`);
  find("ledger-check").className = difference === 0 ? "tag good" : "tag bad";
  find("ledger-parts").replaceChildren(...PARTS.filter((part) => report.ledger[part] > 0).map((part) => {
    const made = element("span", undefined, part);
    made.style.flexGrow = String(report.ledger[part] / sum);
    return made;
  }));
}

function row(owned) {
  const made = element("tr");
  const topic = element("th", owned.topic);
  topic.scope = "row";
  const hold = element("td", owned.hold === null ? "–" : undefined, owned.hold === null ? "soft" : undefined);
  if (owned.hold !== null) hold.append(element("span", owned.hold, "tag bad"));
  const number = (value) => element("td", value === null ? "–" : whole.format(value), "number");
  made.append(
    topic, element("td", String(owned.partition), "number"), hold, number(owned.position), number(owned.end),
    number(owned.lag), number(owned.open), element("td", duration(owned.oldest_open_s), "number"), number(owned.epoch),
  );
  return made;
}

function showPartitions(report) {
  const typed = find("filter").value.trim().toLowerCase();
  const matching = report.assignment.filter((owned) => owned.topic.toLowerCase().includes(typed));
  matching.sort((one, other) =>
    Number(other.hold !== null) - Number(one.hold !== null)
    || one.topic.localeCompare(other.topic) || one.partition - other.partition);
  const shown = matching.slice(0, ROWS_SHOWN);
  find("rows").replaceChildren(...shown.map(row));
  find("no-rows").hidden = shown.length > 0;
  say("no-rows", report.assignment.length ? "No topic matches the filter." : "No partitions are assigned to this replica.");
  say("partition-count", shown.length === report.assignment.length
    ? whole.format(shown.length) : `${whole.format(shown.length)} of ${whole.format(report.assignment.length)}`);
}

function jobRow(bulk) {
  const made = element("tr");
  const object = element("th", bulk.object);
  object.scope = "row";
  const figure = (text) => element("td", text, "number");
  made.append(
    object, figure(whole.format(bulk.gathered_rows)), figure(bytes(bulk.gathered_bytes)),
    figure(bulk.phase === null ? "–" : whole.format(bulk.rows)),
    element("td", bulk.phase ?? "buffering", bulk.phase === null ? "soft" : undefined), element("td", bulk.job ?? "–"),
  );
  return made;
}

function showJobs(report) {
  find("jobs").hidden = report.bulk.length === 0;
  find("job-rows").replaceChildren(...report.bulk.map(jobRow));
}

function remember(report) {
  const { polled, open } = report.ledger;
  const now = performance.now();
  const before = history.at(-1);
  const moment = { at: now, polled, settled: polled - open, read: null, done: null };
  // A restarted daemon counts from 0 again: no rate is shown across the restart.
  if (before && polled >= before.polled && moment.settled >= before.settled) {
    const elapsed_s = (now - before.at) / 1000;
    moment.read = (polled - before.polled) / elapsed_s;
    moment.done = (moment.settled - before.settled) / elapsed_s;
  }
  history = [...history.filter((earlier) => now - earlier.at <= HISTORY_MS), moment];
}

function showRates() {
  const points = history.filter((moment) => moment.read !== null);
  if (points.length === 0) return;
  const now = history.at(-1).at;
  const span = Math.max(CHART_FROM_MS, now - history[0].at);
  const top = Math.max(1, ...points.map((moment) => Math.max(moment.read, moment.done)));
  const x = (moment) => (600 * (1 - (now - moment.at) / span)).toFixed(1);
  const line = (key) => points.map((moment) => `${x(moment)},${(116 - 108 * (moment[key] / top)).toFixed(1)}`).join(" ");
  find("read-line").setAttribute("points", line("read"));
  find("settled-line").setAttribute("points", line("done"));
  find("read-area").setAttribute("points", `${x(points[0])},120 ${line("read")} ${x(points.at(-1))},120`);
  const last = points.at(-1);
  say("read-rate", short.format(last.read));
  say("settled-rate", short.format(last.done));
  say("chart-start", `${duration(span / 1000)} ago`);
  say("chart-top", `${short.format(top)}/s`);
  say("chart-text", `${whole.format(last.read)} records read and ${whole.format(last.done)} settled per second; the highest shown is ${whole.format(top)}`);
}

function show(report) {
  latest = report;
  answeredAt = performance.now();
  remember(report);
  say("group", report.group_id);
  say("version", report.version);
  say("config", report.config_sha256.slice(0, 12));
  find("config").title = report.config_sha256;
  for (const part of [showState, showHolds, showFigures, showLedger, showJobs, showPartitions]) part(report);
  showRates();
}

function showLost() {
  find("state").dataset.state = "lost";
  say("state-text", `no answer for ${duration((performance.now() - answeredAt) / 1000)}`);
  document.title = "no answer · datacloud-consumer";
  document.body.classList.add("lost");
}

async function refresh() {
  try {
    const answer = await fetch("status", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    show(await answer.json());
  } catch (error) {
    console.debug(error);
    showLost();
  }
  setTimeout(refresh, EVERY_MS);
}

find("filter").addEventListener("input", () => { if (latest !== null) showPartitions(latest); });
refresh();
