internal import Analyzer
internal import Digests
internal import Reports

/// What of a finding is the same in another recording of the same bug, as SHA-256.
///
/// That is the rule; of rules about memory the page and, where one instruction is to blame, its address; and what was expected, numbers aside. It is not the
/// event's number or its time; not the vCPU, which is chance where vCPUs run in parallel; not where a vCPU was interrupted, for the same reason; and not the
/// because chain: of one bug it is longer in one recording than in the next.
struct FindingFingerprint {
  let text: String

  init(_ finding: Finding) {
    var parts = ["pagetape/v1", finding.rule.name, Self.masked(finding.expected)]
    // Signals come wherever a vCPU happens to be.
    if !["stop", "race"].contains(finding.rule.group) {
      if let gpa = finding.gpa { parts.append("page " + Hex.text(gpa >> 12)) }
      if let rip = finding.rip { parts.append("rip " + Hex.text(rip)) }
    }
    text = SHA256.hexadecimal(Array(parts.joined(separator: "\n").utf8))
  }

  /// With `#` for each number, decimal or hexadecimal.
  static func masked(_ text: String) -> String {
    var out = ""
    var inNumber = false
    for character in text.unicodeScalars {
      let isDigit = ("0"..."9").contains(character) || inNumber && (character == "x" || ("a"..."f").contains(character))
      if isDigit {
        if !inNumber { out += "#" }
      } else {
        out.unicodeScalars.append(character)
      }
      inNumber = isDigit
    }
    return out
  }
}
