// Puts the page together.

showHead();
showFacts();

const machine = new Machine();
const heat = new HeatMap();
const findings = new Findings((finding, marks) => {
  timeline.selected = finding?.index ?? null;
  timeline.highlight = marks;
  if (finding) timeline.frame(marks);
  else timeline.redraw();
  machine.show(finding);
  heat.mark(finding);
});
const timeline = new Timeline((which) => findings.open(which));
findings.onStep = (event) => {
  timeline.frame([event]);
  byId("timeline").scrollIntoView({ block: "nearest" });
  say(`Event ${event.seq}, ${vcpuName(event.vcpu)}, is in view.`);
};
machine.show(null);
showLegend();
showLaneTable(timeline);
listenToToolbar();
listenToTheme();

function showLegend() {
  const used = [...MODES.keys()].filter((mode) => mode !== OFFLINE && timeline.lanes.some((lane) => lane.sums[lane.count * 8 + mode] > 0));
  const entries = used.map((mode) => {
    const { letter, name, words } = MODES[mode];
    return { text: `${letter} ${name}`, more: words, draw: (context) => swatch(context, mode) };
  });
  if (timeline.hasRegion) entries.push({ text: "the special region is in the view", draw: drawBandSwatch });
  if (trace.signals.length) {
    entries.push({ text: "stop signal to its ack", draw: (context) => drawArrowSwatch(context, true) });
    entries.push({ text: "resume to its wake-up", draw: (context) => drawArrowSwatch(context, false) });
  }
  const { palette } = timeline;
  const alerts = `alert (${grouped(data.timeline.alerts.total)})`;
  if (trace.alerts.length) entries.push({ text: alerts, draw: (context) => drawMark(context, "triangle", 15, 9, 5, palette.alert, palette.card) });
  if (trace.findings.length) entries.push({ text: "finding", draw: (context) => drawMark(context, "diamond", 15, 8, 7, palette.finding, palette.card) });
  if (trace.holes.length) entries.push({ text: "events are missing", draw: drawHoleSwatch });
  byId("legend").replaceChildren(...entries.map(({ text, more, draw }) => {
    const canvas = make("canvas", { "aria-hidden": "true" });
    const { context, ratio } = fitCanvas(canvas, 30, 16);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    draw(context);
    return make("li", {}, canvas, make("span", {}, text, more ? make("span", { class: "more" }, `: ${more}`) : ""));
  }));
}

function swatch(context, mode) {
  const { palette } = timeline;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = palette.pattern(context, mode, context.canvas.width / 30);
  context.fillRect(0, 0, context.canvas.width, context.canvas.height);
}

function drawBandSwatch(context) {
  context.fillStyle = timeline.palette.privileged;
  context.fillRect(0, 0, 30, 6);
  context.globalAlpha = 0.13;
  context.fillRect(0, 6, 30, 10);
}

function drawArrowSwatch(context, isStop) {
  context.strokeStyle = context.fillStyle = timeline.palette.arrow;
  context.lineWidth = 1.5;
  drawArrow(context, 2, 8, 28, 8, isStop);
}

function drawHoleSwatch(context) {
  context.strokeStyle = timeline.palette.caution;
  context.lineWidth = 2;
  context.setLineDash([3, 3]);
  strokeLines(context, [15, 0, 15, 16]);
}

/** Exactly one button of a group is pressed. */
function press(group, pressed) {
  for (const button of byId(group).querySelectorAll("button")) button.setAttribute("aria-pressed", `${button === pressed}`);
}

function listenToToolbar() {
  byId("zoom-in").addEventListener("click", () => timeline.zoom(0.5));
  byId("zoom-out").addEventListener("click", () => timeline.zoom(2));
  byId("zoom-fit").addEventListener("click", () => timeline.fit());
  byId("next").addEventListener("click", () => findings.open("next"));
  byId("previous").addEventListener("click", () => findings.open("previous"));
  for (const button of byId("axis").querySelectorAll("button")) {
    const axis = button.dataset.axis === "time" ? "time" : "seq";
    button.setAttribute("aria-pressed", `${axis === timeline.axis}`);
    if (axis === "time" && trace.length.time <= 0) button.disabled = true;
    button.addEventListener("click", () => {
      press("axis", button);
      timeline.setAxis(axis);
      showLaneTable(timeline);
    });
  }
}

function listenToTheme() {
  const renew = () => {
    timeline.applyTheme();
    heat.redraw();
    showLegend();
  };
  for (const button of byId("theme").querySelectorAll("button")) {
    button.addEventListener("click", () => {
      press("theme", button);
      if (button.dataset.theme === "auto") delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = button.dataset.theme;
      renew();
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", renew);
}

// Escape closes a finding from anywhere in it.
byId("finding").addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || findings.selected === null) return;
  const button = findings.buttons[findings.selected];
  findings.open(null);
  button.focus();
});

// What tests look at.
window.pagetape = { timeline, findings, heat, trace };
