public import Symbols
public import TraceEvents

extension Event {
  /// One line of `dump`: seq, time in milliseconds, vCPU, kind, and what it says.
  public var line: String { line(nil) }

  /// The same, with names beside addresses.
  public func line(_ symbols: GuestSymbols?) -> String {
    let when = JSON.decimalText(Double(time) / 1e6)
    return [pad(String(seq), 9, left: true), pad(when, 11, left: true), pad(Words.lane(vcpu), 7), pad(kind.name, 19), story(symbols)].joined(separator: " ")
      .trimmedEnd
  }

  /// What the operands mean, in words.
  public var story: String { story(nil) }

  /// The same, with names beside addresses.
  public func story(_ symbols: GuestSymbols?) -> String {
    switch kind {
    case .sessionStart: "\(a) vCPU\(a == 1 ? "" : "s")"
    case .sessionEnd: Words.endReasonName(a) + endDetail
    case .eventsLost: "\(a) event\(a == 1 ? "" : "s"), \(LossCause(rawValue: b).map { "\($0)" } ?? "cause \(b)")" + suffix(text)
    case .console: text.debugDescription
    case .vcpuStart: "starts vCPU \(a) at \(symbols.rip(rip))"
    case .vcpuOnline: (a == 0 ? "runs" : "born stopped, rendezvous \(b)") + because
    case .vcpuOffline: (b == 0 ? "" : "answers the stop of rendezvous \(b)") + because
    case .vcpuHalt, .guestEnter: "rip \(symbols.rip(rip))"
    case .vcpuUnhalt: because.trimmedStart
    case .guestExit: "rip \(symbols.rip(rip)), \(GuestExitReason(rawValue: a).map { "\($0)" } ?? "reason \(a)")"
    default: memoryStory(symbols) ?? hypercallStory(symbols) ?? stopStory(symbols) ?? ""
    }
  }

  private func memoryStory(_ symbols: GuestSymbols?) -> String? {
    switch kind {
    case .writeTrap:
      "\(symbols.gpa(gpa)) <- \(Hex.text(data)) from rip \(symbols.rip(rip)), CPL \(a & 3)"
        + (a & WriteFlags.recomputed.rawValue != 0 ? ", recomputed" : "") + (a & WriteFlags.atomicityUnknown.rawValue != 0 ? ", atomicity unknown" : "")
    case .writeResult:
      "\(symbols.gpa(gpa)) \(WriteOutcome(rawValue: a).map { "\($0)" } ?? "outcome \(a)"): "
        + "\(Hex.text(data.prefix(data.count / 2))) -> \(Hex.text(data.suffix(data.count / 2)))" + because
    case .guestWrite:
      "\(symbols.gpa(gpa)): \(Hex.text(data.prefix(data.count / 2))) -> \(Hex.text(data.suffix(data.count / 2))) from rip \(symbols.rip(rip))"
        + (a & WriteFlags.recomputed.rawValue != 0 ? ", recomputed" : "") + (a & WriteFlags.atomicityUnknown.rawValue != 0 ? ", atomicity unknown" : "")
    case .pageWrite: "\(symbols.gpa(gpa)), \(Count.text(a, "write")), \(diffStory)"
    case .pageContents: symbols.gpa(gpa)
    case .regionAccess, .unmappedAccess:
      "\(AccessKind(rawValue: a).map { "\($0)" } ?? "access \(a)") at \(symbols.gpa(gpa)) from rip \(symbols.rip(rip))"
        + (data.isEmpty ? "" : " <- \(Hex.text(data))")
    case .traceInstall, .traceRemove: "\(Count.text(a, "page")) from \(symbols.gpa(gpa))" + because
    default: nil
    }
  }

  private func hypercallStory(_ symbols: GuestSymbols?) -> String? {
    switch kind {
    case .hypercall: "number \(a)(\(argumentList)) from \(symbols.rip(rip))"
    case .hypercallResult: "status \(Int64(bitPattern: a)), value \(b)" + because
    case .entryPointSet: "\(symbols.rip(rip))" + because
    case .driverPagesSet: "\(Count.text(a, "page")) of \(DriverPageKind(rawValue: b).map { "\($0)" } ?? "kind \(b)") from \(symbols.gpa(gpa))" + because
    case .basePointerSet: "\(symbols.gpa(gpa))" + because
    case .registrationLocked: because.trimmedStart
    case .integrityEnter, .integrityLeave: "rip \(symbols.rip(rip))" + because
    case .refusal: (RefusalReason(rawValue: a).map { "\($0)" } ?? "reason \(a)") + because
    case .alert:
      "\(UInt8(exactly: a).flatMap(AlertAction.init(rawValue:)).map { "\($0)" } ?? "action \(a)") "
        + "for a \(AlertOrigin(rawValue: b).map { "\($0)" } ?? "origin \(b)")" + (gpa == 0 ? "" : " at \(symbols.gpa(gpa))") + because
    default: nil
    }
  }

  private func stopStory(_ symbols: GuestSymbols?) -> String? {
    switch kind {
    case .interruptRaise: "vector \(b) for vCPU \(a)" + because
    case .interruptDeliver: "vector \(a)" + because
    case .privilegedRaise: "for vCPU \(a)" + (b == 1 ? ", coalesced" : "") + because
    case .rendezvousClaim: "rendezvous \(b)" + because
    case .stopSend, .resumeSend: "to vCPU \(a), rendezvous \(b)" + because
    case .stopAck, .resumeTake, .modeReturn: "rendezvous \(b), \(Words.activity(a)), rip \(symbols.rip(rip))" + because
    case .regionMap:
      "rendezvous \(b), \(symbols.gpa(gpa)) + \(Hex.text(a)), waited for "
        + (words.isEmpty ? "nobody" : words.map { "[\($0)]" }.joined(separator: " "))
    case .modeEnter: "rendezvous \(b), \(EntryPath(rawValue: a).map { "\($0)" } ?? "path \(a)"), \(Words.activity(d)), rip \(symbols.rip(rip))" + because
    case .modeExit: "rendezvous \(b), \(ExitPath(rawValue: a).map { "\($0)" } ?? "path \(a)")"
    case .regionUnmap: "rendezvous \(b)" + because
    case .rendezvousEnd: "rendezvous \(b)"
    default: nil
    }
  }

  private var text: String { String(decoding: data, as: UTF8.self) }
  /// What a session's end says besides its reason.
  var endDetail: String { suffix(text) }
  private var because: String { cause == 0 ? "" : " (by [\(cause)])" }
  /// Quoted: a stranger's trace may hold escape sequences for the terminal.
  private func suffix(_ detail: String) -> String { detail.isEmpty ? "" : ": \(detail.debugDescription)" }

  /// The data as little-endian 8-byte words.
  private var words: [UInt64] {
    stride(from: 0, to: data.count - data.count % 8, by: 8).map { at in
      (0..<8).reduce(0) { $0 | UInt64(data[at + $1]) << UInt64($1 * 8) }
    }
  }

  private var argumentList: String { words.map(Hex.text).joined(separator: ", ") }

  private var diffStory: String {
    guard let diff = PageDiff(data) else { return "an unreadable difference" }
    if diff.runs.isEmpty { return "nothing changed" }
    let bytes = diff.runs.reduce(0) { $0 + $1.bytes.count }
    return "\(Count.text(UInt64(bytes), "byte")) changed from offset \(Hex.text(UInt64(diff.runs[0].offset)))"
  }
}

private func pad(_ text: String, _ width: Int, left: Bool = false) -> String {
  let fill = String(repeating: " ", count: max(0, width - text.count))
  return left ? fill + text : text + fill
}

extension String {
  fileprivate var trimmedStart: String { String(drop { $0 == " " }) }
  fileprivate var trimmedEnd: String {
    var text = self
    while text.last == " " { text.removeLast() }
    return text
  }
}
