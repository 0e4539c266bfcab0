internal import Analyzer
public import Inspection
public import Symbols
public import TraceEvents

extension WriteHistory {
  /// The form for a person. `name` is the file as the user named it. Where there are symbols, names stand beside addresses.
  public func text(name: String, attribution: WriteAttribution, style: TextStyle, symbols: GuestSymbols? = nil) -> String {
    var lines = ["\(name), \(bytes.words(symbols)), up to event \(Count.grouped(last))"]
    if let writer {
      lines.append("last written by \(actorText(writer.vcpu)) at event \(writer.seq)" + (writer.rip.map { ", rip \(symbols.rip($0))" } ?? ""))
    } else {
      let contents = records.first { $0.evidence == .contents }
      lines.append("no write that changed memory is found" + (contents.map { "; event \($0.since ?? $0.seq) shows what is in the page" } ?? ""))
    }
    for doubt in doubts(attribution).prefix(8) {
      lines += TextStyle.wrap(style.caution("not certain") + ": " + doubt.words, first: "", rest: "  ")
    }
    for part in [later, records] where !part.isEmpty { lines += [""] + part.map { $0.line(symbols) } }
    lines.append("")
    lines.append(count)
    if unchanged > 0, let lastUnchanged {
      lines += TextStyle.wrap(
        "\(Count.text(unchanged, "page-write")) of the page \(unchanged == 1 ? "shows" : "show") no change of these bytes, the last one [\(lastUnchanged)]",
        first: "", rest: "")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private var count: String {
    let shown = records.count { $0.evidence != .contents }
    guard isWhole else { return "the last \(Count.text(UInt64(shown), "write")); --count also counts those before" }
    return "\(Count.text(total, "write")) since the start of the trace" + (UInt64(shown) < total ? ", the last \(shown) are shown" : "")
  }
}

extension GuestBytes {
  func words(_ symbols: GuestSymbols?) -> String { length == 1 ? "byte \(symbols.gpa(start))" : "\(length) bytes at \(symbols.gpa(start))" }
}

extension WriteHistory.Doubt {
  var words: String {
    switch self {
    case .missing(let range): "events are missing (\(Words.events(range))): writes may be among them"
    case .later(let seq, let vcpu): "\(actorText(vcpu)) was in the guest and wrote the page before [\(seq)]: it may have been before this"
    case .others(let vcpus): "in the same interval the page was written by \(vcpus.map(actorText).joined(separator: ", ")), too"
    case .firstWriter: "the host logs the first writer of a page only: another vCPU may have written after it"
    case .undecided(let seq): "the write that trapped at [\(seq)] was not decided yet"
    case .unchanged(let seq): "the page was written again up to [\(seq)]; a write of what is there already does not show"
    }
  }
}

extension WriteRecord {
  /// One line: seq, time in milliseconds, vCPU, what was done to the bytes, and how that is known.
  func line(_ symbols: GuestSymbols?) -> String {
    let when = JSON.decimalText(Double(time) / 1e6)
    return [String(seq).leftPadded(to: 9), when.leftPadded(to: 11), Words.lane(vcpu).padded(to: 7), story(symbols)].joined(separator: " ")
  }

  private func story(_ symbols: GuestSymbols?) -> String {
    let from = rip.map { ", rip \(symbols.rip($0))" } ?? (evidence == .trapped || evidence == .exact ? ", rip not known" : "")
    let changes = changes(symbols)
    switch evidence {
    case .trapped:
      let what = outcome == .undecided ? "not decided: <- \(words(intended, symbols))" : outcome == .dropped ? "dropped: \(droppedWords(symbols))" : changes
      return "\(what)\(from), trapped"
    case .exact: return "\(changes)\(from), every write traps"
    case .page:
      let interval = since.map { "between [\($0)] and here" } ?? "at some point before here"
      let who = others.isEmpty ? "" : ", or by \(others.map(actorText).joined(separator: ", "))"
      return "\(changes) seen; written \(interval)\(who)"
    case .contents:
      let times = repeats > 1 ? ", \(repeats) times since [\(since ?? seq)]" : ""
      return "holds \(changes): the page's contents\(times)"
    case .access: return "<- \(words(intended, symbols))\(from), nothing is there: no effect"
    }
  }

  private func changes(_ symbols: GuestSymbols?) -> String {
    if pieces.isEmpty { return "an unreadable difference" }
    let shown = pieces.prefix(4).map { piece in
      let before = piece.before.map { "\(Self.short($0)) -> " } ?? (evidence == .page ? "-> " : "")
      return "\(symbols.gpa(piece.gpa)): \(before)\(Self.short(piece.after))"
    }
    return shown.joined(separator: ", ") + (pieces.count > 4 ? " and \(pieces.count - 4) more" : "")
  }

  /// A line holds so many bytes of a piece; the JSON has them all.
  private static func short(_ bytes: [UInt8]) -> String { bytes.count <= 16 ? Hex.text(bytes) : "\(Hex.text(bytes.prefix(16)))... (\(bytes.count) bytes)" }

  private func droppedWords(_ symbols: GuestSymbols?) -> String {
    let landed = hasLanded ? ", and yet \(changes(symbols))" : ""
    return "<- \(words(intended, symbols))\(landed)"
  }

  private func words(_ piece: Piece?, _ symbols: GuestSymbols?) -> String {
    piece.map { "\(symbols.gpa($0.gpa)): \(Self.short($0.after))" } ?? "what is not known"
  }
}
