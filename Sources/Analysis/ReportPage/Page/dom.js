// Elements and words. What comes from a trace goes into the page as text, never as markup.

const byId = (id) => document.getElementById(id);

/** An element with properties and children; strings become text. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** A table; a cell is a string, an element, or `{ text, class }`. The first cell of a row is its header. */
function makeTable(caption, heads, rows, properties = {}) {
  const cell = (content, tag, index) => {
    const isPlain = typeof content === "string" || content instanceof Node;
    const scope = tag === "th" ? (index === undefined ? "col" : "row") : null;
    return make(tag, { scope, class: isPlain ? null : content.class }, isPlain ? content : content.text);
  };
  return make("table", properties,
    make("caption", { class: "only-heard" }, caption),
    make("thead", {}, make("tr", {}, heads.map((head) => cell(head, "th")))),
    make("tbody", {}, rows.map((row) => make("tr", {}, row.map((content, index) => cell(content, index === 0 ? "th" : "td", index))))));
}

/** A table that may be wider than a phone: it scrolls by itself, by keyboard too. */
const makeScroller = (label, table) => make("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": label }, table);

const makeFold = (title, content, isOpen = false) => make("details", { class: "fold", open: isOpen ? "" : null }, make("summary", {}, title), content);

const NUMBERS = new Intl.NumberFormat("en-US");
const grouped = (number) => NUMBERS.format(number);
const counted = (number, noun, many = noun + "s") => `${grouped(number)} ${number === 1 ? noun : many}`;
const hex = (number) => "0x" + number.toString(16);
const percent = (share) => share > 0 && share < 0.001 ? "< 0.1 %" : `${(share * 100).toFixed(1)} %`;

function bytes(count) {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  while (count >= 1024 && unit < units.length - 1) {
    count /= 1024;
    unit++;
  }
  return `${Number.isInteger(count) ? count : count.toFixed(1)} ${units[unit]}`;
}

const TIME_UNITS = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]];

/** Nanoseconds in the unit that suits their size, or in that of `like`; with three decimals, or as many as tell apart what is `step` from each other. */
function duration(nanoseconds, like = nanoseconds, step = Infinity) {
  const [scale, unit] = TIME_UNITS.find(([size]) => Math.abs(like) >= size) ?? TIME_UNITS[3];
  const digits = unit === "ns" ? 0 : Math.max(3, Math.ceil(Math.log10(scale / Math.max(1, step)) - 1e-9));
  return `${(nanoseconds / scale).toFixed(digits).replace(/\.?0+$/, "") || "0"} ${unit}`;
}

/** Nanoseconds as `dump` prints them. */
const milliseconds = (nanoseconds) => `${(nanoseconds / 1e6).toFixed(3)} ms`;

const vcpuName = (vcpu) => vcpu === null || vcpu === HOST ? "host" : `vCPU ${vcpu}`;

/** An instruction's address with its name, where it has one. */
const instruction = (address) => address in data.symbols.rip ? `${address} (${data.symbols.rip[address]})` : address;

/** The same for a guest-physical address. */
const memory = (address) => address in data.symbols.gpa ? `${address} (${data.symbols.gpa[address]})` : address;

/** Says something to whoever listens to the page rather than looks at it. */
function say(text) { byId("said").textContent = text; }

/** Lets arrow keys move through a list of which one entry alone is in the order of Tab. */
function rove(list, entries, orientation = "vertical") {
  const [back, forth] = orientation === "vertical" ? ["ArrowUp", "ArrowDown"] : ["ArrowLeft", "ArrowRight"];
  const choose = (index) => entries.forEach((entry, at) => { entry.tabIndex = at === index ? 0 : -1; });
  choose(0);
  list.addEventListener("focusin", (event) => {
    const index = entries.indexOf(event.target);
    if (index >= 0) choose(index);
  });
  list.addEventListener("keydown", (event) => {
    const at = entries.indexOf(document.activeElement);
    if (at < 0) return;
    const to = { [back]: at - 1, [forth]: at + 1, Home: 0, End: entries.length - 1 }[event.key];
    if (to === undefined || !(to in entries)) return;
    event.preventDefault();
    entries[to].focus();
  });
}
