public import KVM
public import TraceFile
public import GuestImages

/// Why there is no recording.
public enum RecordingError: Error, CustomStringConvertible, Sendable {
  /// This host cannot do it, or stopped being able to.
  case host(KVMError)
  case file(TraceFileError)
  case guest(GuestImageError)
  /// What is wrong with the snapshot that it was to go on from.
  case snapshot(String)
  /// An option that cannot be: what it is and what was expected.
  case usage(String)

  public var description: String {
    switch self {
    case .host(let error): error.description
    case .file(let error): error.description
    case .guest(let error): error.description
    case .snapshot(let problem): "not a snapshot that a recording can go on from: \(problem)"
    case .usage(let text): text
    }
  }
}
