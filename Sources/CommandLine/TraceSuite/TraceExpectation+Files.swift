internal import AllowLists
public import Analyzer
import Races
public import Regression
public import TraceFile
import TraceFormat

extension TraceExpectation {
  /// What replaying a stored trace gives, by every rule, as `replay` does. A file in which no trace can be found gives `unreadable`.
  ///
  /// What the list names is expected. `readsAhead` lets a second thread read blocks while one is judged.
  public init(replaying path: String, allowing list: AllowList?, readsAhead: Bool = true) throws(TraceFileError) {
    let reader: TraceReader
    do throws(TraceFileError) { reader = try TraceReader(path: path) } catch {
      guard error.code == .notATrace else { throw error }
      self.init(unreadable: error.reason)
      return
    }
    reader.readsAhead = readsAhead
    let verdict = Verdict(of: reader, tally: list.map { BreachTally(allowing: $0) })
    var digest = EventDigest()
    reader.run(&digest)
    self.init(verdict, header: reader.header, digest: digest.text, damage: reader.damageLines)
  }

  /// The expectation in a file; nil where there is none.
  public init?(path: String) throws(SuiteError) {
    guard let bytes = try SmallFile.read(path, limit: Self.sizeLimit) else { return nil }
    do throws(ExpectationError) { try self.init(parsing: bytes) } catch { throw SuiteError("\(path): \(error)") }
  }
}

extension AllowList {
  /// The list beside a stored trace; nil where there is none. It has addresses alone: nothing there says what names stand for.
  public static func beside(trace: String) throws(SuiteError) -> AllowList? {
    let path = TraceExpectation.path(ofAllowListForTrace: trace)
    guard let bytes = try SmallFile.read(path, limit: AllowListText.sizeLimit) else { return nil }
    do throws(AllowListError) { return try AllowListText(parsing: bytes).resolved(name: path, symbols: nil) } catch {
      throw SuiteError("\(path): \(error)\(error.isForLackOfSymbols ? "; beside a stored trace a list has addresses" : "")")
    }
  }
}
