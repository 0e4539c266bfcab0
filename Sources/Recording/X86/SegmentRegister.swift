/// A segment register with its hidden part, as `struct kvm_segment` wants it.
public struct SegmentRegister: Hashable, Sendable {
  public var selector: UInt16
  public var base: UInt64
  public var limit: UInt32
  /// The type field of the descriptor, accessed (and for a TSS, busy) bit set, so that the CPU never has to write it back.
  public var type: UInt8
  public var present: Bool
  /// Descriptor privilege level.
  public var privilege: UInt8
  /// D/B: 32-bit default size. Off for 64-bit code.
  public var defaultSize32: Bool
  /// S: a code or data segment; off for a TSS or an LDT.
  public var codeOrData: Bool
  /// L: 64-bit code.
  public var long: Bool
  /// G: the limit counts 4 KiB units.
  public var granular: Bool
  public var unusable: Bool

  public init(
    selector: UInt16, base: UInt64 = 0, limit: UInt32, type: UInt8, present: Bool = true, privilege: UInt8 = 0, defaultSize32: Bool = false,
    codeOrData: Bool = true, long: Bool = false, granular: Bool = true, unusable: Bool = false
  ) {
    self.selector = selector
    self.base = base
    self.limit = limit
    self.type = type
    self.present = present
    self.privilege = privilege
    self.defaultSize32 = defaultSize32
    self.codeOrData = codeOrData
    self.long = long
    self.granular = granular
    self.unusable = unusable
  }

  /// Flat 64-bit code, selector 0x08.
  public static let flatCode = SegmentRegister(selector: 0x08, limit: 0xffff_ffff, type: 0xb, long: true)
  /// Flat data, selector 0x10.
  public static let flatData = SegmentRegister(selector: 0x10, limit: 0xffff_ffff, type: 0x3, defaultSize32: true)
  /// A busy 64-bit TSS that is never read (ring 0 only, no interrupt stack table): VM entry demands one in long mode.
  public static let unusedTask = SegmentRegister(selector: 0, limit: 0x67, type: 0xb, codeOrData: false, granular: false)
  public static let unusedLocalTable = SegmentRegister(
    selector: 0, limit: 0, type: 0x2, present: false, codeOrData: false, granular: false, unusable: true)
}

/// GDTR or IDTR.
public struct DescriptorTableRegister: Hashable, Sendable {
  public var base: UInt64
  public var limit: UInt16

  public init(base: UInt64, limit: UInt16) {
    self.base = base
    self.limit = limit
  }
}
