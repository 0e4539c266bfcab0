// The timeline: what is in view, how it is drawn, and how mouse, touch and keys move it.

const ROW = { ruler: 26, findings: 28, region: 24, lane: 30, bar: 20 };
const NARROW = 560;

class Timeline {
  constructor(openFinding) {
    this.openFinding = openFinding;
    this.canvas = byId("lanes");
    this.overview = byId("overview");
    this.scroller = byId("lanes-scroll");
    this.axis = trace.length.time > 0 ? "time" : "seq";
    this.highlight = [];
    this.selected = null;
    /** Milliseconds that the latest frames took to draw: what a test measures. */
    this.frames = [];
    /** How much of a column is spent in each mode: made once, as there are many columns. */
    this.scratch = new Float64Array(8);
    this.load();
    this.fit();
    this.applyTheme();
    this.listen();
  }

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

  // MARK: Drawing

  applyTheme() {
    this.palette = new Palette();
    this.patterns = null;
    this.redraw();
  }

  redraw() {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      const begin = performance.now();
      this.draw();
      this.frames.push(performance.now() - begin);
      if (this.frames.length > 600) this.frames.shift();
    });
  }

  draw() {
    const width = this.scroller.clientWidth;
    if (!width) return;
    const whole = this.headHeight + this.lanes.length * ROW.lane + 8;
    this.height = Math.min(whole, Math.max(260, Math.round(window.innerHeight * 0.62)));
    this.scroller.style.height = `${this.height}px`;
    this.canvas.style.height = `${this.height}px`;
    this.canvas.style.marginBottom = `${whole - this.height}px`;
    const { context, ratio } = fitCanvas(this.canvas, width, this.height);
    this.patterns ??= MODES.map((_, mode) => this.palette.pattern(context, mode, ratio));
    this.width = width;
    this.gutter = width < NARROW ? 62 : 84;
    this.scale = (width - this.gutter) / (this.to - this.from);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = this.palette.card;
    context.fillRect(0, 0, width, this.height);
    this.drawLanes(context, ratio);
    this.drawHead(context, ratio);
    this.drawOverview();
    this.tellStatus();
  }

  x(place) { return this.gutter + (place - this.from) * this.scale; }

  placeAt(x) { return this.from + (x - this.gutter) / this.scale; }

  laneTop(vcpu) { return this.headHeight + vcpu * ROW.lane - this.scroller.scrollTop; }

  get visibleLanes() {
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / ROW.lane));
    return [first, Math.min(this.lanes.length, first + Math.ceil((this.height - this.headHeight) / ROW.lane) + 1)];
  }

  drawLanes(context, ratio) {
    context.save();
    context.beginPath();
    context.rect(0, this.headHeight, this.width, this.height - this.headHeight);
    context.clip();
    const [first, end] = this.visibleLanes;
    const batch = new RectangleBatch();
    const words = [];
    for (let vcpu = first; vcpu < end; vcpu++) {
      this.addLane(batch, words, this.lanes[vcpu], { top: this.laneTop(vcpu) + (ROW.lane - ROW.bar) / 2, height: ROW.bar, thin: OFFLINE, ratio });
    }
    this.clipPlot(context, () => {
      this.drawBand(context);
      this.paint(context, batch, ratio);
      this.drawWords(context, words);
      this.drawHoles(context, this.headHeight);
      this.drawEventTicks(context, first, end);
      this.drawSignals(context, first, end);
      this.drawAlerts(context, first, end);
      this.drawHighlight(context);
    });
    context.font = this.font(12.5);
    context.textBaseline = "middle";
    for (let vcpu = first; vcpu < end; vcpu++) {
      const middle = this.laneTop(vcpu) + ROW.lane / 2;
      context.fillStyle = this.palette.ink;
      context.textAlign = "right";
      context.fillText(this.width < NARROW ? `${vcpu}` : `vCPU ${vcpu}`, this.gutter - 12, middle);
    }
    context.restore();
  }

  /** Draws what may not leave the plot. */
  clipPlot(context, body) {
    context.save();
    context.beginPath();
    context.rect(this.gutter, 0, this.width - this.gutter, this.height);
    context.clip();
    body();
    context.restore();
  }

  font(size, weight = 400) { return `${weight} ${size}px system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif`; }

  /**
   * A lane's rectangles, in pixels of the screen: a segment of a few pixels is one of its own; where several share a pixel, a column says by heights how the
   * time was shared, in the order of the legend. The mode `thin` is a line and no bar.
   */
  addLane(batch, words, lane, { top, height: tall, thin, ratio }) {
    const [left, right] = [Math.round(this.gutter * ratio), Math.round(this.width * ratio)];
    const box = { y: Math.round(top * ratio), height: Math.round(tall * ratio), step: Math.max(1, Math.round(ratio)), thin, ratio };
    const unit = this.scale * ratio;
    const pixelOf = (place) => Math.round(left + (place - this.from) * unit);
    const placeOf = (x) => this.from + (x - left) / unit;
    const stop = Math.min(right, pixelOf(this.length));
    let x = Math.max(left, pixelOf(0));
    let index = lane.at(placeOf(x));
    while (x < stop && lane.count) {
      const end = Math.min(stop, pixelOf(lane.end(index)));
      if (end - x >= 3 * box.step && !lane.isMixed(index)) {
        this.addSegment(batch, words, lane.modes[index], x, end - x, box);
        x = end;
        index = Math.min(index + 1, lane.count - 1);
      } else {
        index = this.addColumn(batch, lane, index, placeOf(x), placeOf(x + box.step), x, box);
        x += box.step;
      }
    }
  }

  addSegment(batch, words, mode, x, width, { y, height, thin, ratio }) {
    const line = Math.max(1, Math.round(ratio));
    if (mode === thin) return batch.add(this.palette.modes[OFFLINE].fill, x, y + Math.round(height / 2), width, line);
    batch.add(words && width >= 10 * ratio ? this.patterns[mode] : this.palette.modes[mode].fill, x, y, width, height);
    if (words && width >= 18 * ratio) words.push([mode, x / ratio, y / ratio, width / ratio]);
  }

  addColumn(batch, lane, index, from, to, x, { y, height, thin, step }) {
    const amounts = this.scratch.fill(0);
    const until = Math.min(to, this.length);
    const next = lane.measure(from, until, amounts, index);
    let top = y;
    let seen = 0;
    for (let mode = 0; mode < 8; mode++) {
      if (amounts[mode] <= 0 || mode === thin) continue;
      seen += amounts[mode];
      const bottom = y + Math.round(height * seen / (until - from));
      if (bottom > top) batch.add(this.palette.modes[mode].fill, x, top, step, bottom - top);
      top = bottom;
    }
    return next;
  }

  /** The mode's name in a segment, or its letter where there is less room. */
  drawWords(context, words) {
    context.textBaseline = "middle";
    context.textAlign = "center";
    context.font = this.font(11.5, 600);
    for (const [mode, x, y, width] of words) {
      const { name, letter } = MODES[mode];
      const from = Math.max(x, this.gutter);
      const room = Math.min(x + width, this.width) - from;
      const text = room > name.length * 7 + 14 ? name : letter;
      const half = text.length * 3.6 + 4;
      const middle = from + room / 2;
      context.fillStyle = this.palette.modes[mode].fill;
      context.fillRect(middle - half, y + 3, half * 2, ROW.bar - 6);
      context.fillStyle = this.palette.modes[mode].ink;
      context.fillText(text, middle, y + ROW.bar / 2 + 0.5);
    }
  }

  /** The region's time in the view, behind the lanes. */
  drawBand(context) {
    if (!this.hasRegion || !this.region.count) return;
    context.fillStyle = this.palette.privileged;
    const height = this.height - this.headHeight;
    const step = 2;
    for (let x = this.gutter; x < this.width;) {
      const place = this.placeAt(x);
      if (place >= this.length) break;
      const index = this.region.at(place);
      const end = Math.min(this.x(this.region.end(index)), this.width);
      if (end - x >= step && !this.region.isMixed(index)) {
        context.globalAlpha = 0.13;
        if (this.region.modes[index] === PRIVILEGED) context.fillRect(x, this.headHeight, end - x, height);
        x = end;
      } else {
        const amounts = new Float64Array(8);
        const until = Math.min(this.placeAt(x + step), this.length);
        this.region.measure(Math.max(0, place), until, amounts, index);
        context.globalAlpha = 0.13 * Math.min(1, amounts[PRIVILEGED] / (until - place));
        context.fillRect(x, this.headHeight, step, height);
        x += step;
      }
    }
    context.globalAlpha = 1;
  }

  drawHoles(context, top) {
    for (const hole of trace.holes) {
      const x = this.x(this.place(hole));
      if (x < this.gutter - 20 || x > this.width + 20) continue;
      context.strokeStyle = this.palette.caution;
      context.lineWidth = 2;
      context.setLineDash([3, 3]);
      strokeLines(context, [x, top, x, this.height]);
      context.setLineDash([]);
    }
  }

  /** Single events near findings, once there is room to tell them apart. */
  drawEventTicks(context, first, end) {
    if (this.scale * this.length / Math.max(1, trace.length.seq) < 3 && this.axis === "seq") return;
    context.fillStyle = this.palette.ink;
    let last = -Infinity;
    for (let index = firstAbove(this.eventPlaces, this.from); index < this.eventPlaces.length && this.eventPlaces[index] <= this.to; index++) {
      const { vcpu } = trace.events[index];
      const x = this.x(this.eventPlaces[index]);
      if (vcpu === null || vcpu < first || vcpu >= end || x - last < 2) continue;
      last = x;
      context.fillRect(x - 0.75, this.laneTop(vcpu) + (ROW.lane + ROW.bar) / 2 - 1, 1.5, 5);
    }
  }

  /** Indices of the signals that touch the view. */
  get signalsInView() {
    return [firstAbove(this.latestEnd, this.from), firstAbove(this.signalStarts, this.to)];
  }

  drawSignals(context, first, end) {
    const [low, high] = this.signalsInView;
    this.hiddenSignals = high - low > 240 ? high - low : 0;
    if (this.hiddenSignals) return;
    context.strokeStyle = context.fillStyle = this.palette.arrow;
    context.lineWidth = 1.5;
    for (let index = low; index < high; index++) {
      const signal = this.signals[index];
      if (signal.end < this.from || signal.from === HOST || Math.max(signal.from, signal.to) < first || Math.min(signal.from, signal.to) >= end) continue;
      const isDown = signal.to > signal.from;
      const y0 = this.laneTop(signal.from) + (ROW.lane + (isDown ? ROW.bar : -ROW.bar)) / 2;
      const y1 = this.laneTop(signal.to) + (ROW.lane - (isDown ? ROW.bar : -ROW.bar)) / 2;
      if (signal.taken) drawArrow(context, this.x(signal.start), y0, this.x(signal.end), y1, signal.isStop);
      else this.drawLost(context, this.x(signal.start), y0, y1);
    }
  }

  /** A signal that nobody took: a stub with a cross. */
  drawLost(context, x, y0, y1) {
    const y = y0 + Math.sign(y1 - y0) * 12;
    strokeLines(context, [x, y0, x + 8, y], [x + 5, y - 3, x + 11, y + 3], [x + 5, y + 3, x + 11, y - 3]);
  }

  drawAlerts(context, first, end) {
    const last = new Map();
    for (let index = firstAbove(this.alertPlaces, this.from); index < this.alertPlaces.length && this.alertPlaces[index] <= this.to; index++) {
      const { vcpu } = trace.alerts[index];
      const x = this.x(this.alertPlaces[index]);
      if (vcpu < first || vcpu >= end || x - (last.get(vcpu) ?? -Infinity) < 12) continue;
      last.set(vcpu, x);
      drawMark(context, "triangle", x, this.laneTop(vcpu) + 4, 4.5, this.palette.alert, this.palette.card);
    }
  }

  /** The because chain of the open finding: its events on their lanes, numbered, and a line from each to the next. */
  drawHighlight(context) {
    const marks = this.highlight.map((event) => ({
      x: this.x(this.place(event)), y: event.vcpu === null ? this.headHeight + 6 : this.laneTop(event.vcpu) + ROW.lane / 2, event,
    }));
    const end = marks.find(({ event }) => event.isEnd);
    if (end) {
      context.strokeStyle = this.palette.finding;
      context.lineWidth = 1.5;
      strokeLines(context, [end.x, this.headHeight, end.x, this.height]);
    }
    const taken = [];
    for (const mark of marks) {
      // Events of one moment: beside each other rather than on top.
      while (taken.some((other) => Math.abs(other.y - mark.y) < 14 && Math.abs(other.x - mark.x) < 22)) mark.x += 22.5;
      taken.push(mark);
      const isEnd = mark.event.isEnd;
      if (isEnd) drawMark(context, "diamond", mark.x, mark.y, 12, this.palette.finding, this.palette.card);
      else drawMark(context, "disc", mark.x, mark.y, 9, this.palette.card, this.palette.ink);
      context.fillStyle = isEnd ? this.palette.findingInk : this.palette.ink;
      context.font = this.font(11, 700);
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.fillText(mark.event.label, mark.x, mark.y + 0.5);
    }
  }

  // MARK: The rows above the lanes

  drawHead(context, ratio) {
    context.fillStyle = this.palette.card;
    context.fillRect(0, 0, this.width, this.headHeight);
    this.drawRuler(context);
    let top = ROW.ruler;
    context.font = this.font(12.5);
    context.textBaseline = "middle";
    context.textAlign = "right";
    context.fillStyle = this.palette.soft;
    if (trace.findings.length) {
      context.fillText("findings", this.gutter - 12, top + ROW.findings / 2);
      this.clipPlot(context, () => this.drawFindings(context, top));
      top += ROW.findings;
    }
    if (this.hasRegion) {
      context.fillStyle = this.palette.soft;
      context.textAlign = "right";
      context.font = this.font(12.5);
      context.fillText("region", this.gutter - 12, top + ROW.region / 2);
      this.drawRegionRow(context, top, ratio);
    }
    context.fillStyle = this.palette.line;
    context.fillRect(0, this.headHeight - 1, this.width, 1);
  }

  /** When the region is in the view. */
  drawRegionRow(context, top, ratio) {
    const batch = new RectangleBatch();
    this.addLane(batch, null, this.region, { top: top + 7, height: 10, thin: NORMAL, ratio });
    this.clipPlot(context, () => this.paint(context, batch, ratio));
  }

  /** Rectangles are in pixels of the screen. */
  paint(context, batch, ratio) {
    context.setTransform(1, 0, 0, 1, 0, 0);
    batch.paint(context);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  drawRuler(context) {
    context.font = this.font(12);
    context.textBaseline = "middle";
    context.textAlign = "center";
    const width = this.to - this.from;
    const start = trace.first[this.axis];
    const least = width / Math.max(2, (this.width - this.gutter) / 96);
    const power = 10 ** Math.floor(Math.log10(least));
    const step = Math.max(1, [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= least));
    const end = start + Math.min(this.to, this.length);
    for (let at = Math.ceil((start + Math.max(0, this.from)) / step) * step; at <= end; at += step) {
      const x = this.x(at - start);
      context.fillStyle = this.palette.line;
      context.fillRect(x, ROW.ruler - 5, 1, 5);
      context.fillStyle = this.palette.soft;
      const text = this.axis === "time" ? duration(at, Math.max(end, step)) : grouped(at);
      if (x > this.gutter + 8 && x < this.width - text.length * 3.4) context.fillText(text, x, ROW.ruler / 2);
    }
    context.textAlign = "right";
    context.fillStyle = this.palette.soft;
    context.fillText(this.axis === "time" ? "time" : "event", this.gutter - 12, ROW.ruler / 2);
    context.fillStyle = this.palette.line;
    context.fillRect(0, ROW.ruler - 1, this.width, 1);
  }

  /** Findings in a row of their own: those that would cover each other stand side by side, and a line says where each belongs. */
  drawFindings(context, top) {
    this.findingPlaces = [];
    let last = -Infinity;
    for (const finding of trace.findings) {
      const event = locate(finding.seq);
      if (!event) continue;
      const exact = this.x(this.place(event));
      if (exact < this.gutter - 8 || exact > this.width + 8) continue;
      const x = Math.max(exact, last + 24, this.gutter + 12);
      last = x;
      const [y, isOpen] = [top + ROW.findings / 2, this.selected === finding.index];
      context.strokeStyle = this.palette.finding;
      context.lineWidth = 1;
      strokeLines(context, [x, y + 8, exact, top + ROW.findings]);
      if (isOpen) drawMark(context, "diamond", x, y, 15, this.palette.ink, this.palette.card);
      drawMark(context, "diamond", x, y, 12, this.palette.finding, this.palette.card);
      context.fillStyle = this.palette.findingInk;
      context.font = this.font(10.5, 700);
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.fillText(`${finding.number}`, x, y + 0.5);
      this.findingPlaces.push({ x, y, finding });
    }
  }

  /** The whole trace at a glance: the region's share of the time, findings, and a frame around what is in view. */
  drawOverview() {
    const height = 34;
    const { context, ratio } = fitCanvas(this.overview, this.width, height);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = this.palette.lane;
    context.fillRect(0, 0, this.width, height);
    const unit = (this.width - this.gutter) / this.length;
    const source = this.hasRegion ? this.region : null;
    context.fillStyle = this.palette.privileged;
    for (let x = 0, index = 0; source && x < this.width - this.gutter; x += 2) {
      const amounts = new Float64Array(8);
      index = source.measure(x / unit, Math.min(this.length, (x + 2) / unit), amounts, index);
      const tall = Math.min(18, amounts[PRIVILEGED] * unit / 2 * 18);
      if (tall > 0) context.fillRect(this.gutter + x, height - 4 - Math.max(1, tall), 2, Math.max(1, tall));
    }
    for (const finding of trace.findings) {
      const event = locate(finding.seq);
      if (event) drawMark(context, "diamond", this.gutter + this.place(event) * unit, 8, 4.5, this.palette.finding, this.palette.lane);
    }
    const [left, right] = [this.gutter + Math.max(0, this.from) * unit, this.gutter + Math.min(this.length, this.to) * unit];
    context.fillStyle = this.palette.card;
    context.globalAlpha = 0.6;
    context.fillRect(this.gutter, 0, left - this.gutter, height);
    context.fillRect(right, 0, this.width - right, height);
    context.globalAlpha = 1;
    context.strokeStyle = this.palette.accent;
    context.lineWidth = 2;
    context.strokeRect(left, 1, Math.max(3, right - left), height - 2);
    context.fillStyle = this.palette.card;
    context.fillRect(0, 0, this.gutter - 4, height);
    context.fillStyle = this.palette.soft;
    context.font = this.font(12.5);
    context.textAlign = "right";
    context.textBaseline = "middle";
    context.fillText("whole", this.gutter - 12, height / 2);
  }

  // MARK: What is said of it

  /** The stretch in view, in words. */
  get rangeText() {
    const [low, high] = [Math.max(0, this.from), Math.min(this.length, this.to)];
    const start = trace.first[this.axis];
    if (this.axis === "seq") return `Events ${grouped(Math.ceil(start + low))} to ${grouped(Math.floor(start + high))}`;
    return `${duration(start + low, start + high)} to ${duration(start + high)}, ${duration(high - low)} of ${duration(trace.length.time)}`;
  }

  tellStatus() {
    const notes = [this.rangeText];
    if (this.hiddenSignals) notes.push(`${counted(this.hiddenSignals, "signal")} here: zoom in to see them as arrows`);
    if (data.timeline.signals.stride > 1) notes.push(`the signals of one rendezvous in ${data.timeline.signals.stride} are kept`);
    if (data.timeline.grain > 1) notes.push(`stretches of fewer than ${grouped(data.timeline.grain)} events are joined, but for those near findings`);
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
      const what = `${ACTIONS[action] ?? `action ${action}`} for a ${ORIGINS[origin] ?? `origin ${origin}`}${gpa ? ` at ${hex(gpa)}` : ""}`;
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
