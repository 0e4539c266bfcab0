// The trace's data, unpacked. Positions on the timeline are counted from the first event: its number and its time are 0.

const data = JSON.parse(document.getElementById("data").textContent);

/** What a lane can be in, by the numbers in the data. */
const MODES = [
  { key: "offline", name: "offline", letter: "", words: "not started, or offline" },
  { key: "normal", name: "normal", letter: "N", words: "in the guest, in no elevated mode" },
  { key: "integrity", name: "integrity", letter: "I", words: "in integrity mode" },
  { key: "privileged", name: "privileged", letter: "P", words: "in the privileged mode" },
  { key: "stopped", name: "stopped", letter: "S", words: "acknowledged a stop, executes nothing" },
  { key: "transit", name: "first in, last out", letter: "T", words: "on its way in or out: counts as stopped" },
  { key: "halted", name: "halted", letter: "H", words: "waits for an interrupt" },
  { key: "unknown", name: "unknown", letter: "?", words: "events are missing, and none has told since" },
];
const [OFFLINE, NORMAL, , PRIVILEGED, , , , UNKNOWN] = MODES.keys();
const MIXED = 8;
const HOST = 0xffff;
const ACTIONS = ["notify", "deny", "suspend", "terminate"];
const ORIGINS = ["node", "mapping", "driver page", "refusal", "region"];

/** Reads numbers that were packed 7 bits a byte. */
class PackedNumbers {
  constructor(text) {
    const bytes = atob(text);
    this.bytes = new Uint8Array(bytes.length);
    for (let at = 0; at < bytes.length; at++) this.bytes[at] = bytes.charCodeAt(at);
    this.at = 0;
  }

  get isDone() { return this.at >= this.bytes.length; }

  next() {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = this.bytes[this.at++];
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
  }
}

/** The segments of a lane in columns: `seq` and `time` of their starts, `mode`, and of the joined ones the shares of the eight modes. */
function unpackLane(text) {
  const packed = new PackedNumbers(text);
  const lane = { seq: [], time: [], mode: [], shares: new Map() };
  let seq = 0;
  let time = 0;
  while (!packed.isDone) {
    lane.seq.push(seq += packed.next());
    lane.time.push(time += packed.next());
    const mode = packed.next();
    if (mode >= MIXED) lane.shares.set(lane.mode.length, Array.from(MODES, () => packed.next() / 255));
    lane.mode.push(mode % MIXED);
  }
  return lane;
}

function unpackSignals(text) {
  const packed = new PackedNumbers(text);
  const signals = [];
  let seq = 0;
  let time = 0;
  while (!packed.isDone) {
    const signal = { sent: { seq: seq += packed.next(), time: time += packed.next() }, from: packed.next(), to: packed.next() };
    const kind = packed.next();
    signal.isStop = kind % 2 === 0;
    signal.rendezvous = packed.next();
    signal.taken = kind >= 2 ? { seq: seq + packed.next(), time: time + packed.next() } : null;
    signals.push(signal);
  }
  return signals;
}

function unpackAlerts(text) {
  const packed = new PackedNumbers(text);
  const alerts = [];
  let seq = 0;
  let time = 0;
  while (!packed.isDone) {
    alerts.push({
      seq: seq += packed.next(), time: time += packed.next(), vcpu: packed.next(), action: packed.next(), origin: packed.next(), gpa: packed.next(),
      count: packed.next(),
    });
  }
  return alerts;
}

/** Cells of the heat map by ascending address; `key` is the number of the cell's first page divided by the pages of a cell. */
function unpackWrites({ shift, packed: text }) {
  const packed = new PackedNumbers(text);
  const cells = [];
  let key = 0;
  while (!packed.isDone) cells.push({ key: key += packed.next(), writes: packed.next(), elevated: packed.next(), denied: packed.next() });
  return { pages: 2 ** shift, cells };
}

/** An event by its number; of one that is missing, where it is missed. Null where the timeline knows no such place. */
function locate(seq) {
  const event = trace.bySeq.get(seq);
  if (event) return event;
  const hole = trace.holes.find((place) => place.seq >= seq);
  return hole ? { seq: hole.seq, time: hole.time, vcpu: null } : null;
}

const trace = (() => {
  const { timeline } = data;
  const { first, last } = timeline;
  const findings = data.verdict.findings.map((finding, index) => ({ ...finding, index, number: index + 1 }));
  const events = data.events.map(([seq, time, vcpu, kind, story, rip]) => ({ seq, time, vcpu, kind, story, rip }));
  return {
    first, last, findings, events,
    length: { seq: last.seq - first.seq, time: last.time - first.time },
    lanes: timeline.lanes.map(unpackLane),
    region: unpackLane(timeline.region),
    signals: unpackSignals(timeline.signals.packed),
    alerts: unpackAlerts(timeline.alerts.packed),
    holes: timeline.holes,
    writes: unpackWrites(timeline.writes),
    bySeq: new Map(events.map((event) => [event.seq, event])),
    snapshots: new Map(data.snapshots.map((snapshot) => [snapshot.seq, snapshot])),
  };
})();
