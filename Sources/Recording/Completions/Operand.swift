import X86

/// An instruction's memory operand in 64-bit mode (Intel SDM volume 2, 2.1.5 and 2.2.1).
public struct Operand: Hashable, Sendable {
  enum SegmentBase: Hashable, Sendable { case none, fs, gs }

  private var segment: SegmentBase
  /// Numbers of registers.
  private var base: Int?
  private var index: Int?
  private var scale: UInt64 = 1
  private var displacement: Int64 = 0
  private var isRelative = false

  init?(modRM: UInt8, rex: UInt8, base segment: SegmentBase, _ reader: inout ByteReader) {
    self.segment = segment
    let (mode, low) = (modRM >> 6, Int(modRM & 7))
    if low == 4 {
      guard let byte = reader.next() else { return nil }
      let index = Int(byte >> 3 & 7) | (rex & 2 != 0 ? 8 : 0)
      if index != 4 { self.index = index }
      scale = 1 << UInt64(byte >> 6)
      let hasBase = !(byte & 7 == 5 && mode == 0)
      if hasBase { base = Int(byte & 7) | (rex & 1 != 0 ? 8 : 0) }
      guard let displacement = Self.displacement(mode, wide: !hasBase, &reader) else { return nil }
      self.displacement = displacement
    } else if low == 5, mode == 0 {
      isRelative = true
      guard let displacement = reader.signed(4) else { return nil }
      self.displacement = displacement
    } else {
      base = low | (rex & 1 != 0 ? 8 : 0)
      guard let displacement = Self.displacement(mode, wide: false, &reader) else { return nil }
      self.displacement = displacement
    }
  }

  private static func displacement(_ mode: UInt8, wide: Bool, _ reader: inout ByteReader) -> Int64? {
    switch mode {
    case 1: reader.signed(1)
    case 2: reader.signed(4)
    default: wide ? reader.signed(4) : 0
    }
  }

  /// The guest-virtual address, with the instruction pointer past the instruction.
  func address(_ state: ProcessorState) -> UInt64 {
    func value(_ number: Int?) -> UInt64 { number.flatMap { GeneralRegisters.Name(rawValue: $0) }.map { state.general[$0] } ?? 0 }
    var address = isRelative ? state.rip : value(base)
    address = address &+ value(index) &* scale &+ UInt64(bitPattern: displacement)
    switch segment {
    case .none: return address
    case .fs: return address &+ state.fsBase
    case .gs: return address &+ state.gsBase
    }
  }
}
