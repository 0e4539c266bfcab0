internal import Reports

extension SuiteReport {
  /// The report in the form of JUnit's XML, which CI systems show.
  ///
  /// A trace that is judged otherwise than expected is a `failure`; one that could not be judged is an `error`; known failures and what was not run are
  /// `skipped`.
  public var junit: String {
    let errors = results.count { $0.isError }
    let failures = results.count { $0.status.isFailure } - errors
    let skipped = count(.knownFailure) + count(.notRun)
    let counts = "tests=\"\(results.count)\" failures=\"\(failures)\" errors=\"\(errors)\""
    let time = Self.secondsText(seconds)
    var xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites \(counts) time=\"\(time)\">\n"
    let name = shard.map { "pagetape \($0)" } ?? "pagetape"
    xml += "  <testsuite name=\"\(name)\" \(counts) skipped=\"\(skipped)\" time=\"\(time)\">\n"
    for result in results { xml += result.junit }
    return xml + "  </testsuite>\n</testsuites>\n"
  }
}

extension TraceResult {
  fileprivate var isError: Bool { [.damaged, .badExpectation, .ioError].contains(status) }

  fileprivate var junit: String {
    let parts = trace.split(separator: "/", omittingEmptySubsequences: false)
    let folder = parts.dropLast().joined(separator: "/")
    let head =
      "    <testcase classname=\"\(Self.escaped(folder.isEmpty ? "." : folder))\" name=\"\(Self.escaped(String(parts.last ?? "")))\""
      + " time=\"\(SuiteReport.secondsText(seconds))\""
    let why = Self.escaped(message ?? "is not as expected")
    switch status {
    case .passed, .updated: return head + "/>\n"
    case .knownFailure, .notRun: return head + ">\n      <skipped message=\"\(Self.escaped(message ?? "not run"))\"/>\n    </testcase>\n"
    default:
      let element = isError ? "error" : "failure"
      let text = Self.escaped(difference.joined(separator: "\n"))
      return head + ">\n      <\(element) type=\"\(status.rawValue)\" message=\"\(why)\">\(text)</\(element)>\n    </testcase>\n"
    }
  }

  /// XML has no way to write most control characters.
  private static func escaped(_ text: String) -> String {
    let writable = text.unicodeScalars.map { scalar in
      let isControl = scalar.value < 0x20 && scalar != "\n" || (0x7f..<0xa0).contains(scalar.value)
      return isControl || scalar.value == 0xfffe || scalar.value == 0xffff ? "\u{fffd}" : scalar
    }
    return Markup.escaped(String(String.UnicodeScalarView(writable)))
  }
}
