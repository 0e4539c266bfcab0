// The timeline: what is said of it, and how mouse, touch and keys move it.

class Timeline extends Drawing {
  /** `openFinding` opens one by its index, "next" or "previous", and closes with null. */
  constructor(openFinding) {
    super();
    this.openFinding = openFinding;
    this.listen();
  }

  /** The stretch in view, in words. */
  get rangeText() {
    const [low, high] = [Math.max(0, this.from), Math.min(this.length, this.to)];
    const start = trace.first[this.axis];
    if (this.axis === "seq") return `Events ${grouped(Math.ceil(start + low))} to ${grouped(Math.floor(start + high))}`;
    const step = (high - low) / 1000;
    const [first, last] = [low, high].map((place) => duration(start + place, start + high, step));
    return `${first} to ${last}, ${duration(high - low)} of ${duration(trace.length.time)}`;
  }

  tellStatus() {
    const notes = [this.rangeText];
    if (this.hiddenSignals) notes.push(`${counted(this.hiddenSignals, "signal")} here: zoom in to see them as arrows`);
    if (data.timeline.signals.stride > 1) notes.push(`Only the signals of one rendezvous in ${data.timeline.signals.stride} are kept`);
    if (data.timeline.grain > 1) notes.push(`Stretches of fewer than ${grouped(data.timeline.grain)} events are joined, but for those near findings`);
    byId("timeline-status").textContent = notes.join(". ") + ".";
    this.canvas.setAttribute("aria-label",
      `Timeline of ${counted(this.lanes.length, "vCPU")}, ${counted(trace.findings.length, "finding")}. In view: ${this.rangeText}`);
  }

  /** What is under a point of the canvas, in words. */
  describe(x, y) {
    const near = this.findingPlaces?.find((place) => Math.hypot(place.x - x, place.y - y) < 14);
    if (near) return `Finding ${near.finding.number}: ${near.finding.rule}\nevent ${near.finding.seq}`;
    if (x < this.gutter || y < this.headHeight) return null;
    const vcpu = Math.floor((y - this.headHeight + this.scroller.scrollTop) / ROW.lane);
    const place = this.placeAt(x);
    if (vcpu >= this.lanes.length || place < 0 || place > this.length) return null;
    return [...this.describeLane(vcpu, place), ...this.describeMarks(vcpu, x)].join("\n");
  }

  describeLane(vcpu, place) {
    const lane = this.lanes[vcpu];
    const amounts = new Float64Array(8);
    const reach = 1 / this.scale;
    const index = lane.at(place);
    lane.measure(Math.max(0, place - reach / 2), Math.min(this.length, place + reach / 2), amounts);
    const whole = amounts.reduce((sum, amount) => sum + amount, 0);
    const shares = MODES.map((mode, at) => [mode.name, amounts[at] / whole]).filter(([, share]) => share > 0.0005).sort((left, right) => right[1] - left[1]);
    if (shares.length > 1 || lane.isMixed(index)) return [`vCPU ${vcpu}: ${shares.map(([name, share]) => `${name} ${percent(share)}`).join(", ")}`];
    const columns = trace.lanes[vcpu];
    const [seq, time] = [columns.seq[index] + trace.first.seq, columns.time[index]];
    const length = (columns.time[index + 1] ?? trace.length.time) - time;
    const how = lane.modes[index] === OFFLINE || seq === trace.first.seq ? "" : `\nsince event ${grouped(seq)}`;
    return [`vCPU ${vcpu}: ${MODES[lane.modes[index]].name}${how}, for ${duration(length)}`];
  }

  describeMarks(vcpu, x) {
    const lines = [];
    const near = this.nearest(this.alertPlaces, x, 6, (index) => trace.alerts[index].vcpu === vcpu);
    if (near !== null) {
      const { action, origin, gpa, count, seq } = trace.alerts[near];
      const what = `${ACTIONS[action] ?? `action ${action}`} for a ${ORIGINS[origin] ?? `origin ${origin}`}${gpa ? ` at ${memory(hex(gpa))}` : ""}`;
      lines.push(`▲ alert: ${what}, event ${grouped(seq + trace.first.seq)}${count > 1 ? `, and ${count - 1} more` : ""}`);
    }
    const event = this.nearest(this.eventPlaces, x, 4, (index) => trace.events[index].vcpu === vcpu);
    if (event !== null) lines.push(`event ${grouped(trace.events[event].seq)}: ${trace.events[event].kind} ${trace.events[event].story}`);
    return lines;
  }

  /** Index of the place nearest to `x`, no further than `reach` pixels, that passes; null for none. */
  nearest(places, x, reach, passes) {
    let best = null;
    let distance = reach;
    for (let index = firstAbove(places, this.placeAt(x - reach)); index < places.length && this.x(places[index]) <= x + reach; index++) {
      const away = Math.abs(this.x(places[index]) - x);
      if (away <= distance && passes(index)) [best, distance] = [index, away];
    }
    return best;
  }

  // MARK: Mouse, touch, keys

  listen() {
    const { canvas } = this;
    const local = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    const pointers = new Map();
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      pointers.set(event.pointerId, local(event));
      canvas.setPointerCapture(event.pointerId);
      canvas.classList.add("moving");
      this.travelled = pointers.size > 1 ? Infinity : 0;
    });
    canvas.addEventListener("pointermove", (event) => {
      const at = local(event);
      if (pointers.has(event.pointerId)) this.drag(pointers, event.pointerId, at);
      else this.hover(at);
    });
    const release = (event) => {
      if (!pointers.delete(event.pointerId)) return;
      if (!pointers.size) canvas.classList.remove("moving");
      if (event.type === "pointerup" && this.travelled < 5) this.click(local(event));
    };
    canvas.addEventListener("pointerup", release);
    canvas.addEventListener("pointercancel", release);
    canvas.addEventListener("pointerleave", () => { byId("tip").hidden = true; });
    canvas.addEventListener("dblclick", (event) => this.zoom(event.shiftKey ? 2.5 : 0.4, this.placeAt(local(event)[0])));
    canvas.addEventListener("wheel", (event) => this.wheel(event, local(event)[0]), { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
    this.scroller.addEventListener("scroll", () => this.redraw());
    this.listenToOverview();
    new ResizeObserver(() => this.redraw()).observe(byId("timeline"));
    window.addEventListener("resize", () => this.redraw());
  }

  listenToOverview() {
    const go = (event) => {
      const box = this.overview.getBoundingClientRect();
      const middle = (event.clientX - box.left - this.gutter) / (this.width - this.gutter) * this.length;
      const half = (this.to - this.from) / 2;
      this.show(middle - half, middle + half);
    };
    this.overview.addEventListener("pointerdown", (event) => {
      this.overview.setPointerCapture(event.pointerId);
      go(event);
    });
    this.overview.addEventListener("pointermove", (event) => {
      if (this.overview.hasPointerCapture(event.pointerId)) go(event);
    });
  }

  /** One pointer moves the view; two zoom it, and what is under them stays there. */
  drag(pointers, id, at) {
    const before = [...pointers.values()];
    const was = pointers.get(id);
    pointers.set(id, at);
    this.travelled += Math.abs(at[0] - was[0]) + Math.abs(at[1] - was[1]);
    byId("tip").hidden = true;
    if (pointers.size === 1) return this.show(this.from - (at[0] - was[0]) / this.scale, this.to - (at[0] - was[0]) / this.scale);
    const after = [...pointers.values()];
    const [wide0, wide1] = [Math.abs(before[0][0] - before[1][0]), Math.abs(after[0][0] - after[1][0])];
    if (wide0 > 8 && wide1 > 8) this.zoom(wide0 / wide1, this.placeAt((after[0][0] + after[1][0]) / 2));
  }

  /** The wheel alone scrolls the page, unless the timeline has the focus. */
  wheel(event, x) {
    const isZoom = event.ctrlKey || event.metaKey || document.activeElement === this.canvas;
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) {
      event.preventDefault();
      this.move((event.deltaX || event.deltaY) / 1000);
    } else if (isZoom) {
      event.preventDefault();
      this.zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) / 200), this.placeAt(x));
    }
  }

  click([x, y]) {
    const near = this.findingPlaces?.find((place) => Math.hypot(place.x - x, place.y - y) < 18);
    if (near) this.openFinding(near.finding.index);
    else this.hover([x, y]);
  }

  hover([x, y]) {
    const tip = byId("tip");
    const text = this.describe(x, y);
    this.canvas.style.cursor = this.findingPlaces?.some((place) => Math.hypot(place.x - x, place.y - y) < 14) ? "pointer" : "";
    tip.hidden = !text;
    if (!text) return;
    tip.textContent = text;
    const top = this.overview.offsetHeight + y;
    tip.style.left = `${Math.max(4, Math.min(x + 14, this.width - tip.offsetWidth - 8))}px`;
    tip.style.top = `${top + 22 + tip.offsetHeight > this.height + 34 ? top - tip.offsetHeight - 12 : top + 18}px`;
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const action = {
      ArrowLeft: () => this.move(event.shiftKey ? -0.6 : -0.15), ArrowRight: () => this.move(event.shiftKey ? 0.6 : 0.15),
      ArrowUp: () => { this.scroller.scrollTop -= ROW.lane; }, ArrowDown: () => { this.scroller.scrollTop += ROW.lane; },
      "+": () => this.zoom(0.6), "=": () => this.zoom(0.6), "-": () => this.zoom(1 / 0.6), _: () => this.zoom(1 / 0.6),
      0: () => this.fit(), Home: () => this.show(0, this.to - this.from), End: () => this.show(this.length - (this.to - this.from), this.length),
      n: () => this.openFinding("next"), p: () => this.openFinding("previous"), Escape: () => this.openFinding(null),
    }[event.key];
    if (!action) return;
    event.preventDefault();
    action();
    clearTimeout(this.saying);
    if (!"npEscape".includes(event.key)) this.saying = setTimeout(() => say(this.rangeText), 500);
  }
}
