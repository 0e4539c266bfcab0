internal import TraceEvents
internal import TreeFormat

extension Synthesizer {
  /// One vCPU's stretch of guest code with the pages it wrote, up to its next exit.
  mutating func pageWrites() throws {
    let vcpu = random.below(vcpus.count)
    for _ in 0..<1 + random.below(14) {
      let bits = random.next()
      if bits & 63 == 0 { vcpus[vcpu].workingSet = Layout.ordinary + (bits >> 40) % 0xe000 * guestPageSize }
      pageWrite.vcpu = UInt16(vcpu)
      pageWrite.gpa = vcpus[vcpu].workingSet + (bits >> 8 & 15) * guestPageSize
      pageWrite.a = 1 + (bits >> 16 & 7)
      fillDiff(offset: bits >> 20 & 0x1ff, value: bits >> 32)
      events += 1
      time += 8
      pageWrite.time = time
      _ = try sink.append(pageWrite)
    }
    try exit(vcpu, .interruptWindow)
    try enter(vcpu)
  }

  /// Eight bytes at a multiple of eight, half of them a counter's small value.
  private mutating func fillDiff(offset: UInt64, value: UInt64) {
    pageWrite.data[0] = UInt8(truncatingIfNeeded: offset << 3)
    pageWrite.data[1] = UInt8(truncatingIfNeeded: offset >> 5)
    for index in 0..<4 {
      pageWrite.data[4 + index] = UInt8(truncatingIfNeeded: value >> UInt64(index * 8))
    }
  }

  /// A write that traps: denied by a mapping, or to bytes of a protected page that no mapping names.
  mutating func protectedPageWrite() throws {
    let vcpu = random.below(vcpus.count)
    let denied = random.below(4) == 0
    let page = denied ? Layout.denied + UInt64(random.below(Int(Layout.deniedPages))) * guestPageSize : Layout.partlyProtected
    let gpa = page + 64 + UInt64(random.below(500)) * 8
    let value = UInt8(truncatingIfNeeded: random.next()) | 1
    let attempted: [UInt8] = [value, 0, 0, 0, 0, 0, 0, 0]
    try exit(vcpu, .trappedWrite)
    let trap = try emit(Event(.writeTrap, vcpu: UInt16(vcpu), gpa: gpa, rip: vcpus[vcpu].rip, data: attempted))
    let zeros = [UInt8](repeating: 0, count: 8)
    if denied {
      try emit(
        Event(
          .alert, vcpu: UInt16(vcpu), gpa: gpa, rip: vcpus[vcpu].rip, cause: trap, a: UInt64(AlertAction.deny.rawValue), b: AlertOrigin.mapping.rawValue))
      try emit(Event(.writeResult, vcpu: UInt16(vcpu), gpa: gpa, cause: trap, a: WriteOutcome.dropped.rawValue, data: zeros + zeros))
    } else {
      // Before and after alike: the same value is written over and over, which any order of writers allows.
      try emit(Event(.writeResult, vcpu: UInt16(vcpu), gpa: gpa, cause: trap, a: WriteOutcome.applied.rawValue, data: attempted + attempted))
    }
    try enter(vcpu)
  }

  /// The driver protects a page and links it, or unlinks the last one and takes its protection off.
  mutating func integritySession() throws {
    try hypercall(0, 5, [], rip: Layout.entryPoint) { synth, call in
      try synth.emit(Event(.integrityEnter, vcpu: 0, rip: Layout.entryPoint, cause: call))
    }
    let fixed = 2
    if leaf.count < fixed + Layout.churnedPages, leaf.count == fixed || random.below(2) == 0 {
      let gpa = Layout.churned + UInt64(leaf.count - fixed) * guestPageSize
      try hypercall(0, 7, [gpa, 1, 0], rip: Layout.entryPoint + 0x20) { synth, call in
        try synth.install(gpa, 1, cause: call, contents: [UInt8](repeating: 0, count: 4096))
      }
      try link(TreeNode.Mapping(firstGFN: gpa >> 12, action: AlertAction.deny.rawValue))
    } else {
      let mapping = leaf.removeLast()
      try storeToLeaf(offset: 8, UInt64(leaf.count), old: UInt64(leaf.count + 1), bytes: 2)
      try hypercall(0, 8, [mapping.firstGFN << 12, 1], rip: Layout.entryPoint + 0x30) { synth, call in
        try synth.emit(Event(.traceRemove, vcpu: 0, gpa: mapping.firstGFN << 12, cause: call, a: 1))
      }
    }
    try hypercall(0, 6, [], rip: Layout.entryPoint + 0x40) { synth, call in
      try synth.emit(Event(.integrityLeave, vcpu: 0, rip: Layout.entryPoint + 0x40, cause: call))
    }
  }

  /// Fills the entry behind the last one, word by word, then publishes it by the count. Entries keep their bytes when they go, so that
  /// what was there before is what this mapping will be: each slot always holds the same page.
  private mutating func link(_ mapping: TreeNode.Mapping) throws {
    let at = UInt64(TreeLayout.headerSize + leaf.count * TreeLayout.leafEntrySize)
    let slot = leaf.count
    let known = slot < filledSlots
    let bytes = UInt64(mapping.firstByte) | UInt64(mapping.endByte) << 16 | UInt64(mapping.action) << 32
    for (index, word) in [mapping.firstGFN, mapping.pageCount, bytes].enumerated() {
      try storeToLeaf(offset: at + UInt64(index) * 8, word, old: known ? word : 0, bytes: 8)
    }
    filledSlots = max(filledSlots, slot + 1)
    leaf.append(mapping)
    try storeToLeaf(offset: 8, UInt64(leaf.count), old: UInt64(slot), bytes: 2)
  }

  /// One trapped store of the driver, in integrity mode, to the leaf.
  private mutating func storeToLeaf(offset: UInt64, _ value: UInt64, old: UInt64, bytes: Int) throws {
    func little(_ word: UInt64) -> [UInt8] { (0..<bytes).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) } }
    try exit(0, .trappedWrite, at: Layout.entryPoint + 0x28)
    let trap = try emit(Event(.writeTrap, vcpu: 0, gpa: Layout.leafNode + offset, rip: vcpus[0].rip, data: little(value)))
    try emit(
      Event(.writeResult, vcpu: 0, gpa: Layout.leafNode + offset, cause: trap, a: WriteOutcome.applied.rawValue, data: little(old) + little(value)))
    try enter(0)
  }
}
