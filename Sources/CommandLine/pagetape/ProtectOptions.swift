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
    help: ArgumentHelp("Protect it from then on: boot, before the first instruction; \(MomentArgument.explanation). boot if not given.", valueName: "moment"),
    transform: MomentArgument.init(_:))
  var protectFrom: MomentArgument?
  @Option(
    help: ArgumentHelp(
      "What comes of a write to it, beside an alert. notify: it is done. deny: it is dropped. suspend, terminate: it is dropped, and the recording ends. "
        + "notify if not given.", valueName: "notify|deny|suspend|terminate"))
  var protectAction: AlertActionName?

  var isGiven: Bool { !protect.isEmpty }

  func validate() throws {
    guard isGiven || protectFrom == nil && protectAction == nil else { throw ValidationError("--protect-from and --protect-action are for --protect") }
    for what in protect where Numbers.isMeant(by: what[...]) || what.isEmpty { _ = try Self.numbered(what) }
  }

  /// Whether it takes names to know what is meant.
  var needsSymbols: Bool { protectFrom?.needsSymbols == true || protect.contains { !Numbers.isMeant(by: $0[...]) } }

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
    if Numbers.isMeant(by: what[...]) { return try numbered(what) }
    guard let symbols else { throw Failure("--protect \(what) needs --symbols") }
    return try SymbolArgument(what, in: symbols).bytes(limit: .max)
  }

  /// Memory that is given in numbers: `0x1000000+4096`.
  private static func numbered(_ what: String) throws -> GuestRange {
    let parts = what.split(separator: "+", omittingEmptySubsequences: false)
    guard parts.count == 2 else {
      throw ValidationError("--protect '\(what)': expected an address and a length, as in 0x1000000+4096, or a symbol")
    }
    let (start, length) = (try Numbers.expected(parts[0], in: what), try Numbers.expected(parts[1], in: what))
    guard length > 0 else { throw ValidationError("--protect '\(what)' has no bytes: ask for 1 byte or more") }
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
