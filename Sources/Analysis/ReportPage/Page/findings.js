// The list of findings, and the one that is open.

/** So many instructions are told that tried to write protected memory. */
const STOPPED_SHOWN = 10;

class Findings {
  constructor(onOpen) {
    this.onOpen = onOpen;
    this.selected = null;
    this.listFindings();
    this.listStopped();
    this.listUndecided();
    byId("previous").disabled = byId("next").disabled = trace.findings.length === 0;
    byId("findings-title").textContent = trace.findings.length ? `Findings (${trace.findings.length})` : "Findings";
  }

  listFindings() {
    const list = byId("findings-list");
    const grid = list.parentElement;
    grid.classList.toggle("alone", trace.findings.length === 0);
    if (!trace.findings.length) return list.append(make("p", { class: "empty" }, this.emptyText));
    this.buttons = trace.findings.map((finding) => make("button", {
      type: "button", class: "rule", "aria-expanded": "false", "aria-controls": "finding", id: `open-${finding.index}`,
      onclick: (event) => {
        event.stopPropagation();
        this.open(this.selected === finding.index ? null : finding.index);
      },
    }, finding.rule));
    const rows = trace.findings.map((finding) => make("tr", { onclick: () => this.open(finding.index) },
      make("td", {}, make("span", { class: `numbered ${finding.severity}` }, `${finding.number}`)),
      make("th", { scope: "row" }, this.buttons[finding.index], make("span", { class: "place" }, this.placeText(finding)))));
    list.append(make("table", {},
      make("caption", { class: "only-heard" }, "Findings, earliest first. Arrow keys move, Enter opens."),
      make("colgroup", {}, make("col", { class: "first" }), make("col")),
      make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "#"), make("th", { scope: "col" }, "Rule, and where it first broke"))),
      make("tbody", {}, rows)));
    this.rows = rows;
    rove(list, this.buttons);
  }

  get emptyText() {
    const scope = counted(data.verdict.events, "event");
    return data.verdict.verdict === "clean"
      ? `Nothing to show: all ${scope} were judged, and every rule held.`
      : `No rule was broken in the ${scope} that are there.`;
  }

  placeText(finding) {
    const parts = [`event ${grouped(finding.seq)}`];
    if (finding.vcpu !== null) parts.push(`vCPU ${finding.vcpu}`);
    if (finding.gpa) parts.push(memory(finding.gpa));
    if (finding.count > 1) parts.push(`${grouped(finding.count)} times`);
    if (finding.severity !== "violation") parts.push(finding.severity);
    return parts.join(", ");
  }

  listStopped() {
    const { count, instructions } = data.verdict.stopped;
    if (!count) return;
    const lines = instructions.slice(0, STOPPED_SHOWN).map((attempts) => {
      const first = `event ${grouped(attempts.seq)}, vCPU ${attempts.vcpu}, ${attempts.action ?? "dropped"} at ${memory(attempts.gpa)}`;
      return make("li", {}, `${grouped(attempts.count)} by ${instruction(attempts.rip)}, ${attempts.count > 1 ? "first " : ""}${first}`);
    });
    const more = instructions.length - lines.length;
    if (more > 0) lines.push(make("li", {}, `and ${counted(more, "more instruction")}`));
    byId("stopped").append(make("h3", {}, `Stopped: ${counted(count, "write")} to protected memory`), make("ul", {}, lines));
  }

  listUndecided() {
    const { undecided, prediction } = data.verdict;
    const lines = undecided.map((text) => make("li", {}, text));
    if (lines.length) byId("undecided").append(make("h3", {}, "Left open"), make("ul", {}, lines));
    if (!prediction) return;
    const more = prediction.skipped ? `, ${grouped(prediction.skipped)} more not tried` : "";
    byId("undecided").append(make("p", { class: "aside" },
      `Other orders of the events: ${grouped(prediction.tried)} tried${more}; none moves an event past another ${grouped(prediction.window)} or more away.`));
  }

  // MARK: Opening

  /** Opens a finding by its index, "next" or "previous"; null closes. */
  open(which) {
    const count = trace.findings.length;
    if (!count) return;
    const step = { next: 1, previous: -1 }[which];
    const index = step ? (this.selected === null ? (step > 0 ? 0 : count - 1) : (this.selected + step + count) % count) : which;
    this.selected = index;
    this.rows.forEach((row, at) => {
      if (at === index) row.dataset.open = "";
      else delete row.dataset.open;
      this.buttons[at].setAttribute("aria-expanded", `${at === index}`);
    });
    const pane = byId("finding");
    pane.hidden = index === null;
    pane.replaceChildren();
    const finding = index === null ? null : trace.findings[index];
    if (finding) this.fill(pane, finding);
    this.onOpen(finding, finding ? this.highlight(finding) : []);
    if (finding && matchMedia("(max-width: 900px)").matches) pane.scrollIntoView({ block: "start" });
    say(finding ? `Finding ${finding.number}, ${finding.rule}, is open; ${counted(finding.because.length, "event")} in its chain.` : "No finding is open.");
  }

  /** The events of the because chain, oldest first, numbered; the finding's own is the end. */
  highlight(finding) {
    const marks = new Map();
    for (const { seq } of finding.because) {
      const event = trace.bySeq.get(seq);
      if (event && !marks.has(seq)) marks.set(seq, { ...event, label: `${marks.size + 1}`, isEnd: seq === finding.seq });
    }
    const event = locate(finding.seq);
    if (event && !marks.has(finding.seq)) marks.set(finding.seq, { ...event, label: "!", isEnd: true });
    return [...marks.values()];
  }

  fill(pane, finding) {
    const close = make("button", {
      type: "button", class: "close", "aria-label": "Close this finding",
      onclick: () => {
        this.open(null);
        this.buttons[finding.index].focus();
      },
    }, "Close");
    pane.append(
      make("div", { class: "finding-head" }, make("h3", { class: "title", id: "finding-title" }, `${finding.number}. ${finding.rule}`), close),
      make("p", { class: "statement" }, data.statements[finding.rule]),
      make("p", { class: "aside place-line" }, this.longPlace(finding)),
      make("dl", {},
        make("dt", {}, "Expected"), make("dd", {}, finding.expected),
        make("dt", {}, "Observed"), make("dd", {}, finding.observed),
        finding.also.length ? [make("dt", {}, "Breaks too"), make("dd", {}, finding.also.join(", "))] : []));
    if (finding.because.length) pane.append(make("h3", {}, "Because"), this.chain(finding));
    if (finding.accesses) pane.append(...this.accesses(finding));
    if (finding.witness) pane.append(...this.witness(finding.witness));
    pane.append(this.neighbours(finding));
  }

  longPlace(finding) {
    const parts = [`Event ${grouped(finding.seq)}`];
    const event = trace.bySeq.get(finding.seq);
    if (event) parts.push(milliseconds(event.time));
    if (finding.vcpu !== null) parts.push(`vCPU ${finding.vcpu}`);
    if (finding.gpa) parts.push(`guest address ${memory(finding.gpa)}`);
    if (finding.rip) parts.push(`instruction ${instruction(finding.rip)}`);
    if (finding.count > 1) parts.push(`and ${counted(finding.count - 1, "more time")}`);
    return parts.join(" · ");
  }

  chain(finding) {
    const marks = new Map(this.highlight(finding).map((mark) => [mark.seq, mark]));
    const buttons = [];
    const entries = finding.because.map(({ seq, what }) => {
      const mark = marks.get(seq);
      const button = make("button", { type: "button", disabled: mark ? null : "", onclick: () => this.onStep(mark) },
        what, make("span", { class: "when" }, ` — event ${grouped(seq)}${mark ? `, ${vcpuName(mark.vcpu)}, ${milliseconds(mark.time)}` : ""}`));
      if (mark) buttons.push(button);
      return make("li", {}, make("span", { class: `numbered soft${mark?.isEnd ? " end" : ""}` }, mark?.label ?? "·"), button);
    });
    const list = make("ol", { class: "chain" }, entries);
    if (buttons.length) rove(list, buttons);
    return list;
  }

  /** Set by the page: shows one event of the chain. */
  onStep() {}

  accesses({ accesses, missing }) {
    const rows = accesses.map((access) => [
      access.what, vcpuName(access.vcpu), access.since ? `${grouped(access.since)} to ${grouped(access.seq)}` : grouped(access.seq),
      make("code", {}, `${memory(access.gpa)}, ${counted(access.length, "byte")}`),
      make("code", {}, access.before !== null && access.after !== null ? `${access.before} → ${access.after}` : access.after ?? access.before ?? "not known"),
      make("code", {}, access.rip ? instruction(access.rip) : "not known"),
    ]);
    return [
      make("h3", {}, "The two accesses"),
      makeScroller("The two accesses", makeTable("The two accesses", ["Access", "By", "Events", "Address", "Bytes", "Instruction"], rows)),
      make("p", { class: "aside" }, `What would have ordered them: ${missing}.`),
    ];
  }

  witness({ rule, prefix, steps, later }) {
    const shown = 24;
    const list = (events) => events.flatMap(({ seq, what }, index) => {
      if (events.length > 2 * shown && index >= shown && index < events.length - shown) {
        return index === shown ? [make("li", {}, `… ${counted(events.length - 2 * shown, "event")} …`)] : [];
      }
      return [make("li", {}, `${what} (event ${grouped(seq)})`)];
    });
    return [
      make("h3", {}, `An order that breaks ${rule}`),
      make("p", {}, `Everything up to event ${grouped(prefix)} as it was recorded, then:`), make("ol", {}, list(steps)),
      ...(later.length ? [make("p", {}, "And only later:"), make("ol", {}, list(later))] : []),
    ];
  }

  /** Events around the finding's, as recorded. */
  neighbours(finding) {
    const chain = new Set(finding.because.map(({ seq }) => seq));
    const around = trace.events.filter(({ seq }) => seq >= finding.seq - 16 && seq <= finding.seq + 8);
    const rows = around.map((event) => make("tr", { class: event.seq === finding.seq ? "at" : chain.has(event.seq) ? "in-chain" : null },
      make("th", { scope: "row" }, grouped(event.seq)), make("td", {}, milliseconds(event.time)), make("td", {}, vcpuName(event.vcpu)),
      make("td", {}, event.kind), make("td", {}, event.story)));
    const heads = ["Event", "Time", "On", "Kind", "What"].map((head) => make("th", { scope: "col" }, head));
    const table = make("table", { class: "events" }, make("caption", { class: "only-heard" }, "Events around the finding"),
      make("thead", {}, make("tr", {}, heads)), make("tbody", {}, rows));
    return makeFold(`Events around it (${around.length})`, makeScroller("Events around the finding", table));
  }
}
