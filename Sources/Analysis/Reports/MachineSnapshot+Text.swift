public import Inspection
public import Symbols
internal import TraceEvents
internal import TraceFormat
internal import TreeFormat

extension MachineSnapshot {
  /// The form for a person. `name` is the file as the user named it; `limit` is how many traces are listed. Where there are symbols,
  /// names stand beside addresses.
  public func text(name: String, limit: Int, style: TextStyle, symbols: GuestSymbols? = nil) -> String {
    var lines = ["\(name), right after event \(Count.grouped(seq)), at \(JSON.decimalText(Double(state.time) / 1e6)) ms"]
    if let event { lines.append(event.line(symbols)) }
    for doubt in doubts { lines += TextStyle.wrap(style.caution("not certain") + ": " + doubt, first: "", rest: "  ") }
    lines += section("vCPUs", state.vcpus.enumerated().map { "\($0)".leftPadded(to: 4) + "  " + Self.story($1, symbols) })
    lines += section("view", view(symbols))
    lines += section("registration", registration(symbols))
    let pages = state.tracedPages.reduce(0 as UInt64) { $0 &+ ($1.upperBound - $1.lowerBound) }
    lines += section("write traces, on \(Count.text(pages, "page"))", traces(limit, symbols))
    lines += section("tree of protected pages", treeLines(symbols))
    return lines.joined(separator: "\n") + "\n"
  }

  /// Why what is shown may be wrong.
  private var doubts: [String] {
    var doubts: [String] = []
    if !missing.isEmpty {
      let more = missing.count > 3 ? " and \(Count.text(UInt64(missing.count - 3), "more range"))" : ""
      doubts.append("the state lacks \(missing.prefix(3).map(Words.events).joined(separator: ", "))\(more): the trace does not hold them")
    }
    if state.lostEvents > 0 { doubts.append("the recorder lost \(Count.text(state.lostEvents, "event")) before: what they changed is not shown") }
    return doubts
  }

  private func section(_ title: String, _ lines: [String]) -> [String] { ["", title] + lines.map { "  " + $0 } }

  private static func story(_ vcpu: MachineState.VCPU, _ symbols: GuestSymbols?) -> String {
    guard vcpu.life == .online else { return Words.life(vcpu.life) }
    var parts = ["\(vcpu.place)"]
    if vcpu.rip != 0 { parts.append("rip \(symbols.rip(vcpu.rip))") }
    if vcpu.isExecuting { parts.append("executes guest code") }
    if vcpu.isHalted { parts.append("halted") }
    if vcpu.inIntegrityMode { parts.append("in integrity mode") }
    if vcpu.owesReturn { parts.append("goes back to \(Words.activity(vcpu.activity))") }
    let pending = [
      ("stop signal", vcpu.pendingStop), ("resume signal", vcpu.pendingResume), ("interrupt for the mode latched", vcpu.latchedInterrupt),
      ("hypercall unanswered", vcpu.pendingHypercall), ("write trap undecided", vcpu.pendingTrap),
    ]
    for (what, seq) in pending where seq != 0 { parts.append("\(what) [\(seq)]") }
    return parts.joined(separator: ", ")
  }

  private func view(_ symbols: GuestSymbols?) -> [String] {
    let change = state.regionChange == 0 ? "" : " since [\(state.regionChange)]"
    var lines: [String] = []
    if region.length > 0 {
      lines.append("region \(symbols.gpa(region.start)) + \(Count.bytes(region.length)): \(state.regionIsMapped ? "mapped" : "not mapped")\(change)")
    } else {
      lines.append("no special region")
    }
    if state.rendezvous == 0 {
      lines.append("no rendezvous yet")
    } else {
      let claimer = state.claimer == Event.host ? "the host" : "vCPU \(state.claimer)"
      lines.append("rendezvous \(state.rendezvous), claimed by \(claimer): \(phase == .free ? "over" : phase.words)")
    }
    if let end = state.endReason { lines.append("the session has ended: \(Words.endReason(end))") }
    return lines
  }

  private func registration(_ symbols: GuestSymbols?) -> [String] {
    var lines = [state.isLocked ? "locked" : "not locked"]
    if let entry = state.entryPoint { lines.append("entry point \(symbols.rip(entry))") }
    for pages in state.driverPages {
      lines.append("driver \(Words.driverPages(pages.kind)) \(symbols.gpa(pages.gpa)), \(Count.text(pages.pageCount, "page"))")
    }
    if let base = state.basePointer { lines.append("base pointer \(symbols.gpa(base))") }
    return lines
  }

  private func traces(_ limit: Int, _ symbols: GuestSymbols?) -> [String] {
    if state.tracedPages.isEmpty { return ["none"] }
    let lines = state.tracedPages.prefix(limit).map { range in
      symbols.gpa(range.lowerBound * guestPageSize).padded(to: 13) + Count.text(range.upperBound - range.lowerBound, "page")
    }
    let more = state.tracedPages.count - lines.count
    return more > 0 ? lines + ["and \(Count.text(UInt64(more), "more range"))"] : lines
  }

  private func treeLines(_ symbols: GuestSymbols?) -> [String] {
    guard state.basePointer != nil else { return ["no base pointer is set"] }
    let lines = tree.entries.map { String(repeating: "  ", count: $0.depth) + symbols.gpa($0.gpa).padded(to: 13) + Self.story($0) }
    return tree.isCut ? lines + ["and more: \(Count.words(lines.count, "entry is", "entries are")) shown"] : lines
  }

  private static func story(_ entry: TreeWalk.Entry) -> String {
    switch entry.finding {
    case .node(let node):
      let what = node.level == 0 ? "leaf" : "node of level \(node.level)"
      let cover = "\(Hex.text(node.lowGFN * guestPageSize))..<\(Hex.text(node.endGFN * guestPageSize))"
      let entries = node.level == 0 ? Count.text(UInt64(node.entryCount), "mapping") : Count.words(node.entryCount, "child", "children")
      return "\(what), covers \(cover), \(entries); writes to it: \(Words.action(node.action))"
    case .mapping(let mapping):
      let bytes = mapping.firstByte == 0 && mapping.endByte == 4096 ? "" : ", bytes \(mapping.firstByte)..<\(mapping.endByte)"
      return "protects \(Count.text(mapping.pageCount, "page"))\(bytes): \(Words.action(mapping.action))"
    case .malformed(let why): return "malformed: \(why)"
    case .unknown(let why): return "unknown: \(why)"
    case .repeated: return "shown above: this page is linked twice"
    }
  }
}

extension RendezvousPhase {
  /// The phase in words.
  var words: String {
    switch self {
    case .free: "the mode is free"
    case .stopping: "vCPUs are being stopped"
    case .mapped: "the region is mapped, nobody has entered"
    case .inMode: "in the privileged mode"
    case .handingOver: "the mode is being handed over"
    case .unmapping: "the last one is out, the region is still mapped"
    case .resuming: "vCPUs are being resumed"
    }
  }
}
