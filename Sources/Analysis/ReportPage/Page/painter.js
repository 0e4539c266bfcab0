// Drawing: colours from the style sheet, patterns so that no mode is told by its colour alone, rectangles in batches.

/** The colours of the theme in use, by the names that the style sheet gives them. */
class Palette {
  constructor() {
    const probe = document.body.appendChild(make("span", { hidden: "" }));
    this.get = (name) => {
      probe.style.color = `var(--${name})`;
      return getComputedStyle(probe).color;
    };
    this.modes = MODES.map(({ key }) => ({ fill: this.get(key), ink: this.get(key === "offline" ? "ink" : key + "-ink") }));
    for (const name of ["ink", "soft", "line", "faint", "card", "lane", "accent", "finding", "finding-ink", "alert", "arrow", "caution", "privileged"]) {
      this[name.replace(/-(.)/, (_, letter) => letter.toUpperCase())] = this.get(name);
    }
    this.heat = [0, 1, 2, 3, 4, 5].map((step) => this.get("heat-" + step));
    probe.remove();
  }

  /** What fills a stretch of a mode that is wide enough for a pattern. */
  pattern(context, mode, ratio) {
    const { fill, ink } = this.modes[mode];
    const draw = PATTERNS[MODES[mode].key];
    if (!draw) return fill;
    const size = 8 * ratio;
    const tile = document.createElement("canvas");
    tile.width = tile.height = size;
    const brush = tile.getContext("2d");
    brush.fillStyle = fill;
    brush.fillRect(0, 0, size, size);
    brush.globalAlpha = 0.32;
    brush.strokeStyle = brush.fillStyle = ink;
    brush.lineWidth = 1.5 * ratio;
    draw(brush, size);
    return context.createPattern(tile, "repeat");
  }
}

function strokeLines(brush, ...lines) {
  brush.beginPath();
  for (const [x0, y0, x1, y1] of lines) {
    brush.moveTo(x0, y0);
    brush.lineTo(x1, y1);
  }
  brush.stroke();
}

const PATTERNS = {
  integrity: (brush, size) => strokeLines(brush, [0, size / 2, size, size / 2]),
  stopped: (brush, size) => strokeLines(brush, [-1, 1, 1, -1], [0, size, size, 0], [size - 1, size + 1, size + 1, size - 1]),
  transit: (brush, size) => strokeLines(brush, [-1, size - 1, 1, size + 1], [0, 0, size, size], [size - 1, -1, size + 1, 1]),
  halted: (brush, size) => {
    for (const at of [0.25, 0.75]) {
      brush.beginPath();
      brush.arc(size * at, size * at, size / 8, 0, 7);
      brush.fill();
    }
  },
  unknown: (brush, size) => strokeLines(brush, [0, 0, size, size], [0, size, size, 0]),
};

/** Rectangles that are painted together, by style: changing the style for each is what takes the time. */
class RectangleBatch {
  constructor() { this.byStyle = new Map(); }

  add(style, x, y, width, height) {
    let list = this.byStyle.get(style);
    if (!list) this.byStyle.set(style, list = []);
    list.push(x, y, width, height);
  }

  paint(context) {
    for (const [style, list] of this.byStyle) {
      context.fillStyle = style;
      for (let at = 0; at < list.length; at += 4) context.fillRect(list[at], list[at + 1], list[at + 2], list[at + 3]);
    }
    this.byStyle.clear();
  }
}

/** Makes a canvas as large as it is shown, in the pixels of the screen. Returns its context and how many of those make one of the page's. */
function fitCanvas(canvas, width, height) {
  const ratio = Math.min(window.devicePixelRatio || 1, 3);
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide) canvas.width = wide;
  if (canvas.height !== high) canvas.height = high;
  return { context: canvas.getContext("2d"), ratio };
}

/** A diamond, a triangle or a disc around a point, with a rim that sets it off from what is below. */
function drawMark(context, shape, x, y, radius, fill, rim) {
  context.beginPath();
  if (shape === "disc") {
    context.arc(x, y, radius, 0, 7);
  } else if (shape === "triangle") {
    context.moveTo(x, y - radius);
    context.lineTo(x + radius, y + radius * 0.8);
    context.lineTo(x - radius, y + radius * 0.8);
    context.closePath();
  } else {
    context.moveTo(x, y - radius);
    context.lineTo(x + radius, y);
    context.lineTo(x, y + radius);
    context.lineTo(x - radius, y);
    context.closePath();
  }
  context.lineWidth = 2;
  context.strokeStyle = rim;
  context.stroke();
  context.fillStyle = fill;
  context.fill();
}

/** An arrow; a stop's is a line with a filled head, a resume's is dashed with an open one. */
function drawArrow(context, x0, y0, x1, y1, isStop) {
  const angle = Math.atan2(y1 - y0, x1 - x0);
  const size = 7;
  const [backX, backY] = [x1 - Math.cos(angle) * size, y1 - Math.sin(angle) * size];
  context.setLineDash(isStop ? [] : [5, 3]);
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(isStop ? backX : x1, isStop ? backY : y1);
  context.stroke();
  context.setLineDash([]);
  context.beginPath();
  context.moveTo(x1 - Math.cos(angle - 0.45) * size, y1 - Math.sin(angle - 0.45) * size);
  context.lineTo(x1, y1);
  context.lineTo(x1 - Math.cos(angle + 0.45) * size, y1 - Math.sin(angle + 0.45) * size);
  if (isStop) context.fill();
  else context.stroke();
}
