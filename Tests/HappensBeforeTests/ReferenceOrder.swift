import HappensBefore

/// One event of a trace: what, by which thread, of what (variable, lock, message or thread).
struct Step: CustomStringConvertible {
  enum Operation: String, CaseIterable { case read, write, acquire, release, fork, join, send, receive }

  var operation: Operation
  var thread: Int
  var operand: Int

  init(_ operation: Operation, _ thread: Int, _ operand: Int) {
    self.operation = operation
    self.thread = thread
    self.operand = operand
  }

  var description: String { "\(thread) \(operation) \(operand)" }
}

/// The order of a trace's events by reachability in the graph of its edges, and the racy events by their definition. No clocks: the past of an
/// event is the set of the events that it can be reached from. Up to 64 events, 8 threads, variables, locks and messages.
struct ReferenceOrder {
  private var pasts: [UInt64] = []
  private var ofThread = [UInt64](repeating: 0, count: 8)
  private var forks = [UInt64](repeating: 0, count: 8)
  private var releases = [UInt64](repeating: 0, count: 8)
  private var sends = [UInt64](repeating: 0, count: 8)
  private var reads = [UInt64](repeating: 0, count: 8)
  private var writes = [UInt64](repeating: 0, count: 8)
  private var lastWrite = [Int](repeating: -1, count: 8)

  /// The indices of the racy events, one bit each.
  static func racy(_ trace: [Step], _ semantics: RaceDetector.Semantics) -> UInt64 {
    var order = ReferenceOrder()
    var racy: UInt64 = 0
    for (index, step) in trace.enumerated() {
      let edges = order.edges(to: step)
      var past = order.reached(from: edges)
      var conflicts: UInt64 = 0
      if step.operation == .read { conflicts = order.writes[step.operand] }
      if step.operation == .write { conflicts = order.writes[step.operand] | order.reads[step.operand] }
      if conflicts & ~order.ofThread[step.thread] & ~past != 0 { racy |= 1 << UInt64(index) }
      if semantics == .shb, step.operation == .read, order.lastWrite[step.operand] >= 0 {
        past |= order.reached(from: 1 << UInt64(order.lastWrite[step.operand]))
      }
      order.add(step, past)
    }
    return racy
  }

  /// The events with an edge to one that comes next.
  private func edges(to step: Step) -> UInt64 {
    var from = ofThread[step.thread] | forks[step.thread]
    switch step.operation {
    case .acquire: from |= releases[step.operand]
    case .receive: from |= sends[step.operand]
    case .join: from |= ofThread[step.operand] | forks[step.operand]
    default: break
    }
    return from
  }

  /// The events given, and those they can be reached from.
  private func reached(from edges: UInt64) -> UInt64 {
    var reached: UInt64 = 0
    var left = edges
    while left != 0 {
      let last = 63 - left.leadingZeroBitCount
      reached |= pasts[last] | 1 << UInt64(last)
      left &= ~reached
    }
    return reached
  }

  private mutating func add(_ step: Step, _ past: UInt64) {
    let bit: UInt64 = 1 << UInt64(pasts.count)
    switch step.operation {
    case .read: reads[step.operand] |= bit
    case .write:
      writes[step.operand] |= bit
      lastWrite[step.operand] = pasts.count
    case .release: releases[step.operand] |= bit
    case .send: sends[step.operand] |= bit
    case .fork: forks[step.operand] |= bit
    case .acquire, .join, .receive: break
    }
    ofThread[step.thread] |= bit
    pasts.append(past)
  }
}

extension RaceDetector {
  /// Whether the step is racy.
  mutating func take(_ step: Step) -> Bool {
    let (thread, operand) = (Int32(step.thread), Int32(step.operand))
    switch step.operation {
    case .read: return read(operand, by: thread)
    case .write: return write(operand, by: thread)
    case .acquire: acquire(operand, by: thread)
    case .release: release(operand, by: thread)
    case .fork: fork(operand, by: thread)
    case .join: join(operand, by: thread)
    case .send: send(operand, by: thread)
    case .receive: receive(operand, by: thread)
    }
    return false
  }

  /// The indices of a trace's racy events, one bit each.
  static func racy(_ trace: [Step], _ semantics: Semantics, firstTime: UInt32 = 1) -> UInt64 {
    var detector = RaceDetector(semantics, firstTime: firstTime)
    var racy: UInt64 = 0
    for (index, step) in trace.enumerated() where detector.take(step) { racy |= 1 << UInt64(index) }
    return racy
  }
}
