// What of the trace is in view, along one of the two axes.

const ROW = { ruler: 26, findings: 28, region: 24, lane: 30, bar: 20 };
const NARROW = 560;

class View {
  constructor() {
    this.scroller = byId("lanes-scroll");
    this.axis = trace.length.time > 0 ? "time" : "seq";
    this.highlight = [];
    this.selected = null;
    this.load();
    this.fit();
  }

  /** Draws what is in view, with the next frame. */
  redraw() {}

  // MARK: What there is

  /** Builds the lanes along the axis. */
  load() {
    this.length = Math.max(1, trace.length[this.axis]);
    this.lanes = trace.lanes.map((columns) => new Lane(columns, this.axis, this.length));
    this.region = new Lane(trace.region, this.axis, this.length);
    this.signals = trace.signals.map((signal) => ({
      ...signal, start: signal.sent[this.axis], end: (signal.taken ?? signal.sent)[this.axis],
    }));
    let latest = 0;
    this.latestEnd = this.signals.map((signal) => latest = Math.max(latest, signal.end));
    this.signalStarts = this.signals.map((signal) => signal.start);
    this.alertPlaces = trace.alerts.map((alert) => alert[this.axis]);
    this.eventPlaces = trace.events.map((event) => this.place(event));
  }

  setAxis(axis) {
    if (axis === this.axis) return;
    const middle = this.pointAt((this.from + this.to) / 2);
    const share = (this.to - this.from) / this.length;
    this.axis = axis;
    this.load();
    const width = share * this.length;
    this.show(middle[axis] - width / 2, middle[axis] + width / 2);
    if (this.selected) this.frame(this.highlight);
  }

  /** Where an event of the trace is on the axis. */
  place(point) { return point[this.axis] - trace.first[this.axis]; }

  /** Both positions of a place on the axis, as far as the lanes tell them: for what is on one axis and is wanted on the other. */
  pointAt(x) {
    const [busiest] = [...trace.lanes].sort((left, right) => right.seq.length - left.seq.length);
    const other = this.axis === "time" ? "seq" : "time";
    const index = Math.max(0, firstAbove(busiest[this.axis], x) - 1);
    const [a0, a1] = [busiest[this.axis][index], busiest[this.axis][index + 1] ?? this.length];
    const [b0, b1] = [busiest[other][index], busiest[other][index + 1] ?? trace.length[other]];
    return { [this.axis]: x, [other]: b0 + (a1 > a0 ? (x - a0) / (a1 - a0) : 0) * (b1 - b0) };
  }

  get hasRegion() { return data.summary.region.length > 0; }

  /** Rows that stay in place while lanes scroll. */
  get headHeight() { return ROW.ruler + (trace.findings.length ? ROW.findings : 0) + (this.hasRegion ? ROW.region : 0); }

  // MARK: What is in view

  show(from, to) {
    const least = Math.min(this.length, this.axis === "time" ? 50 : 8);
    const margin = this.length * 0.01;
    let width = Math.min(Math.max(to - from, least), this.length + 2 * margin);
    const middle = (from + to) / 2;
    this.from = Math.min(Math.max(middle - width / 2, -margin), this.length + margin - width);
    this.to = this.from + width;
    this.redraw();
  }

  fit() { this.show(-this.length, 2 * this.length); }

  move(share) { this.show(this.from + share * (this.to - this.from), this.to + share * (this.to - this.from)); }

  /** Zooms by a factor about a place, the middle where none is named. */
  zoom(factor, x = (this.from + this.to) / 2) { this.show(x - (x - this.from) * factor, x + (this.to - x) * factor); }

  /** Brings points into view, with room around them. */
  frame(points) {
    const places = points.map((point) => this.place(point));
    if (!places.length) return;
    const half = Math.min(this.to - this.from, this.length / 20) / 2;
    if (places.length === 1) this.show(places[0] - half, places[0] + half);
    else this.showAround(places);
    this.reveal(points.map((point) => point.vcpu).filter((vcpu) => vcpu !== null && vcpu < this.lanes.length));
  }

  showAround(places) {
    const [low, high] = [Math.min(...places), Math.max(...places)];
    const room = Math.max((high - low) * 0.35, this.axis === "time" ? Math.min(1000, this.length / 50) : 12);
    this.show(low - room, high + room);
  }

  /** Scrolls lanes into view. */
  reveal(vcpus) {
    if (!vcpus.length) return;
    const room = this.scroller.clientHeight - this.headHeight;
    const [top, bottom] = [Math.min(...vcpus) * ROW.lane, (Math.max(...vcpus) + 1) * ROW.lane];
    if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
    else if (bottom > this.scroller.scrollTop + room) this.scroller.scrollTop = Math.min(top, bottom - room);
  }
}
