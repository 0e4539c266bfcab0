import TestSeeds
import TraceEvents

/// A stream of events that write three pages in every way there is, for comparison with a plain search.
struct RandomWrites {
  static let vcpus = 3
  static let firstPage: UInt64 = 8

  var events: [Event] = []
  private var random: Seed
  private var traps: [UInt16: Event] = [:]

  init(count: Int, seed: UInt64) {
    random = Seed(seed)
    while events.count < count { step() }
  }

  private mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(random.below(4)) } }

  private mutating func add(_ event: Event) {
    var event = event
    event.seq = UInt64(events.count + 1)
    event.time = event.seq * 10
    events.append(event)
  }

  private mutating func step() {
    let vcpu = UInt16(random.below(Self.vcpus))
    let page = Self.firstPage + UInt64(random.below(3))
    let gpa = page * 4096 + UInt64(random.chance(50) ? random.below(16) : 4080 + random.below(15))
    let rip = UInt64(random.below(1000))
    switch random.below(100) {
    case 0..<15: add(Event(.guestEnter, vcpu: vcpu, rip: rip))
    case 15..<30: add(Event(.guestExit, vcpu: vcpu, rip: rip))
    case 30..<55:
      let runs = random.chance(20) ? [] : [PageDiff.Run(offset: random.below(12), bytes: bytes(1 + random.below(8)))]
      let data = random.chance(5) ? [9, 9] : PageDiff(runs: runs).encoded
      add(Event(.pageWrite, vcpu: vcpu, gpa: page * 4096, a: 1, data: data))
    case 55..<70:
      if let trap = traps.removeValue(forKey: vcpu) {
        add(
          Event(
            .writeResult, vcpu: vcpu, gpa: trap.gpa, cause: trap.seq, a: UInt64(random.below(2)), data: bytes(trap.data.count) + bytes(trap.data.count)))
      } else {
        add(Event(.writeTrap, vcpu: vcpu, gpa: gpa, rip: rip, data: bytes(1 + random.below(8))))
        traps[vcpu] = events.last
      }
    case 70..<80:
      let count = 1 + random.below(8)
      add(Event(.guestWrite, vcpu: vcpu, gpa: gpa, rip: rip, data: bytes(count) + bytes(count)))
    case 80..<85: add(Event(.pageContents, vcpu: vcpu, gpa: page * 4096, data: [UInt8](repeating: UInt8(random.below(2)), count: 4096)))
    case 85..<90: add(Event(.unmappedAccess, vcpu: vcpu, gpa: gpa, rip: rip, a: UInt64(random.below(3)), data: bytes(4)))
    case 90..<91: add(Event(.eventsLost, vcpu: vcpu, a: 3, b: LossCause.recorderOverflow.rawValue))
    default: add(Event(.console, vcpu: vcpu, data: [65]))
    }
  }
}
