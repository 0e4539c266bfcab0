import Foundation
public import Regression

/// Reports of runs as files.
public enum SuiteFiles {
  public static func exists(_ path: String) -> Bool { SmallFile.exists(path) }
}

extension SuiteReport {
  /// A report of a million traces has its place.
  private static let sizeLimit = 1 << 29

  /// The report that `--format json` or `--report` wrote.
  public init(path: String) throws(SuiteError) {
    guard let bytes = try SmallFile.read(path, limit: Self.sizeLimit) else { throw SuiteError("\(path): no such file") }
    do { self = try JSONDecoder().decode(Self.self, from: Data(bytes)) } catch {
      throw SuiteError("\(path): is not the report of a run: \(Self.reason(error))")
    }
  }

  private static func reason(_ error: any Error) -> String {
    guard let error = error as? DecodingError else { return "\(error)" }
    let context: DecodingError.Context
    switch error {
    case .dataCorrupted(let found): context = found
    case .keyNotFound(let key, let found): return "'\(key.stringValue)' is missing\(place(found))"
    case .typeMismatch(_, let found), .valueNotFound(_, let found): context = found
    @unknown default: return "\(error)"
    }
    return context.debugDescription + place(context)
  }

  private static func place(_ context: DecodingError.Context) -> String {
    let path = context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
    return path.isEmpty ? "" : " at \(path)"
  }
}
