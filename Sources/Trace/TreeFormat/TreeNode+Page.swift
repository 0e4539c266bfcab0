extension TreeNode {
  /// Decodes the 4,096 bytes of a page. The page is untrusted: anything that breaks `TreeLayout` is an error, nothing is assumed.
  public init(page: RawSpan) throws(TreeNodeError) {
    guard page.byteCount == 4096 else { throw TreeNodeError(.wrongPageSize, at: 0) }
    guard page.u32(0) == TreeLayout.magic else { throw TreeNodeError(.badMagic, at: 0) }
    guard page.u16(4) == TreeLayout.version else { throw TreeNodeError(.badVersion, at: 4) }
    level = page.u8(6)
    guard level < UInt8(TreeLayout.maximumDepth) else { throw TreeNodeError(.badLevel, at: 6) }
    action = page.u8(7)
    guard action < 4 else { throw TreeNodeError(.badAction, at: 7) }
    let count = Int(page.u16(8))
    guard count <= (level == 0 ? TreeLayout.leafCapacity : TreeLayout.interiorCapacity) else { throw TreeNodeError(.tooManyEntries, at: 8) }
    guard page.u16(10) == 0, page.u32(12) == 0 else { throw TreeNodeError(.reservedNotZero, at: 10) }
    lowGFN = page.u64(16)
    endGFN = page.u64(24)
    guard lowGFN < endGFN, endGFN <= TreeLayout.gfnLimit else { throw TreeNodeError(.badCover, at: 16) }
    for offset in stride(from: 32, to: TreeLayout.headerSize, by: 8) where page.u64(offset) != 0 {
      throw TreeNodeError(.reservedNotZero, at: offset)
    }
    body = .leaf([])
    body = level == 0 ? .leaf(try Self.mappings(page, count, lowGFN..<endGFN)) : .interior(try Self.children(page, count, lowGFN..<endGFN))
  }

  private static func children(_ page: RawSpan, _ count: Int, _ cover: Range<UInt64>) throws(TreeNodeError) -> [Child] {
    var children: [Child] = []
    for index in 0..<count {
      let at = TreeLayout.headerSize + index * TreeLayout.interiorEntrySize
      let child = Child(firstGFN: page.u64(at), gpa: page.u64(at + 8))
      guard cover.contains(child.firstGFN) else { throw TreeNodeError(.keyOutsideCover, at: at) }
      if let last = children.last, last.firstGFN >= child.firstGFN { throw TreeNodeError(.keysNotAscending, at: at) }
      guard child.gpa & 4095 == 0, child.gpa >> 12 < TreeLayout.gfnLimit else { throw TreeNodeError(.childMisaligned, at: at + 8) }
      children.append(child)
    }
    return children
  }

  private static func mappings(_ page: RawSpan, _ count: Int, _ cover: Range<UInt64>) throws(TreeNodeError) -> [Mapping] {
    var mappings: [Mapping] = []
    for index in 0..<count {
      let at = TreeLayout.headerSize + index * TreeLayout.leafEntrySize
      let mapping = Mapping(
        firstGFN: page.u64(at), pageCount: page.u64(at + 8), firstByte: page.u16(at + 16), endByte: page.u16(at + 18), action: page.u8(at + 20))
      if mapping.pageCount == 0 { continue }
      guard cover.contains(mapping.firstGFN), mapping.pageCount <= cover.upperBound - mapping.firstGFN else {
        throw TreeNodeError(.keyOutsideCover, at: at)
      }
      let whole = mapping.firstByte == 0 && mapping.endByte == 4096
      guard mapping.firstByte < mapping.endByte, mapping.endByte <= 4096, whole || mapping.pageCount == 1 else {
        throw TreeNodeError(.badByteRange, at: at + 16)
      }
      guard mapping.action < 4 else { throw TreeNodeError(.badAction, at: at + 20) }
      guard page.u8(at + 21) == 0, page.u16(at + 22) == 0, page.u64(at + 24) == 0 else { throw TreeNodeError(.reservedNotZero, at: at + 21) }
      if let last = mappings.last, !last.endsBefore(mapping) { throw TreeNodeError(.keysNotAscending, at: at) }
      mappings.append(mapping)
    }
    return mappings
  }

  /// The page that holds this node. The node must fit (`TreeLayout` capacities).
  public var page: [UInt8] {
    var page = [UInt8](repeating: 0, count: 4096)
    page.put(TreeLayout.magic, at: 0)
    page.put(TreeLayout.version, at: 4)
    page[6] = level
    page[7] = action
    page.put(lowGFN, at: 16)
    page.put(endGFN, at: 24)
    switch body {
    case .interior(let children):
      page.put(UInt16(children.count), at: 8)
      for (index, child) in children.enumerated() {
        let at = TreeLayout.headerSize + index * TreeLayout.interiorEntrySize
        page.put(child.firstGFN, at: at)
        page.put(child.gpa, at: at + 8)
      }
    case .leaf(let mappings):
      page.put(UInt16(mappings.count), at: 8)
      for (index, mapping) in mappings.enumerated() {
        let at = TreeLayout.headerSize + index * TreeLayout.leafEntrySize
        page.put(mapping.firstGFN, at: at)
        page.put(mapping.pageCount, at: at + 8)
        page.put(mapping.firstByte, at: at + 16)
        page.put(mapping.endByte, at: at + 18)
        page[at + 20] = mapping.action
      }
    }
    return page
  }
}

extension TreeNode.Mapping {
  fileprivate func endsBefore(_ next: Self) -> Bool {
    let end = firstGFN + pageCount
    return next.firstGFN >= end || (pageCount == 1 && next.firstGFN == firstGFN && next.pageCount == 1 && next.firstByte >= endByte)
  }
}

extension RawSpan {
  // Little-endian fields, bounds checked by the span.
  fileprivate func u8(_ offset: Int) -> UInt8 { unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self) }
  fileprivate func u16(_ offset: Int) -> UInt16 { unsafe UInt16(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self)) }
  fileprivate func u32(_ offset: Int) -> UInt32 { unsafe UInt32(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
  fileprivate func u64(_ offset: Int) -> UInt64 { unsafe UInt64(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
}

extension [UInt8] {
  fileprivate mutating func put<T: FixedWidthInteger>(_ value: T, at offset: Int) {
    for index in 0..<T.bitWidth / 8 {
      self[offset + index] = UInt8(truncatingIfNeeded: value >> T(index * 8))
    }
  }
}
