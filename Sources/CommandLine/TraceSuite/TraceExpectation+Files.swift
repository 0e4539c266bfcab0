import Analyzer
import Races
public import Regression
public import TraceFile
import TraceFormat

extension TraceExpectation {
  /// What replaying a stored trace gives, by every rule, as `replay` does. A file in which no trace can be found gives `unreadable`.
  ///
  /// `readsAhead` lets a second thread read blocks while one is judged.
  public init(replaying path: String, readsAhead: Bool = true) throws(TraceFileError) {
    let reader: TraceReader
    do throws(TraceFileError) { reader = try TraceReader(path: path) } catch {
      guard error.code == .notATrace else { throw error }
      self.init(unreadable: error.reason)
      return
    }
    reader.readsAhead = readsAhead
    let verdict = Verdict(of: reader)
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
