public import Inspection
public import Symbols
internal import TraceEvents
internal import TraceFormat
internal import TreeFormat

extension MachineSnapshot {
  /// The machine's form: what is absent is null, addresses are hex strings, events are named by number. `limit` is how many traces are listed. Where there
  /// are symbols, each address has its name, or null, behind it.
  public func json(limit: Int, symbols: GuestSymbols? = nil) -> JSON {
    .object([
      ("seq", .number(seq)),
      ("time", .number(state.time)),
      ("event", .optional(event) { $0.json(symbols) }),
      ("vcpus", .array(state.vcpus.enumerated().map { Self.json($1, number: $0, symbols) })),
      ("view", view),
      ("registration", registration(symbols)),
      ("traces", .array(state.tracedPages.prefix(limit).map { Self.json($0, symbols) })),
      ("tracesNotShown", .number(UInt64(max(0, state.tracedPages.count - limit)))),
      ("tree", .array(tree.entries.map { Self.json($0, symbols) })),
      ("treeIsWhole", .bool(!tree.isCut)),
      ("lost", .number(state.lostEvents)),
      ("missing", .array(missing.map { .object([("first", .number($0.lowerBound)), ("last", .number($0.upperBound - 1))]) })),
      ("end", .optional(state.endReason) { .string(Words.endReasonName($0)) }),
    ])
  }

  private static func json(_ vcpu: MachineState.VCPU, number: Int, _ symbols: GuestSymbols?) -> JSON {
    func event(_ seq: UInt64) -> JSON { seq == 0 ? .null : .number(seq) }
    return .object([
      ("vcpu", .number(UInt64(number))),
      ("life", .string(Words.life(vcpu.life))),
      ("place", .string("\(vcpu.place)")),
      ("executing", .bool(vcpu.isExecuting)),
      ("halted", .bool(vcpu.isHalted)),
      ("integrityMode", .bool(vcpu.inIntegrityMode)),
      ("rip", vcpu.rip == 0 ? .null : .hex(vcpu.rip)),
    ] + symbols.ripMember(vcpu.rip == 0 ? nil : vcpu.rip) + [
      ("returnsTo", vcpu.owesReturn ? .string(Words.activity(vcpu.activity)) : .null),
      (
        "pending",
        .object([
          ("stop", event(vcpu.pendingStop)), ("resume", event(vcpu.pendingResume)), ("privilegedInterrupt", event(vcpu.latchedInterrupt)),
          ("hypercall", event(vcpu.pendingHypercall)), ("writeTrap", event(vcpu.pendingTrap)),
        ])
      ),
    ])
  }

  private var view: JSON {
    .object([
      ("region", .object([("start", .hex(region.start)), ("length", .number(region.length))])),
      ("regionMapped", .bool(state.regionIsMapped)),
      ("changedAt", state.regionChange == 0 ? .null : .number(state.regionChange)),
      ("rendezvous", state.rendezvous == 0 ? .null : .number(state.rendezvous)),
      ("phase", .string(phase.rawValue)),
      ("claimer", state.rendezvous == 0 || state.claimer == Event.host ? .null : .number(UInt64(state.claimer))),
    ])
  }

  private func registration(_ symbols: GuestSymbols?) -> JSON {
    .object([("entryPoint", .optional(state.entryPoint) { .hex($0) })] + symbols.ripMember(state.entryPoint, "entryPointSymbol") + [
      (
        "driverPages",
        .array(
          state.driverPages.map {
            .object([("gpa", .hex($0.gpa))] + symbols.gpaMember($0.gpa) + [("pages", .number($0.pageCount)), ("kind", .string(Words.driverPages($0.kind)))])
          })
      ),
      ("basePointer", .optional(state.basePointer) { .hex($0) }),
    ] + symbols.gpaMember(state.basePointer, "basePointerSymbol") + [
      ("locked", .bool(state.isLocked)),
    ])
  }

  private static func json(_ pages: Range<UInt64>, _ symbols: GuestSymbols?) -> JSON {
    let gpa = pages.lowerBound * guestPageSize
    return .object([("gpa", .hex(gpa))] + symbols.gpaMember(gpa) + [("pages", .number(pages.upperBound - pages.lowerBound))])
  }

  private static func json(_ entry: TreeWalk.Entry, _ symbols: GuestSymbols?) -> JSON {
    var members: [(key: String, value: JSON)] = [("depth", .number(UInt64(entry.depth))), ("gpa", .hex(entry.gpa))] + symbols.gpaMember(entry.gpa)
    switch entry.finding {
    case .node(let node):
      members += [
        ("what", .string("node")), ("level", .number(UInt64(node.level))), ("action", .string(Words.action(node.action))),
        ("cover", .object([("gpa", .hex(node.lowGFN * guestPageSize)), ("pages", .number(node.endGFN - node.lowGFN))])),
        ("entries", .number(UInt64(node.entryCount))),
      ]
    case .mapping(let mapping):
      members += [
        ("what", .string("mapping")), ("pages", .number(mapping.pageCount)), ("firstByte", .number(UInt64(mapping.firstByte))),
        ("endByte", .number(UInt64(mapping.endByte))), ("action", .string(Words.action(mapping.action))),
      ]
    case .malformed(let why): members += [("what", .string("malformed")), ("why", .string(why))]
    case .unknown(let why): members += [("what", .string("unknown")), ("why", .string(why))]
    case .repeated: members.append(("what", .string("repeated")))
    }
    return .object(members)
  }
}
