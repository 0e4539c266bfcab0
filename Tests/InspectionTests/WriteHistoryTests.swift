import Inspection
import TestSeeds
import Testing
import TraceEvents
import TraceFormat

struct WriteHistoryTests {
  static let header = TraceHeader(vcpuCount: RandomWrites.vcpus)

  /// Reads the events backwards in blocks of this size, as a file's are.
  private func history(_ events: [Event], of bytes: GuestBytes, through last: UInt64, limit: Int, block: Int) throws -> WriteHistory {
    var events = events
    for index in events.indices { events[index].seq = UInt64(index + 1) }
    let batches = try stride(from: 0, to: events.count, by: block).map {
      try EventBatch(encoding: Array(events[$0..<min($0 + block, events.count)]), header: Self.header)
    }
    var state = MachineState(vcpuCount: RandomWrites.vcpus)
    for batch in batches where batch.firstSeq <= last { state.fold(batch, through: last) }
    let executing = state.vcpus.indices.filter { state.vcpus[$0].isExecuting }.map { UInt16($0) }
    var history = WriteHistory(of: bytes, through: last, limit: limit, executing: Set(executing))
    for batch in batches where history.wantsLater && batch.firstSeq + UInt64(batch.count) > last + 1 { history.addLater(batch) }
    for batch in batches.reversed() where batch.firstSeq <= last {
      history.add(batch, missing: nil)
      if history.hasEnough { return history }
    }
    history.finish(isTail: false)
    return history
  }

  /// One write, found by looking at every event from the first on.
  private struct Plain: Equatable {
    var seq: UInt64
    var evidence: WriteRecord.Evidence
    var outcome = WriteRecord.Outcome.applied
    var rip: UInt64?
    var since: UInt64?
    var others: Set<UInt16> = []
    var after: [[UInt8]] = []
  }

  private func part(_ data: [UInt8], _ gpa: UInt64, _ bytes: GuestBytes) -> [UInt8] {
    data.enumerated().filter { gpa + UInt64($0.offset) >= bytes.start && gpa + UInt64($0.offset) < bytes.end }.map(\.element)
  }

  /// The writes of the bytes that end at or before `last`, newest first, and the later page-writes that may have been before.
  private func search(_ events: [Event], _ bytes: GuestBytes, _ last: UInt64) -> (writes: [Plain], later: [Plain]) {
    func entry(before event: Event) -> UInt64 { events.last { $0.seq < event.seq && $0.vcpu == event.vcpu && $0.kind == .guestEnter }?.seq ?? 0 }
    func mayBeBefore(_ event: Event) -> Bool {
      if event.seq <= last { return true }
      let moves = events.filter { $0.vcpu == event.vcpu && $0.seq < event.seq && ($0.kind == .guestEnter || $0.kind == .guestExit) }
      return moves.last.map { $0.kind == .guestEnter && $0.seq <= last } ?? false
    }
    var writes: [Plain] = []
    var later: [Plain] = []
    let pageWrites = events.filter { $0.kind == .pageWrite && mayBeBefore($0) }
    for event in events {
      switch event.kind {
      case .writeTrap where event.seq <= last:
        guard !part(event.data, event.gpa, bytes).isEmpty else { continue }
        if !events.contains(where: { $0.kind == .writeResult && $0.cause == event.seq && $0.seq <= last }) {
          writes.append(Plain(seq: event.seq, evidence: .trapped, outcome: .undecided, rip: event.rip))
        }
      case .writeResult where event.seq <= last, .guestWrite where event.seq <= last:
        let after = part(Array(event.data.suffix(event.data.count / 2)), event.gpa, bytes)
        guard !after.isEmpty else { continue }
        let isResult = event.kind == .writeResult
        let rip = isResult ? events[Int(event.cause) - 1].rip : event.rip
        writes.append(
          Plain(seq: event.seq, evidence: isResult ? .trapped : .exact, outcome: isResult && event.a == 1 ? .dropped : .applied, rip: rip, after: [after]))
      case .unmappedAccess where event.seq <= last && event.a == AccessKind.write.rawValue:
        if !part(event.data, event.gpa, bytes).isEmpty {
          writes.append(Plain(seq: event.seq, evidence: .access, outcome: .dropped, rip: event.rip))
        }
      case .pageWrite where mayBeBefore(event):
        let runs = PageDiff(event.data)?.runs
        let after = runs?.map { part($0.bytes, event.gpa + UInt64($0.offset), bytes) }.filter { !$0.isEmpty } ?? []
        let isOnPage = event.gpa / 4096 == bytes.start / 4096 || event.gpa / 4096 == (bytes.end - 1) / 4096
        guard isOnPage, !after.isEmpty || runs == nil else { continue }
        let since = entry(before: event)
        let others = pageWrites.filter { $0.gpa == event.gpa && $0.vcpu != event.vcpu && entry(before: $0) < event.seq && since < $0.seq }
        let plain = Plain(seq: event.seq, evidence: .page, since: since == 0 ? nil : since, others: Set(others.map(\.vcpu)), after: after)
        if event.seq <= last { writes.append(plain) } else { later.append(plain) }
      default: break
      }
    }
    return (writes.reversed(), later.reversed())
  }

  private func plain(_ record: WriteRecord) -> Plain {
    Plain(
      seq: record.seq, evidence: record.evidence, outcome: record.outcome, rip: record.rip, since: record.since, others: Set(record.others),
      after: record.pieces.map(\.after))
  }

  @Test func randomTracesAreReadAsAPlainSearchReadsThem() throws {
    let base = Seed.base(1)
    print("PAGETAPE_SEED=\(base)")
    var compared = 0
    for number in 0..<150 {
      var random = Seed(base &* 7919 &+ UInt64(number))
      let events = RandomWrites(count: 60 + random.below(200), seed: random.next()).events
      let start = RandomWrites.firstPage * 4096 + UInt64(random.below(3)) * 4096 + UInt64(random.chance(70) ? random.below(16) : 4090)
      let bytes = try #require(GuestBytes(start: start, length: UInt64(1 + random.below(12))))
      let last = UInt64(1 + random.below(events.count))
      let expected = search(events, bytes, last)
      let whole = try history(events, of: bytes, through: last, limit: 1000, block: 1 + random.below(40))
      let label: Comment = "seed \(base), trace \(number)"
      #expect(whole.records.filter { $0.evidence != .contents }.map(plain) == expected.writes, label)
      #expect(whole.later.map(plain) == expected.later, label)
      #expect(whole.total == UInt64(expected.writes.count) && whole.isWhole, label)
      #expect(whole.records.map(\.seq) == whole.records.map(\.seq).sorted(by: >), label)
      let landed = expected.writes.first { write in whole.records.first { $0.seq == write.seq }?.hasLanded == true }
      #expect(whole.writer?.seq == landed?.seq, label)
      // With a limit: the same, from the newest on.
      let limit = 1 + random.below(5)
      let some = try history(events, of: bytes, through: last, limit: limit, block: 1 + random.below(10))
      let kept = some.records.filter { $0.evidence != .contents }.map(plain)
      #expect(Array(kept.prefix(limit)) == Array(expected.writes.prefix(limit)), label)
      #expect(some.writer?.seq == landed?.seq, label)
      compared += expected.writes.count
    }
    #expect(compared > 500)
  }

  @Test func bytesAreWhatTheyAre() throws {
    #expect(GuestBytes(start: 0, length: 0) == nil && GuestBytes(start: 0, length: 4097) == nil)
    #expect(GuestBytes(start: 1 << 52, length: 1) == nil && GuestBytes(start: (1 << 52) - 1, length: 2) == nil && GuestBytes(start: .max, length: 1) == nil)
    let bytes = try #require(GuestBytes(start: 4094, length: 4))
    #expect(bytes.meets(page: 0) && bytes.meets(page: 4096) && !bytes.meets(page: 8192))
    #expect(bytes.meets(4090, 5) && !bytes.meets(4090, 4) && bytes.meets(4097, 1) && !bytes.meets(4098, 8) && !bytes.meets(4095, 0))
    #expect(bytes.part(of: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt8], at: 4092)?.bytes == [3, 4, 5, 6])
    #expect(bytes.part(of: [1, 2] as [UInt8], at: 4097)?.bytes == [1])
    #expect(bytes.part(of: [1] as [UInt8], at: .max) == nil)
  }

  @Test func aDroppedWriteThatLandedIsAWrite() throws {
    let events = [
      Event(.writeTrap, vcpu: 0, gpa: 4096, rip: 7, data: [1]), Event(.writeResult, vcpu: 0, gpa: 4096, cause: 1, a: 1, data: [0, 1]),
      Event(.writeTrap, vcpu: 1, gpa: 4096, rip: 8, data: [2]), Event(.writeResult, vcpu: 1, gpa: 4096, cause: 3, a: 1, data: [1, 1]),
    ]
    let bytes = try #require(GuestBytes(start: 4096, length: 1))
    #expect(try history(events, of: bytes, through: 4, limit: 10, block: 1).writer?.seq == 2)
    // One that is not decided yet is no write, and makes the answer uncertain.
    let earlier = try history(events, of: bytes, through: 3, limit: 10, block: 2)
    #expect(earlier.writer?.seq == 2 && earlier.doubts(.everyWrite) == [.undecided(seq: 3)])
  }

  @Test func theCountIsOfAllWritesAndTheHistoryOfTheLast() throws {
    let events = (0..<50).map { Event(.guestWrite, vcpu: UInt16($0 % 3), gpa: 4096, rip: 1, data: [UInt8($0), UInt8($0 + 1)]) }
    let bytes = try #require(GuestBytes(start: 4096, length: 1))
    var history = WriteHistory(of: bytes, through: 50, limit: 5, executing: [])
    history.add(try EventBatch(encoding: events, header: Self.header), missing: nil)
    history.finish(isTail: false)
    #expect(history.records.map(\.seq) == [50, 49, 48, 47, 46] && history.total == 50)
  }

  @Test func whoHoldsThePageInTheSameIntervalIsNamed() throws {
    let events = [
      Event(.guestEnter, vcpu: 0), Event(.guestEnter, vcpu: 1),
      Event(.pageWrite, vcpu: 0, gpa: 4096, a: 1, data: PageDiff(runs: [.init(offset: 0, bytes: [1])]).encoded),
      Event(.guestExit, vcpu: 0), Event(.guestExit, vcpu: 2), Event(.pageWrite, vcpu: 1, gpa: 4096, a: 1, data: []), Event(.guestExit, vcpu: 1),
    ]
    let bytes = try #require(GuestBytes(start: 4096, length: 1))
    let whole = try history(events, of: bytes, through: 7, limit: 10, block: 3)
    #expect(whole.writer?.vcpu == 0 && whole.writer?.others == [1] && whole.writer?.since == 1)
    #expect(whole.doubts(.firstWriter) == [.unchanged(seq: 6), .firstWriter, .others([1])])
    // Right after event 3 the other one has not told yet: what it tells later counts.
    #expect(try history(events, of: bytes, through: 3, limit: 10, block: 2).writer?.others == [1])
  }

  @Test func missingEventsMakeTheAnswerUncertain() throws {
    let bytes = try #require(GuestBytes(start: 4096, length: 1))
    var history = WriteHistory(of: bytes, through: 20, limit: 10, executing: [])
    let write = Event(.guestWrite, vcpu: 0, seq: 10, gpa: 4096, data: [0, 1])
    history.add(try EventBatch(encoding: [write], header: Self.header), missing: 11..<21)
    history.finish(isTail: true)
    #expect(history.doubts(.everyWrite) == [.missing(11..<21)])
    #expect(history.holes == [11..<21, 1..<11])
  }
}
