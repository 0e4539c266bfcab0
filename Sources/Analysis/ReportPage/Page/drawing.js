// How what is in view is drawn.

class Drawing extends View {
  constructor() {
    super();
    this.canvas = byId("lanes");
    this.overview = byId("overview");
    /** Milliseconds that the latest frames took to draw. */
    this.frames = [];
    /** How much of a column is spent in each mode: made once, as there are many columns. */
    this.scratch = new Float64Array(8);
    this.applyTheme();
  }

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
    this.gutter = width < NARROW ? 68 : 84;
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
      context.fillText(this.width < NARROW && vcpu > 99 ? `${vcpu}` : `vCPU ${vcpu}`, this.gutter - 12, middle);
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
    for (let x = Math.max(this.gutter, this.x(0)); x < this.width;) {
      const place = Math.max(0, this.placeAt(x));
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
        this.region.measure(place, until, amounts, index);
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
    // The last one is where it was; those of the same moment stand beside each other on its left, rather than on top.
    for (const mark of marks.reverse()) {
      const isCovered = (other) => Math.abs(other.y - mark.y) < 14 && Math.abs(other.x - mark.x) < 22;
      for (let other = taken.find(isCovered); other; other = taken.find(isCovered)) mark.x = other.x - 22.5;
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
    const end = start + Math.min(this.to, this.length);
    const stepFor = (pixels) => {
      const least = width / Math.max(2, (this.width - this.gutter) / pixels);
      const power = 10 ** Math.floor(Math.log10(least));
      return Math.max(1, [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= least));
    };
    const label = (at, step) => this.axis === "time" ? duration(at, Math.max(end, step), step) : grouped(at);
    // A nanosecond late in a long trace takes many digits.
    const close = stepFor(96);
    const step = stepFor(Math.max(96, context.measureText(label(Math.floor(end / close) * close + close, close)).width + 20));
    for (let at = Math.ceil((start + Math.max(0, this.from)) / step) * step; at <= end; at += step) {
      const x = this.x(at - start);
      context.fillStyle = this.palette.line;
      context.fillRect(x, ROW.ruler - 5, 1, 5);
      context.fillStyle = this.palette.soft;
      const text = label(at, step);
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
}
