import Analyzer
import Testing
import TraceEvents

/// Builds the events of the stop protocol, step by step, filling in what a recorder knows: numbers, causes, where each vCPU stands.
struct StopScenario {
  static let region = GuestRange(start: 0x7000_0000, length: 0x10_0000)

  struct VCPU {
    var isInGuest = false
    var isInMode = false
    var rip: UInt64 = 0x1000
    var activity = Activity.running
    var raise: UInt64 = 0
    var stop: UInt64 = 0
    var resume: UInt64 = 0
    var wasStopped = false
  }

  private(set) var events: [Event] = []
  var vcpus: [VCPU]
  var rendezvous: UInt64 = 0
  var claimant = 0
  var acks: [UInt64] = []
  var lastExit: UInt64 = 0
  var unmapSeq: UInt64 = 0
  var time: UInt64 = 0

  /// All vCPUs online and in the guest; `offline` of them, the last ones, not yet.
  init(_ count: Int, offline: Int = 0) {
    vcpus = Array(repeating: VCPU(), count: count)
    add(.sessionStart, Event.host, a: UInt64(count))
    for vcpu in 0..<count - offline {
      vcpus[vcpu].rip += UInt64(vcpu) * 0x100
      add(.vcpuOnline, vcpu)
      enter(vcpu)
    }
  }

  // MARK: One event each

  @discardableResult
  mutating func add(
    _ kind: EventKind, _ vcpu: UInt16, gpa: UInt64 = 0, rip: UInt64 = 0, cause: UInt64 = 0, a: UInt64 = 0, b: UInt64 = 0, c: UInt64 = 0,
    d: UInt64 = 0, data: [UInt8] = []
  ) -> UInt64 {
    let seq = UInt64(events.count + 1)
    time += 1000
    events.append(Event(kind, vcpu: vcpu, seq: seq, time: time, gpa: gpa, rip: rip, cause: cause, a: a, b: b, c: c, d: d, data: data))
    return seq
  }

  @discardableResult
  mutating func add(
    _ kind: EventKind, _ vcpu: Int, gpa: UInt64 = 0, rip: UInt64 = 0, cause: UInt64 = 0, a: UInt64 = 0, b: UInt64 = 0, c: UInt64 = 0,
    d: UInt64 = 0, data: [UInt8] = []
  ) -> UInt64 {
    add(kind, UInt16(vcpu), gpa: gpa, rip: rip, cause: cause, a: a, b: b, c: c, d: d, data: data)
  }

  mutating func enter(_ vcpu: Int) {
    add(.guestEnter, vcpu, rip: vcpus[vcpu].isInMode ? Self.region.start : vcpus[vcpu].rip)
    vcpus[vcpu].isInGuest = true
  }

  mutating func exit(_ vcpu: Int, _ reason: GuestExitReason = .kick) {
    guard vcpus[vcpu].isInGuest else { return }
    add(.guestExit, vcpu, rip: vcpus[vcpu].isInMode ? Self.region.start + 0x40 : vcpus[vcpu].rip, a: reason.rawValue)
    vcpus[vcpu].isInGuest = false
  }

  mutating func raise(_ vcpu: Int) {
    let isFirst = vcpus[vcpu].raise == 0
    let seq = add(.privilegedRaise, Event.host, a: UInt64(vcpu), b: isFirst ? 0 : 1)
    if isFirst { vcpus[vcpu].raise = seq }
  }

  mutating func claim(_ vcpu: Int) {
    exit(vcpu)
    rendezvous += 1
    claimant = vcpu
    acks = []
    add(.rendezvousClaim, vcpu, cause: vcpus[vcpu].raise, b: rendezvous)
  }

  mutating func stop(_ vcpu: Int, by sender: Int? = nil) {
    vcpus[vcpu].stop = add(.stopSend, sender ?? claimant, a: UInt64(vcpu), b: rendezvous)
  }

  mutating func ack(_ vcpu: Int, cause: UInt64? = nil, leavingGuest: Bool = true) {
    if leavingGuest { exit(vcpu) }
    let state = vcpus[vcpu]
    acks.append(
      add(.stopAck, vcpu, rip: state.rip, cause: cause ?? state.stop, a: state.activity.rawValue, b: rendezvous, c: digest(vcpu)))
    vcpus[vcpu].stop = 0
    vcpus[vcpu].wasStopped = true
  }

  mutating func map(by vcpu: Int? = nil) {
    let waited = acks.flatMap { seq in (0..<8).map { UInt8(truncatingIfNeeded: seq >> UInt64($0 * 8)) } }
    add(.regionMap, vcpu ?? claimant, gpa: Self.region.start, a: Self.region.length, b: rendezvous, data: waited)
  }

  mutating func enterMode(_ vcpu: Int, _ path: EntryPath, cause: UInt64? = nil, executes: Bool = true) {
    let state = vcpus[vcpu]
    add(
      .modeEnter, vcpu, rip: state.rip, cause: cause ?? state.raise, a: path.rawValue, b: rendezvous, c: digest(vcpu), d: state.activity.rawValue)
    vcpus[vcpu].raise = 0
    vcpus[vcpu].isInMode = true
    vcpus[vcpu].wasStopped = false
    if executes { enter(vcpu) }
  }

  mutating func exitMode(_ vcpu: Int, _ path: ExitPath) {
    exit(vcpu, .hypercall)
    lastExit = add(.modeExit, vcpu, a: path.rawValue, b: rendezvous)
    vcpus[vcpu].isInMode = false
    vcpus[vcpu].wasStopped = path != .last
  }

  mutating func unmap(by vcpu: Int? = nil) {
    unmapSeq = add(.regionUnmap, vcpu ?? claimant, gpa: Self.region.start, cause: lastExit, a: Self.region.length, b: rendezvous)
  }

  mutating func resume(_ vcpu: Int, by sender: Int? = nil, number: UInt64? = nil) {
    vcpus[vcpu].resume = add(.resumeSend, sender ?? claimant, cause: unmapSeq, a: UInt64(vcpu), b: number ?? rendezvous)
  }

  mutating func take(_ vcpu: Int, cause: UInt64? = nil, number: UInt64? = nil, activity: Activity? = nil, digestChange: UInt64 = 0) {
    let state = vcpus[vcpu]
    add(
      .resumeTake, vcpu, rip: state.rip, cause: cause ?? state.resume, a: (activity ?? state.activity).rawValue, b: number ?? rendezvous,
      c: digest(vcpu) &+ digestChange)
    vcpus[vcpu].resume = 0
    vcpus[vcpu].wasStopped = false
  }

  mutating func end(by vcpu: Int? = nil) { add(.rendezvousEnd, vcpu ?? claimant, b: rendezvous) }

  mutating func goBack(_ vcpu: Int, activity: Activity? = nil) {
    add(.modeReturn, vcpu, rip: vcpus[vcpu].rip, a: (activity ?? vcpus[vcpu].activity).rawValue, b: rendezvous, c: digest(vcpu))
  }

  mutating func halt(_ vcpu: Int) {
    exit(vcpu, .halt)
    add(.vcpuHalt, vcpu, rip: vcpus[vcpu].rip)
    vcpus[vcpu].activity = .halted
  }

  mutating func unhalt(_ vcpu: Int) {
    let raised = add(.interruptRaise, Event.host, a: UInt64(vcpu), b: 32)
    add(.vcpuUnhalt, vcpu, cause: raised)
    vcpus[vcpu].activity = .running
  }

  private func digest(_ vcpu: Int) -> UInt64 { vcpus[vcpu].rip &* 0x9e37_79b9_7f4a_7c15 }

  // MARK: Several

  func others(_ vcpu: Int) -> [Int] { vcpus.indices.filter { $0 != vcpu } }

  /// From the interrupt to the stop signals.
  mutating func begin(_ first: Int, stopping peers: [Int]) {
    raise(first)
    claim(first)
    for peer in peers { stop(peer) }
  }

  /// The last exit, and the region leaves the view.
  mutating func leaveLast(_ last: Int) {
    exitMode(last, .last)
    unmap(by: last)
  }

  /// From the interrupt to the first entry.
  mutating func open(_ first: Int, executes: Bool = true) {
    begin(first, stopping: others(first))
    for peer in others(first) { ack(peer) }
    map()
    enterMode(first, .first, executes: executes)
  }

  /// From the last exit to everybody back in the guest.
  mutating func close(_ last: Int) {
    leaveLast(last)
    let stopped = others(last).filter { vcpus[$0].wasStopped }
    for peer in stopped { resume(peer, by: last) }
    end(by: last)
    goBack(last)
    if vcpus[last].activity == .running { enter(last) }
    for peer in stopped {
      take(peer)
      if vcpus[peer].activity == .running { enter(peer) }
    }
  }

  mutating func finish(_ reason: EndReason = .guestFinished, after silence: UInt64 = 0) {
    time += silence
    add(.sessionEnd, Event.host, a: reason.rawValue)
  }

  // MARK: Judging

  static func analyzer(_ count: Int, _ judges: [any RuleJudge] = [], tellingFrom floor: UInt64 = 0) -> Analyzer {
    Analyzer(
      Analyzer.Subject(vcpuCount: count, memory: [GuestRange(start: 0, length: 64 << 20)], region: region, attribution: .everyWrite),
      judges: judges, tellingFrom: floor)
  }

  /// The verdict on the events so far, as if the recording ended here.
  var verdict: Verdict {
    var whole = self
    if events.last?.kind != .sessionEnd { whole.finish() }
    var analyzer = Self.analyzer(vcpus.count)
    for event in whole.events { analyzer.consume(event) }
    return analyzer.finish()
  }
}

/// Checks that exactly `rules` are reported; `also` is what the first of them covers.
func expect(_ scenario: StopScenario, breaks rules: [Rule], also: [Rule]? = nil, sourceLocation: SourceLocation = #_sourceLocation) {
  let verdict = scenario.verdict
  #expect(Set(verdict.findings.map(\.rule)) == Set(rules), "\(verdict.findings)", sourceLocation: sourceLocation)
  #expect(verdict.outcome == (rules.isEmpty ? .clean : .violated), sourceLocation: sourceLocation)
  if let also { #expect(Set(verdict.findings.first?.also ?? []) == Set(also), sourceLocation: sourceLocation) }
  for finding in verdict.findings {
    #expect(!finding.expected.isEmpty && !finding.observed.isEmpty, sourceLocation: sourceLocation)
    #expect(finding.because.allSatisfy { $0.seq > 0 && $0.seq <= UInt64(scenario.events.count) }, "\(finding)", sourceLocation: sourceLocation)
  }
}
