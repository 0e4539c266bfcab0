import Glibc
public import Regression

/// Stored traces and the expectations beside them, in the order of their names.
public struct StoredTraces: Sendable {
  /// A trace, its expectation, or both.
  public struct Entry: Hashable, Sendable {
    /// The trace's path, as found below what the user named; that of an expectation without a trace is the one the trace should have.
    public var trace: String
    /// The same, from the folder that all of what the user named is in: alike wherever that is.
    public var name: String
    public var expectation: String
    /// In bytes; nil for what is not there.
    public var traceSize: UInt64?
    public var expectationSize: UInt64?
    public var allowListSize: UInt64?
  }

  public private(set) var entries: [Entry]

  /// Everything in the folders, with what is below them, and the files. Names that begin with a dot are passed over in folders.
  public init(_ paths: [String]) throws(SuiteError) {
    var traces: Set<String> = []
    var folders: [String] = []
    for path in paths {
      guard let status = Self.status(path) else { throw SuiteError(path, errno, "cannot look at it") }
      if status.st_mode & S_IFMT == S_IFDIR {
        var folder = path
        while folder.count > 1, folder.hasSuffix("/") { folder.removeLast() }
        try Self.collect(folder, depth: 0, &traces)
        folders.append(folder)
      } else {
        traces.insert(Self.trace(of: path))
        folders.append(path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "")
      }
    }
    let shared = Self.sharedCount(of: folders)
    entries = traces.map { Self.entry($0, withoutFirst: shared) }.sorted { $0.trace.utf8.lexicographicallyPrecedes($1.trace.utf8) }
  }

  /// Those alone whose path any of the patterns matches.
  public mutating func keep(_ patterns: [NamePattern]) {
    if !patterns.isEmpty { entries.removeAll { entry in !patterns.contains { $0.matches(entry.trace) } } }
  }

  /// How many names the paths of all these folders begin with together. (Before a first slash there is a name, of no characters.)
  private static func sharedCount(of folders: [String]) -> Int {
    let paths = folders.map { $0 == "/" ? [""] : $0.isEmpty ? [] : $0.split(separator: "/", omittingEmptySubsequences: false) }
    guard var shared = paths.first else { return 0 }
    for path in paths.dropFirst() { shared = Array(zip(shared, path).prefix { $0 == $1 }.map(\.0)) }
    return shared.count
  }

  private static func trace(of path: String) -> String { path.hasSuffix(".expected") ? path.dropLast(9) + ".tape" : path }

  private static func entry(_ trace: String, withoutFirst shared: Int) -> Entry {
    let expectation = TraceExpectation.path(forTrace: trace)
    let name = trace.split(separator: "/", omittingEmptySubsequences: false).dropFirst(shared).joined(separator: "/")
    return Entry(
      trace: trace, name: name, expectation: expectation, traceSize: status(trace).map { UInt64($0.st_size) },
      expectationSize: status(expectation).map { UInt64($0.st_size) },
      allowListSize: status(TraceExpectation.path(ofAllowListForTrace: trace)).map { UInt64($0.st_size) })
  }

  private static func status(_ path: String) -> stat? {
    var status = stat()
    // SAFETY: the structure is ours.
    return unsafe stat(path, &status) == 0 ? status : nil
  }

  private static func collect(_ folder: String, depth: Int, _ traces: inout Set<String>) throws(SuiteError) {
    guard depth < 64 else { throw SuiteError("\(folder): too deep; a link to a folder above it?") }
    for name in try Folder.names(in: folder) where !name.hasPrefix(".") {
      let path = folder == "/" ? "/" + name : folder + "/" + name
      if name.hasSuffix(".tape") || name.hasSuffix(".expected") {
        traces.insert(trace(of: path))
      } else if status(path).map({ $0.st_mode & S_IFMT == S_IFDIR }) == true {
        try collect(path, depth: depth + 1, &traces)
      }
    }
  }
}
