import Hypervisor
import KVM
import TraceEvents
import X86

extension Segment {
  init(_ register: SegmentRegister) {
    self.init(
      selector: register.selector, base: register.base, limit: register.limit, type: register.type, present: register.present,
      privilege: register.privilege, defaultSize32: register.defaultSize32, codeOrData: register.codeOrData, long: register.long,
      granular: register.granular, unusable: register.unusable)
  }
}

extension Registers {
  init(_ state: BootState) {
    self.init()
    general = state.general
    rip = state.rip
    rflags = state.rflags
  }

  /// The sixteen general registers as the instruction decoder wants them.
  var general: GeneralRegisters {
    get {
      var out = GeneralRegisters()
      (out[.rax], out[.rbx], out[.rcx], out[.rdx]) = (rax, rbx, rcx, rdx)
      (out[.rsi], out[.rdi], out[.rsp], out[.rbp]) = (rsi, rdi, rsp, rbp)
      (out[.r8], out[.r9], out[.r10], out[.r11]) = (r8, r9, r10, r11)
      (out[.r12], out[.r13], out[.r14], out[.r15]) = (r12, r13, r14, r15)
      return out
    }
    set {
      (rax, rbx, rcx, rdx) = (newValue[.rax], newValue[.rbx], newValue[.rcx], newValue[.rdx])
      (rsi, rdi, rsp, rbp) = (newValue[.rsi], newValue[.rdi], newValue[.rsp], newValue[.rbp])
      (r8, r9, r10, r11) = (newValue[.r8], newValue[.r9], newValue[.r10], newValue[.r11])
      (r12, r13, r14, r15) = (newValue[.r12], newValue[.r13], newValue[.r14], newValue[.r15])
    }
  }

  /// "Exactly where it was": the general registers, where it runs, and in which address space and mode.
  func digest(_ system: SystemRegisters) -> UInt64 {
    var digest = RegisterDigest()
    for word in [rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r8, r9, r10, r11, r12, r13, r14, r15, rip, rflags] { digest.combine(word) }
    for word in [system.cr0, system.cr2, system.cr3, system.cr4, system.efer] { digest.combine(word) }
    for segment in [system.code, system.stack, system.ds, system.es, system.fs, system.gs] {
      digest.combine(UInt64(segment.selector))
      digest.combine(segment.base)
    }
    digest.combine(system.gdtBase)
    digest.combine(system.idtBase)
    return digest.value
  }
}

extension SystemRegisters {
  /// Takes over what a start state says; the rest stays.
  mutating func load(_ state: BootState) {
    code = Segment(state.code)
    let data = Segment(state.data)
    (stack, ds, es, fs, gs) = (data, data, data, data, data)
    task = Segment(state.task)
    localTable = Segment(state.localTable)
    (gdtBase, gdtLimit) = (state.gdt.base, state.gdt.limit)
    (idtBase, idtLimit) = (state.idt.base, state.idt.limit)
    (cr0, cr2, cr3, cr4, efer) = (state.cr0, 0, state.cr3, state.cr4, state.efer)
  }
}
