import ArgumentParser
import Hypervisor
import LinuxBoot
import Reports
import Runner
import Symbols
import TraceEvents

/// Memory of a kernel that the host protects.
struct ProtectOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Have the host protect this memory: kernel-text, a symbol as in jiffies_64 or name+OFFSET+LENGTH, or guest-physical memory as in 0x1000000+4096; may "
        + "be given several times. Names need --symbols.", valueName: "what"))
  var protect: [String] = []
  @Option(
    help: ArgumentHelp("Protect it from then on: boot, before the first instruction; \(MomentArgument.explanation). boot if not given.", valueName: "moment"))
  var protectFrom: MomentArgument?
  @Option(
    help: ArgumentHelp(
      "What comes of a write to it, beside an alert. notify: it is done. deny: it is dropped. suspend, terminate: it is dropped, and the recording ends. "
        + "notify if not given.", valueName: "notify|deny|suspend|terminate"))
  var protectAction: AlertActionName?

  private static let kernelText = "kernel-text"

  var isGiven: Bool { !protect.isEmpty }

  func validate() throws {
    guard isGiven || protectFrom == nil && protectAction == nil else { throw ValidationError("--protect-from and --protect-action are for --protect") }
  }

  /// Whether it takes names to know what is meant.
  var needsSymbols: Bool { protectFrom?.needsSymbols == true || protect.contains { Self.numbered($0) == nil } }

  func request(_ symbols: NamedSymbols?, ramBytes: UInt64) throws -> ProtectionRequest? {
    guard isGiven else { return nil }
    let ranges = try protect.map { try Self.range($0, symbols) }
    for (range, what) in zip(ranges, protect) where range.start >= ramBytes || range.length > ramBytes - range.start {
      throw Failure("--protect \(what): \(Hex.text(range.start))+\(Hex.text(range.length)) is not all among the guest's \(Count.bytes(ramBytes)) of memory")
    }
    let room = LinuxMap.protectionTree
    let plan: ProtectionPlan
    do throws(ProtectionPlanError) {
      plan = try ProtectionPlan(protecting: ranges, action: protectAction?.action ?? .notify, treeAt: room.lowerBound)
    } catch { throw Failure("--protect: \(error)") }
    guard plan.tree.length <= room.upperBound - room.lowerBound else {
      let (taken, there) = (Count.bytes(plan.tree.length), Count.bytes(UInt64(room.count)))
      throw Failure("--protect: \(plan.ranges.count) ranges take a tree of \(taken); there is room for \(there)")
    }
    return ProtectionRequest(plan, from: try (protectFrom ?? .boot).moment(symbols))
  }

  private static func range(_ what: String, _ symbols: NamedSymbols?) throws -> GuestRange {
    if let range = numbered(what) { return range }
    guard let symbols else { throw Failure("--protect \(what) needs --symbols") }
    guard what == kernelText else { return try SymbolArgument(what, in: symbols).bytes(limit: .max) }
    // The labels that the kernel's linker script puts around its code.
    let (start, end) = (try SymbolArgument("_stext", in: symbols).address, try SymbolArgument("_etext", in: symbols).address)
    guard start < end, let gpa = symbols.symbols.gpa(of: start), symbols.symbols.gpa(of: end - 1) == gpa + (end - 1 - start) else {
      let labels = "_stext, \(Hex.text(start)), and _etext, \(Hex.text(end))"
      throw Failure("\(symbols.file): no code lies between \(labels); --symbols-offset says where in memory it is")
    }
    return GuestRange(start: gpa, length: end - start)
  }

  /// Memory that is given in numbers: `0x1000000+4096`.
  private static func numbered(_ what: String) -> GuestRange? {
    let parts = what.split(separator: "+", omittingEmptySubsequences: false)
    guard parts.count == 2, let start = Numbers.value(parts[0]), let length = Numbers.value(parts[1]), length > 0 else { return nil }
    return GuestRange(start: start, length: length)
  }
}

/// What `--protect-action` takes.
enum AlertActionName: String, ExpressibleByArgument, CaseIterable {
  case notify, deny, suspend, terminate

  var action: AlertAction {
    switch self {
    case .notify: .notify
    case .deny: .deny
    case .suspend: .suspend
    case .terminate: .terminate
    }
  }
}
