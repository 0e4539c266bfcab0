extension MachineState {
  /// The range of GFNs that an event names, cut off where it leaves the address space.
  private static func range(_ first: UInt64, _ count: UInt64) -> Range<UInt64> {
    let limit: UInt64 = 1 << 52
    let start = min(first, limit)
    return start..<start + min(count, limit - start)
  }

  mutating func trace(_ first: UInt64, _ count: UInt64) {
    var range = Self.range(first, count)
    guard !range.isEmpty else { return }
    // Joins every range that it meets or touches.
    var low = range.lowerBound == 0 ? 0 : firstRange(endingAfter: range.lowerBound - 1)
    while low < tracedPages.count, tracedPages[low].upperBound < range.lowerBound { low += 1 }
    var high = low
    while high < tracedPages.count, tracedPages[high].lowerBound <= range.upperBound {
      range = min(range.lowerBound, tracedPages[high].lowerBound)..<max(range.upperBound, tracedPages[high].upperBound)
      high += 1
    }
    tracedPages.replaceSubrange(low..<high, with: CollectionOfOne(range))
  }

  mutating func untrace(_ first: UInt64, _ count: UInt64) {
    let range = Self.range(first, count)
    guard !range.isEmpty else { return }
    let low = firstRange(endingAfter: range.lowerBound)
    var high = low
    var rest: [Range<UInt64>] = []
    while high < tracedPages.count, tracedPages[high].lowerBound < range.upperBound {
      let old = tracedPages[high]
      if old.lowerBound < range.lowerBound { rest.append(old.lowerBound..<range.lowerBound) }
      if old.upperBound > range.upperBound { rest.append(range.upperBound..<old.upperBound) }
      high += 1
    }
    tracedPages.replaceSubrange(low..<high, with: rest)
    // An event may name more pages than there are contents, and the other way round.
    if range.count < contents.count {
      for gfn in range { contents[gfn] = nil }
    } else {
      contents = contents.filter { !range.contains($0.key) }
    }
  }

  mutating func keep(_ page: RawSpan, gfn: UInt64) {
    guard contents[gfn] != nil || contents.count < Self.contentsLimit else { return }
    contents[gfn] = unsafe page.withUnsafeBytes { unsafe Array($0) }
  }

  /// Writes into the contents that are known. A write that leaves its page changes the next one too.
  mutating func store(_ bytes: RawSpan, at gpa: UInt64) {
    for index in 0..<bytes.byteCount {
      let address = gpa &+ UInt64(index)
      let byte = unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
      contents[address >> 12]?[Int(address & 4095)] = byte
    }
  }
}
