// What was recorded, how, and what of it is missing.

const VERDICTS = {
  clean: { mark: "✓", words: "Every event is there, and every rule held." },
  violated: { mark: "✕", words: "" },
  incomplete: { mark: "!", words: "No rule was broken in what is there, but something is missing: nothing is said to hold across it." },
};

const property = (name) => data.summary.properties.filter((fact) => fact.name === name).map((fact) => fact.value).join(", ");

function showHead() {
  const { verdict, summary } = data;
  const { mark, words } = VERDICTS[verdict.verdict];
  const broken = trace.findings.filter(({ severity }) => severity === "violation");
  const times = broken.reduce((sum, { count }) => sum + count, 0);
  const told = verdict.verdict === "violated" ? `${counted(broken.length, "rule")} broken, ${counted(times, "time")} in all.` : words;
  const [file] = data.name.split("/").slice(-1);
  document.title = `${file}: ${verdict.verdict} – pagetape report`;
  byId("name").textContent = file;
  byId("verdict").append(make("span", { class: `badge ${verdict.verdict}` }, make("span", { "aria-hidden": "true" }, mark), verdict.verdict), told);
  const recorded = summary.startTime > 0 ? new Date(summary.startTime / 1e6).toISOString().replace("T", " ").slice(0, 19) + " UTC" : "";
  const facts = [
    ["Guest", property("guest-name")], ["vCPUs", grouped(summary.vcpus)], ["Events", grouped(summary.events)], ["Duration", duration(summary.duration)],
    ["Schedule", [property("schedule"), property("seed") && `seed ${property("seed")}`].filter(Boolean).join(", ")],
    ["Fault planted", property("fault")], ["Recorded", recorded], ["Ended", summary.end ?? "not recorded"],
  ];
  byId("key-facts").append(...facts.filter(([, value]) => value).map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
  byId("warnings").append(...warnings().map(([what, more]) => make("p", { class: "note" }, make("strong", {}, what), " ", more)));
}

/** What of the recording is not there, each with what it means. */
function warnings() {
  const { summary } = data;
  const texts = [];
  const are = summary.lost === 1 ? "is" : "are";
  if (summary.lost) texts.push([`${counted(summary.lost, "event")} ${are} missing.`, "No rule is said to hold across the hole."]);
  if (!summary.complete) texts.push(["The recording did not end by itself.", "What came later is not known."]);
  const places = summary.damage.slice(0, 3).join("; ") + (summary.damage.length > 3 ? "; …" : "");
  if (summary.damage.length) texts.push([`The file is damaged in ${counted(summary.damage.length, "place")}.`, places]);
  if (summary.unknown) texts.push([`${counted(summary.unknown, "event")} passed over.`, "This version does not know their kinds."]);
  return texts;
}

function showFacts() {
  const { summary } = data;
  const memory = summary.memory.map(({ start, length }) => `${start}, ${bytes(length)}`);
  const rows = [
    ["File", data.name], ["Format", summary.format], ["State", summary.complete ? "complete" : "not complete"],
    ["Size", `${bytes(summary.size)}, ${summary.bytesPerEvent} bytes an event`],
    ["Events missing", grouped(summary.lost)], ["Memory", memory.join("; ") || "–"],
    ["Special region", summary.region.length ? `${summary.region.start}, ${bytes(summary.region.length)}` : "none"],
    ["Writes by", summary.attribution === "everyWrite" ? "every write is logged under its vCPU" : "only the first writer of a page is logged"],
    ["Digest of the events", make("code", {}, summary.digest)],
    ...summary.properties.map(({ name, value }) => [name, value]),
    ...summary.damage.map((text) => ["damage", text]),
  ];
  const number = (text) => ({ text, class: "number" });
  const kinds = Object.entries(summary.kinds).sort((left, right) => right[1] - left[1]).map(([name, count]) => [name, number(grouped(count))]);
  const vcpus = summary.byVCPU.filter(({ vcpu, events }) => vcpu !== null || events).map(({ vcpu, events }) => [vcpuName(vcpu), number(grouped(events))]);
  byId("facts").append(makeTable("The recording", ["", ""], rows, { class: "lines" }),
    makeFold("Events by kind", makeTable("Events by kind", ["Kind", number("Events")], kinds)),
    makeFold("Events by vCPU", makeTable("Events by vCPU", ["On", number("Events")], vcpus)));
  byId("footer").textContent = `Made by ${data.producer}. The page needs no network.`;
}

/** The timeline in words and numbers. */
function showLaneTable(timeline) {
  const alerts = new Map();
  for (const { vcpu, count } of trace.alerts) alerts.set(vcpu, (alerts.get(vcpu) ?? 0) + count);
  const used = [...MODES.keys()].filter((mode) => timeline.lanes.some((lane) => lane.sums[lane.count * 8 + mode] > 0));
  const number = (text) => ({ text, class: "number" });
  const rows = timeline.lanes.map((lane, vcpu) => [
    `vCPU ${vcpu}`, ...used.map((mode) => number(percent(lane.sums[lane.count * 8 + mode] / timeline.length))),
    number(grouped(data.timeline.claims[vcpu])), number(grouped(data.timeline.acks[vcpu])), number(grouped(alerts.get(vcpu) ?? 0)),
  ]);
  const heads = ["", ...used.map((mode) => number(MODES[mode].name)), number("first in"), number("stops taken"), number("alerts")];
  const unit = timeline.axis === "time" ? "time" : "events";
  const table = makeTable(`Share of the ${unit} in each mode, and counts, by vCPU`, heads, rows);
  const note = make("p", { class: "aside" }, `Share of the ${unit} in each mode; how often each took the first-in path, a stop, an alert.`);
  byId("lane-table").querySelector(".scroller").replaceChildren(note, table);
}
