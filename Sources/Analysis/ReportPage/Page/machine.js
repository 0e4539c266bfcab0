// The machine right after an event: vCPUs, view, registration, and the tree as it is walked from the base pointer.

class Machine {
  /** The machine right after a finding's event, or after the last event of the trace. */
  show(finding) {
    const last = data.snapshots.at(-1);
    const snapshot = (finding && trace.snapshots.get(finding.seq)) ?? last;
    const place = byId("machine");
    place.replaceChildren();
    byId("machine-title").textContent = snapshot && finding && snapshot.seq === finding.seq ? "The machine at that moment" : "The machine at the end";
    byId("machine-when").textContent = snapshot ? `Right after event ${grouped(snapshot.seq)}, ${milliseconds(snapshot.time)}` : "";
    if (!snapshot) return place.append(make("p", { class: "empty" }, "The trace holds no event to show it at."));
    if (finding && snapshot.seq !== finding.seq) {
      place.append(make("p", { class: "note" }, "The finding's event is not in the file: this is the machine after the last event."));
    }
    for (const doubt of this.doubts(snapshot)) place.append(make("p", { class: "note" }, make("strong", {}, "Not certain: "), doubt));
    place.append(make("div", { class: "machine-grid" },
      make("div", {}, make("h3", {}, "vCPUs"), this.vcpus(snapshot), make("h3", {}, "View and registration"), this.view(snapshot)),
      make("div", {}, make("h3", {}, "Tree of protected pages"), this.tree(snapshot), make("h3", {}, "Write traces"), this.traces(snapshot))));
  }

  doubts({ missing, lost }) {
    const doubts = [];
    if (missing.length) doubts.push(`events ${missing.slice(0, 3).map(({ first, last }) => `${grouped(first)} to ${grouped(last)}`).join(", ")} are missing.`);
    if (lost) doubts.push(`the recorder lost ${counted(lost, "event")} before: what they changed is not shown.`);
    return doubts;
  }

  vcpus({ vcpus }) {
    const names = {
      stop: "stop signal", resume: "resume signal", privilegedInterrupt: "interrupt for the mode", hypercall: "hypercall", writeTrap: "write trap",
    };
    const rows = vcpus.map((vcpu) => {
      const place = { claiming: "on the first-in path", leaving: "on the last-out path" }[vcpu.place] ?? vcpu.place;
      const state = [vcpu.life === "online" ? place : vcpu.life];
      if (vcpu.executing) state.push("executes guest code");
      if (vcpu.halted) state.push("halted");
      if (vcpu.integrityMode) state.push("integrity mode");
      if (vcpu.returnsTo) state.push(`goes back to ${vcpu.returnsTo}`);
      const pending = Object.entries(vcpu.pending).filter(([, seq]) => seq !== null).map(([what, seq]) => `${names[what]} (event ${grouped(seq)})`);
      return [`vCPU ${vcpu.vcpu}`, state.join(", "), pending.join(", ") || "–", vcpu.rip ? make("code", {}, instruction(vcpu.rip)) : "–"];
    });
    const scroller = makeScroller("vCPUs", makeTable("vCPUs", ["", "Is", "Unanswered", "Instruction"], rows));
    scroller.classList.add("long");
    return scroller;
  }

  view({ view, registration }) {
    const { region: { start, length } } = view;
    const region = length ? `${memory(start)}, ${bytes(length)}: ${view.regionMapped ? "in the view" : "not in the view"}` : "none";
    const since = view.changedAt === null ? "" : ` since event ${grouped(view.changedAt)}`;
    const rendezvous = view.rendezvous === null ? "none yet"
      : `number ${grouped(view.rendezvous)}, claimed by ${vcpuName(view.claimer)}: ${view.phase === "free" ? "over" : view.phase.replace("-", " ")}`;
    const pages = registration.driverPages.map(({ gpa, pages: count, kind }) => `${kind}: ${counted(count, "page")} from ${memory(gpa)}`);
    return makeTable("View and registration", ["", ""], [
      ["Region", region + since], ["Rendezvous", rendezvous],
      ["Registration", registration.locked ? "locked" : "not locked"],
      ["Entry point", registration.entryPoint ? make("code", {}, instruction(registration.entryPoint)) : "–"],
      ["Driver pages", pages.join("; ") || "–"],
      ["Base pointer", registration.basePointer ? make("code", {}, memory(registration.basePointer)) : "–"],
    ], { class: "lines" });
  }

  traces({ traces, tracesNotShown }) {
    if (!traces.length) return make("p", { class: "empty" }, "No page is traced.");
    const rows = traces.map(({ gpa, pages }) => [make("code", {}, memory(gpa)), counted(pages, "page")]);
    const table = makeScroller("Write traces", makeTable("Write traces", ["From", "Pages"], rows));
    table.classList.add("long");
    const more = tracesNotShown ? make("p", { class: "aside" }, `and ${counted(tracesNotShown, "more range")}`) : null;
    const total = traces.reduce((sum, { pages }) => sum + pages, 0);
    return makeFold(`${counted(total, "page")} in ${counted(traces.length, "range")}`, make("div", {}, table, more ?? ""));
  }

  tree({ tree, treeIsWhole, registration }) {
    if (!registration.basePointer) return make("p", { class: "empty" }, "No base pointer is set: there is no tree.");
    const root = make("ul", { class: "tree", "aria-label": "Tree of protected pages" });
    /** The list at each depth that is being filled. */
    const lists = [root];
    let item = null;
    for (const entry of tree) {
      if (entry.depth >= lists.length && item) lists.push(item.appendChild(make("ul")));
      lists.length = Math.min(lists.length, entry.depth + 1);
      item = lists.at(-1).appendChild(make("li", {}, make("code", {}, memory(entry.gpa)), " ", this.treeWords(entry)));
    }
    const box = make("div", { class: "long", tabindex: "0", role: "region", "aria-label": "Tree of protected pages" }, root);
    return treeIsWhole ? box : make("div", {}, box, make("p", { class: "aside" }, `The first ${grouped(tree.length)} entries; replay --at shows more.`));
  }

  treeWords(entry) {
    switch (entry.what) {
      case "node": {
        const what = entry.level === 0 ? `leaf, ${counted(entry.entries, "mapping")}` : `level ${entry.level}, ${counted(entry.entries, "child", "children")}`;
        return make("span", { class: "what" }, `${what} · ${counted(entry.cover.pages, "page")} from ${entry.cover.gpa} · writes to it: ${entry.action}`);
      }
      case "mapping": {
        const part = entry.firstByte === 0 && entry.endByte === 4096 ? "" : `, bytes ${entry.firstByte} to ${entry.endByte - 1}`;
        return make("span", { class: "what" }, `protects ${counted(entry.pages, "page")}${part} · ${entry.action}`);
      }
      case "repeated": return make("span", { class: "wrong" }, "shown above: this page is linked twice");
      default: return make("span", { class: entry.what === "malformed" ? "wrong" : "unsure" }, `${entry.what}: ${entry.why}`);
    }
  }
}
