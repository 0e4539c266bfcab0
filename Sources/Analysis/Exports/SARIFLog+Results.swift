internal import Analyzer
internal import Reports
internal import Symbols
internal import TraceEvents

extension SARIFLog {
  func result(_ finding: Finding) -> JSON {
    // With or without names a finding is the same one.
    let fingerprint = FindingFingerprint(finding).text
    let finding = finding.naming(symbols)
    let flows = codeFlows(finding)
    return .object(
      [
        ("ruleId", .string(finding.rule.name)),
        ("ruleIndex", Self.index(finding.rule)),
        ("kind", .string("fail")),
        ("level", .string(Self.level(finding.rule.severity))),
        ("message", .object([("text", .string(message(finding)))])),
        ("occurrenceCount", .number(finding.count)),
        ("locations", .array([place(finding.seq, vcpu: finding.vcpu)])),
        // The second is what GitHub tells alerts apart by.
        ("partialFingerprints", .object([("pagetape/v1", .string(fingerprint)), ("primaryLocationLineHash", .string(fingerprint.prefix(16) + ":1"))])),
      ] + (flows.isEmpty ? [] : [("codeFlows", .array(flows))]) + [("properties", .object(properties(finding)))])
  }

  private func message(_ finding: Finding) -> String {
    let times = finding.count > 1 ? " This is the first of \(Count.text(finding.count, "time"))." : ""
    return "\(finding.observed) Expected: \(finding.expected)\(times)"
  }

  private func properties(_ finding: Finding) -> [(key: String, value: JSON)] {
    var properties: [(key: String, value: JSON)] = [("event", .number(finding.seq)), ("vcpu", .optional(finding.vcpu) { .number(UInt64($0)) })]
    if let gpa = finding.gpa { properties += [("gpa", .hex(gpa))] + symbols.gpaMember(gpa) }
    if let rip = finding.rip { properties += [("rip", .hex(rip))] + symbols.ripMember(rip) }
    if let time = named.places[finding.seq]?.time { properties.append(("time", .number(time))) }
    properties.append(("also", .array(finding.also.map { .string($0.name) })))
    if case .race(_, _, let missing) = finding.evidence { properties.append(("missing", .string(missing))) }
    return properties
  }

  // MARK: Places

  /// An event: the part of the file that holds it, and its vCPU and number.
  func place(_ seq: UInt64, vcpu: UInt16?, message: String? = nil) -> JSON {
    var physical: [(key: String, value: JSON)] = [("artifactLocation", artifactLocation)]
    if let range = bytes(seq) {
      physical.append(("region", .object([("byteOffset", .number(range.lowerBound)), ("byteLength", .number(UInt64(range.count)))])))
    }
    let lane = lane(vcpu ?? named.places[seq]?.vcpu)
    let logical: JSON = .object([
      ("name", .string("event \(seq)")), ("fullyQualifiedName", .string("\(lane)/event \(seq)")), ("kind", .string("event")),
    ])
    return .object(
      [("physicalLocation", .object(physical)), ("logicalLocations", .array([logical]))]
        + (message.map { [("message", .object([("text", .string($0))]))] } ?? []))
  }

  func lane(_ vcpu: UInt16?) -> String {
    guard let vcpu else { return "machine" }
    return vcpu == Event.host ? "host" : "vCPU \(vcpu)"
  }
}
