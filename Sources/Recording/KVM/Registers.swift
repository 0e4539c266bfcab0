import CKVM

/// The general registers, the instruction pointer and the flags.
public struct Registers: Hashable, Sendable {
  public var rax: UInt64 = 0, rbx: UInt64 = 0, rcx: UInt64 = 0, rdx: UInt64 = 0
  public var rsi: UInt64 = 0, rdi: UInt64 = 0, rsp: UInt64 = 0, rbp: UInt64 = 0
  public var r8: UInt64 = 0, r9: UInt64 = 0, r10: UInt64 = 0, r11: UInt64 = 0
  public var r12: UInt64 = 0, r13: UInt64 = 0, r14: UInt64 = 0, r15: UInt64 = 0
  public var rip: UInt64 = 0
  /// Bit 1 is always set on a CPU.
  public var rflags: UInt64 = 2

  public init() {}

  init(_ raw: kvm_regs) {
    (rax, rbx, rcx, rdx) = (raw.rax, raw.rbx, raw.rcx, raw.rdx)
    (rsi, rdi, rsp, rbp) = (raw.rsi, raw.rdi, raw.rsp, raw.rbp)
    (r8, r9, r10, r11) = (raw.r8, raw.r9, raw.r10, raw.r11)
    (r12, r13, r14, r15) = (raw.r12, raw.r13, raw.r14, raw.r15)
    (rip, rflags) = (raw.rip, raw.rflags)
  }

  var raw: kvm_regs {
    var raw = kvm_regs()
    (raw.rax, raw.rbx, raw.rcx, raw.rdx) = (rax, rbx, rcx, rdx)
    (raw.rsi, raw.rdi, raw.rsp, raw.rbp) = (rsi, rdi, rsp, rbp)
    (raw.r8, raw.r9, raw.r10, raw.r11) = (r8, r9, r10, r11)
    (raw.r12, raw.r13, raw.r14, raw.r15) = (r12, r13, r14, r15)
    (raw.rip, raw.rflags) = (rip, rflags)
    return raw
  }

  public var interruptsEnabled: Bool { rflags & 0x200 != 0 }
}

/// A segment register with its hidden part.
public struct Segment: Hashable, Sendable {
  public var selector: UInt16
  public var base: UInt64
  public var limit: UInt32
  /// Of the descriptor.
  public var type: UInt8
  public var present: Bool
  /// Descriptor privilege level.
  public var privilege: UInt8
  /// D/B.
  public var defaultSize32: Bool
  /// S.
  public var codeOrData: Bool
  /// L.
  public var long: Bool
  /// G.
  public var granular: Bool
  public var unusable: Bool

  public init(
    selector: UInt16, base: UInt64, limit: UInt32, type: UInt8, present: Bool, privilege: UInt8, defaultSize32: Bool, codeOrData: Bool, long: Bool,
    granular: Bool, unusable: Bool
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

  init(_ raw: kvm_segment) {
    self.init(
      selector: raw.selector, base: raw.base, limit: raw.limit, type: raw.type, present: raw.present != 0, privilege: raw.dpl,
      defaultSize32: raw.db != 0, codeOrData: raw.s != 0, long: raw.l != 0, granular: raw.g != 0, unusable: raw.unusable != 0)
  }

  var raw: kvm_segment {
    kvm_segment(
      base: base, limit: limit, selector: selector, type: type, present: present ? 1 : 0, dpl: privilege, db: defaultSize32 ? 1 : 0,
      s: codeOrData ? 1 : 0, l: long ? 1 : 0, g: granular ? 1 : 0, avl: 0, unusable: unusable ? 1 : 0, padding: 0)
  }
}

/// The registers that say in which mode and where in memory a CPU runs.
public struct SystemRegisters: Hashable, Sendable {
  public var code: Segment
  public var stack: Segment
  public var ds: Segment
  public var es: Segment
  public var fs: Segment
  public var gs: Segment
  public var task: Segment
  public var localTable: Segment
  public var gdtBase: UInt64
  public var gdtLimit: UInt16
  public var idtBase: UInt64
  public var idtLimit: UInt16
  public var cr0: UInt64
  public var cr2: UInt64
  public var cr3: UInt64
  public var cr4: UInt64
  public var efer: UInt64

  init(_ raw: kvm_sregs) {
    (code, stack, ds) = (Segment(raw.cs), Segment(raw.ss), Segment(raw.ds))
    (es, fs, gs) = (Segment(raw.es), Segment(raw.fs), Segment(raw.gs))
    (task, localTable) = (Segment(raw.tr), Segment(raw.ldt))
    (gdtBase, gdtLimit) = (raw.gdt.base, raw.gdt.limit)
    (idtBase, idtLimit) = (raw.idt.base, raw.idt.limit)
    (cr0, cr2, cr3, cr4, efer) = (raw.cr0, raw.cr2, raw.cr3, raw.cr4, raw.efer)
  }

  /// Puts them into a kernel structure, and leaves there what they do not cover.
  func store(in raw: inout kvm_sregs) {
    (raw.cs, raw.ss, raw.ds) = (code.raw, stack.raw, ds.raw)
    (raw.es, raw.fs, raw.gs) = (es.raw, fs.raw, gs.raw)
    (raw.tr, raw.ldt) = (task.raw, localTable.raw)
    (raw.gdt.base, raw.gdt.limit) = (gdtBase, gdtLimit)
    (raw.idt.base, raw.idt.limit) = (idtBase, idtLimit)
    (raw.cr0, raw.cr2, raw.cr3, raw.cr4, raw.efer) = (cr0, cr2, cr3, cr4, efer)
  }
}
