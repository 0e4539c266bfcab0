// Pages by writes: a map of guest memory with a cell a page, and the most written ones as a table.

class HeatMap {
  constructor() {
    const { cells, pages } = trace.writes;
    this.cells = cells;
    this.size = pages * 4096;
    this.most = cells.reduce((most, { writes }) => Math.max(most, writes), 0);
    const place = byId("heat");
    const total = cells.reduce((sum, { writes }) => sum + writes, 0);
    const denied = cells.reduce((sum, cell) => sum + cell.denied, 0);
    if (!cells.length) return place.append(make("p", { class: "empty" }, "The trace holds no write: nothing was written, or the recording did not look."));
    const unit = pages === 1 ? "page" : `stretch of ${bytes(this.size)}`;
    const places = counted(cells.length, unit, pages === 1 ? "pages" : `stretches of ${bytes(this.size)}`);
    byId("heat-scope").textContent = `${counted(total, "write")}${denied ? ` and ${grouped(denied)} denied` : ""} to ${places}`;
    this.canvas = make("canvas", {
      tabindex: "0", role: "application", "aria-roledescription": "heat map", "aria-label": "Pages by writes. Arrow keys move from page to page.",
    });
    this.status = make("p", { class: "status" }, "Point at a page, or move to one with the arrow keys.");
    place.append(make("div", { class: "heat-grid" },
      make("div", {}, make("div", { class: "heat-map" }, this.canvas), this.status, this.scale()), make("div", {}, this.table())));
    this.bySlot = new Map(cells.map((cell) => [cell.key, cell]));
    this.cursor = null;
    this.marked = null;
    this.listen();
    this.redraw();
  }

  /** Steps of the scale are logarithmic: from one write to the most. */
  step(writes) {
    if (writes <= 0) return 0;
    return this.most <= 1 ? 5 : Math.min(5, Math.round(Math.log(writes) / Math.log(this.most) * 4) + 1);
  }

  scale() {
    const marks = [...new Set([0.25, 1, 2, 3, 4].map((step) => Math.max(1, Math.round(this.most ** (step / 4)))))];
    return make("p", { class: "scale" }, "Writes: ", marks.map((writes) => {
      const swatch = make("i");
      swatch.style.background = `var(--heat-${this.step(writes)})`;
      return make("span", {}, swatch, grouped(writes));
    }), make("span", {}, "dot: some were denied"));
  }

  address(cell) { return memory(hex(cell.key * this.size)); }

  words(cell) {
    const parts = [`${this.address(cell)}: ${counted(cell.writes, "write")}`];
    if (cell.elevated) parts.push(`${grouped(cell.elevated)} of them in an elevated mode`);
    if (cell.denied) parts.push(`${grouped(cell.denied)} denied`);
    return parts.join(", ");
  }

  table() {
    const shown = 10;
    const top = [...this.cells].sort((left, right) => right.writes + right.denied - left.writes - left.denied || left.key - right.key).slice(0, shown);
    const rows = top.map((cell) => {
      const bar = make("span", { class: "bar" });
      bar.style.width = `${this.most ? Math.max(1, cell.writes / this.most * 100) : 0}%`;
      return [
        { text: make("span", {}, make("code", {}, this.address(cell)), bar) }, { text: grouped(cell.writes), class: "number" },
        { text: cell.elevated ? grouped(cell.elevated) : "–", class: "number" }, { text: cell.denied ? grouped(cell.denied) : "–", class: "number" },
      ];
    });
    const heads = [this.size === 4096 ? "Page" : "From", ...["Writes", "Elevated", "Denied"].map((text) => ({ text, class: "number" }))];
    return makeScroller("The most written pages", makeTable(`The ${top.length} most written pages`, heads, rows));
  }

  // MARK: The map

  /** Rows of cells that hold one that was written; a gap is shown where rows are left out. */
  layOut(width) {
    this.label = width < 480 ? 84 : 104;
    const room = width - this.label - 2;
    this.columns = [64, 32, 16].find((count) => room / count >= 9) ?? 8;
    this.edge = Math.min(14, Math.floor(room / this.columns));
    this.rows = [];
    let y = 4;
    for (const { key } of this.cells) {
      const row = Math.floor(key / this.columns);
      const last = this.rows.at(-1);
      if (last?.row === row) continue;
      if (last && row > last.row + 1) y += 7;
      this.rows.push({ row, y });
      y += this.edge;
    }
    return y + 4;
  }

  redraw() {
    if (!this.canvas) return;
    const width = this.canvas.parentElement.clientWidth;
    if (!width) return;
    const height = this.layOut(width);
    this.canvas.style.height = `${height}px`;
    const { context, ratio } = fitCanvas(this.canvas, width, height);
    const palette = new Palette();
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    this.drawRows(context, palette);
    for (const [cell, colour] of [[this.marked, palette.finding], [this.cursor, palette.accent]]) {
      if (!cell) continue;
      const [x, y] = this.corner(cell);
      context.strokeStyle = colour;
      context.lineWidth = 2.5;
      context.strokeRect(x - 1, y - 1, this.edge + 1, this.edge + 1);
    }
  }

  drawRows(context, palette) {
    context.font = "11.5px ui-monospace, Menlo, Consolas, \"Liberation Mono\", \"DejaVu Sans Mono\", monospace";
    context.textBaseline = "middle";
    context.textAlign = "right";
    let labelled = -Infinity;
    for (const { row, y } of this.rows) {
      if (y - labelled >= 14) {
        labelled = y;
        context.fillStyle = palette.soft;
        context.fillText(hex(row * this.columns * this.size), this.label - 10, y + this.edge / 2);
      }
      context.fillStyle = palette.faint;
      context.fillRect(this.label, y, this.columns * this.edge - 1, this.edge - 1);
    }
    for (const cell of this.cells) {
      const [x, y] = this.corner(cell);
      context.fillStyle = palette.heat[this.step(cell.writes)];
      context.fillRect(x, y, this.edge - 1, this.edge - 1);
      if (cell.denied) drawMark(context, "disc", x + this.edge / 2 - 0.5, y + this.edge / 2 - 0.5, 2, palette.finding, palette.card);
    }
  }

  corner({ key }) {
    const row = Math.floor(key / this.columns);
    const at = firstAbove(this.rows.map((entry) => entry.row), row) - 1;
    return [this.label + key % this.columns * this.edge, this.rows[at].y];
  }

  cellAt(x, y) {
    const row = this.rows.find((entry) => y >= entry.y && y < entry.y + this.edge);
    const column = Math.floor((x - this.label) / this.edge);
    return row && column >= 0 && column < this.columns ? this.bySlot.get(row.row * this.columns + column) ?? null : null;
  }

  point(cell, isSpoken) {
    if (cell === this.cursor) return;
    this.cursor = cell;
    this.status.textContent = cell ? this.words(cell) : "Point at a page, or move to one with the arrow keys.";
    if (cell && isSpoken) say(this.words(cell));
    this.redraw();
  }

  /** The page that the open finding is about. */
  mark(finding) {
    if (!this.canvas) return;
    const gpa = finding?.gpa ? Number(finding.gpa) : null;
    this.marked = gpa === null ? null : this.bySlot.get(Math.floor(gpa / this.size)) ?? null;
    this.redraw();
  }

  listen() {
    const follow = (event) => {
      const box = this.canvas.getBoundingClientRect();
      this.point(this.cellAt(event.clientX - box.left, event.clientY - box.top), false);
    };
    this.canvas.addEventListener("pointermove", follow);
    this.canvas.addEventListener("pointerdown", follow);
    this.canvas.addEventListener("keydown", (event) => {
      const at = this.cells.indexOf(this.cursor);
      const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: this.cells.length - 1 }[event.key] ?? this.vertical(event.key, at);
      if (to === undefined) return;
      event.preventDefault();
      const cell = this.cells[Math.max(0, Math.min(this.cells.length - 1, to))];
      this.point(cell, true);
      const box = this.canvas.parentElement;
      const [, y] = this.corner(cell);
      if (y < box.scrollTop || y + this.edge > box.scrollTop + box.clientHeight) box.scrollTop = y - box.clientHeight / 2;
    });
    new ResizeObserver(() => this.redraw()).observe(this.canvas.parentElement);
  }

  /** The nearest cell in the row above or below. */
  vertical(key, at) {
    if (key !== "ArrowUp" && key !== "ArrowDown") return undefined;
    if (at < 0) return 0;
    const rowOf = (index) => Math.floor(this.cells[index].key / this.columns);
    const step = key === "ArrowUp" ? -1 : 1;
    let index = at;
    while (index in this.cells && rowOf(index) === rowOf(at)) index += step;
    if (!(index in this.cells)) return at;
    const row = rowOf(index);
    const wanted = this.cells[at].key % this.columns;
    let best = index;
    for (; index in this.cells && rowOf(index) === row; index += step) {
      if (Math.abs(this.cells[index].key % this.columns - wanted) < Math.abs(this.cells[best].key % this.columns - wanted)) best = index;
    }
    return best;
  }
}
