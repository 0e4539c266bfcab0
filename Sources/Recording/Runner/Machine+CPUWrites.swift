import Hypervisor
import KVM
import TraceEvents
import X86

/// What the CPU writes by itself, and KVM on its behalf: frames of interrupts and exceptions, accessed and dirty bits.
///
/// A store of an instruction to a page whose writes trap comes out of KVM and is done here. These do not come out: where a frame cannot be pushed the
/// guest gets a double fault, or KVM goes round for ever. Bits are set here before a page is protected, so that nothing is left to be set. Where a stack
/// is on such a page the recording ends, before a frame is pushed if that can be seen, and before the guest sees the double fault if not.
extension Machine {
  /// The largest: with an error code.
  fileprivate static let frameSize: UInt64 = 48

  // MARK: Before memory is protected

  /// Sees to what the CPU would write in what is to be protected; ends the session where nobody can. Under `lock`, with every vCPU out of the guest.
  func prepareCPUWrites(in plan: ProtectionPlan) {
    do throws(KVMError) {
      for unit in units where try unit.vcpu.activity().hasStarted && unit.vcpu.systemRegisters.isInLongMode {
        if let stack = try trappingStack(unit, of: .all, where: { plan.range(at: $0) != nil }) {
          return finish(.emulationFailure, "memory cannot be protected: \(stack)")
        }
        try presetDescriptors(unit, plan)
        if let table = presetPageTables(unit, plan) { return finish(.emulationFailure, "memory cannot be protected: \(table)") }
      }
    } catch {
      finish(error)
    }
  }

  private func presetDescriptors(_ unit: VCPUUnit, _ plan: ProtectionPlan) throws(KVMError) {
    let system = unit.vcpu.systemRegisters
    var tables = [(base: system.gdtBase, limit: UInt64(system.gdtLimit))]
    if !system.localTable.unusable { tables.append((system.localTable.base, UInt64(system.localTable.limit))) }
    for table in tables {
      for offset in stride(from: 0, to: min(table.limit, UInt64(UInt16.max)), by: 8) {
        guard let gpa = try unit.vcpu.translate(table.base &+ offset), plan.range(at: gpa) != nil,
          let word = ram.read(gpa: gpa, count: 8)?.word(at: 0)
        else { continue }
        store(ImplicitBits.preset(descriptor: word), over: word, at: gpa)
      }
    }
  }

  /// What is wrong with page tables there, if anything.
  ///
  /// An emulating KVM leaves bits that are not set as they are. With hardware it is the CPU that sets them, on some with every walk.
  private func presetPageTables(_ unit: VCPUUnit, _ plan: ProtectionPlan) -> String? {
    let system = unit.vcpu.systemRegisters
    let tables = ImplicitBits.tables(cr3: system.cr3, levels: system.pageTableLevels) { ram.read(gpa: $0, count: Int(guestPageSize)) }
    for table in tables {
      guard plan.range(at: table.gpa) != nil else { continue }
      guard platform?.isEmulated == true else {
        return "a page table of vCPU \(unit.number) is on \(protectedPage(table.gpa)): the CPU sets accessed and dirty bits there by itself, which "
          + "cannot be done where writes trap"
      }
      for (index, entry) in table.entries.enumerated() {
        store(ImplicitBits.preset(entry: entry, level: table.level), over: entry, at: table.gpa + UInt64(8 * index))
      }
    }
    return nil
  }

  private func store(_ word: UInt64, over old: UInt64, at gpa: UInt64) {
    if word != old { write(gpa: gpa, littleEndian(word, 8)) }
  }

  // MARK: While it is protected

  /// From here on ends the session where a stack comes to be on a protected page. Under `lock`, with every vCPU out of the guest.
  func watchStacks() {
    watchesStacks = true
    guard platform?.isEmulated == true else { return }
    do throws(KVMError) {
      for unit in units where try unit.vcpu.activity().hasStarted { try watchHandlers(unit) }
    } catch {
      finish(error)
    }
  }

  /// After exits: ends the session where the CPU would push the next frame to a protected page. Under `lock`, on the vCPU's own thread.
  func endWhereStackTraps(_ unit: VCPUUnit, _ exits: [VMExit]) {
    guard watchesStacks, end == nil else { return }
    do throws(KVMError) {
      // Which stacks are in the task's segment, and what is mapped where, is looked at when it is kicked: that is all the time.
      let isKick = exits[0] == .interrupted
      let place = StackPlace(unit.vcpu)
      guard isKick || unit.checkedStack != place else { return }
      unit.checkedStack = place
      if let stack = try trappingStack(unit, of: isKick ? .all : .current) { finish(.emulationFailure, stack) }
    } catch {
      finish(error)
    }
  }

  /// At the handler of double faults: ends the session where a frame that could not be pushed led there; false where it is one of the guest's own.
  func endAtDoubleFault(_ unit: VCPUUnit) throws(KVMError) -> Bool {
    guard let frame = guestBytes(at: unit.vcpu.registers.rsp, count: Int(Self.frameSize), unit) else { return false }
    // Error code, RIP, CS, RFLAGS, RSP, SS
    var stack = frame.word(at: 16) & 3 == 0 ? try problem("vCPU \(unit.number)'s stack", at: frame.word(at: 32), unit, where: traps) : nil
    if stack == nil { stack = try trappingStack(unit, of: .task) }
    guard let stack else { return false }
    finish(.emulationFailure, stack)
    return true
  }

  /// Says of an end that may come of it that the vCPU's stack is on a page whose writes trap; nothing otherwise.
  func stackNote(_ unit: VCPUUnit, _ exit: VMExit) -> String {
    guard exit == .shutdown || exit == .internalError(suberror: VMExit.deliveryFailed), let stack = try? trappingStack(unit, of: .all) else { return "" }
    return "; \(stack)"
  }

  // MARK: Stacks

  /// Where the vCPU's next frame goes if it stays in its privilege level, where frames of other levels and of some vectors go, or both.
  enum Stacks { case current, task, all }

  /// A stack that the CPU may push a frame to, on a page where it cannot, with the reason; nil for none.
  func trappingStack(_ unit: VCPUUnit, of stacks: Stacks, where traps: ((UInt64) -> Bool)? = nil) throws(KVMError) -> String? {
    // Of 16-bit code, which is what a vCPU starts with, the stack pointer is no address.
    guard traps != nil || slots.isAnyTraced, unit.vcpu.systemRegisters.isInLongMode else { return nil }
    let traps = traps ?? self.traps
    if stacks != .task, unit.vcpu.privilegeLevel == 0 {
      let found = try problem("vCPU \(unit.number)'s stack", at: unit.vcpu.registers.rsp, unit, where: traps)
      if found != nil || stacks == .current { return found }
    }
    guard stacks != .current else { return nil }
    let task = unit.vcpu.systemRegisters.task
    // Where none was loaded, there is none.
    guard task.selector & ~3 != 0, task.limit >= UInt32(TaskStacks.size) - 1,
      let found = guestBytes(at: task.base, count: TaskStacks.size, unit).flatMap(TaskStacks.init)
    else { return nil }
    let names = ["vCPU \(unit.number)'s stack for interrupts of user mode"] + (1...7).map { "vCPU \(unit.number)'s interrupt stack \($0)" }
    for (name, rsp) in zip(names, [found.ring0] + found.byNumber) where rsp != 0 {
      if let found = try problem(name, at: rsp, unit, where: traps) { return found }
    }
    return nil
  }

  private func problem(_ stack: String, at rsp: UInt64, _ unit: VCPUUnit, where traps: (UInt64) -> Bool) throws(KVMError) -> String? {
    let frame = Self.frame(rsp)
    for address in [frame.first, frame.last] {
      guard let gpa = try unit.vcpu.translate(address), isRAM(gpa), traps(gpa) else { continue }
      return "\(stack) is at 0x\(String(rsp, radix: 16)), on \(protectedPage(gpa)): the CPU pushes the frames of interrupts and exceptions there by "
        + "itself, which cannot be done where writes trap"
    }
    return nil
  }

  /// Where the first and the last word of a frame go.
  fileprivate static func frame(_ rsp: UInt64) -> (first: UInt64, last: UInt64) { (rsp &- 8, (rsp & ~15) &- frameSize) }

  private func traps(_ gpa: UInt64) -> Bool { slots.isTraced(Int(gpa / guestPageSize)) }

  private func protectedPage(_ gpa: UInt64) -> String {
    let page = "the protected page 0x\(String(gpa & ~(guestPageSize - 1), radix: 16))"
    guard let range = platform?.protection?.plan.range(at: gpa) else { return page }
    return "\(page) of \(range.text)"
  }
}

/// What decides where a vCPU's next frame goes, as long as the guest maps its memory as it did.
struct StackPlace: Equatable {
  private var firstPage: UInt64
  private var lastPage: UInt64
  private var cr3: UInt64
  private var privilege: UInt8

  fileprivate init(_ vcpu: borrowing VCPU) {
    let frame = Machine.frame(vcpu.registers.rsp)
    (firstPage, lastPage) = (frame.first / guestPageSize, frame.last / guestPageSize)
    cr3 = vcpu.systemRegisters.cr3
    privilege = vcpu.privilegeLevel
  }
}

extension SystemRegisters {
  fileprivate var isInLongMode: Bool { efer & 1 << 10 != 0 }
  fileprivate var pageTableLevels: Int { cr4 & 1 << 12 != 0 ? 5 : 4 }
}
