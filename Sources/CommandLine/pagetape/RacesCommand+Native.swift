import Interchange
import Reports
import TraceFile
import TraceFormat

extension RacesCommand {
  /// Traces of pagetape's own.
  func runNative() throws {
    let symbols = try names.load()
    let reader = try Traces.open(file)
    var races = TraceRaces(semantics.detector, vcpuCount: reader.header.vcpuCount)
    reader.run(&races)
    if format == .text {
      try Terminal.output(headline(events: races.eventCount, races: races.races.count, places: UInt64(races.racyWordCount), "word"))
    }
    var report = RaceReport(format == .json ? .json : .text, semantics.detector, events: races.eventCount) { try Terminal.output($0) }
    try races.write(to: &report, symbols: symbols)
    try report.end()
    Traces.report(reader.damage, path: file)
    if !races.races.isEmpty { try ExitStatus.findings.end() }
    if !reader.damage.isEmpty { try ExitStatus.incomplete.end() }
  }
}
