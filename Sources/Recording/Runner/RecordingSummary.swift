import KVM
public import TraceEvents

/// How a recording went.
public struct RecordingSummary: Hashable, Sendable {
  /// Something asked for at a moment.
  public enum Request: Hashable, Sendable {
    case snapshot, protection
  }

  public var endReason: EndReason
  /// More about it, may be empty.
  public var detail: String
  /// Events in the trace; 0 where nothing was recorded.
  public var events: UInt64
  /// Events that were dropped because the disk was too slow.
  public var lost: UInt64 = 0
  /// Events before the first one in the trace, where only its end was to be kept.
  public var dropped: UInt64 = 0
  /// Bytes of the file that say what the machine was like before that one.
  public var startSize: UInt64 = 0
  /// Why less of the end is in the trace than was to be kept; nil where nothing kept it from being there.
  public var tailCut: String?
  /// Bytes of the file.
  public var bytes: UInt64
  /// Nanoseconds from the first guest instruction to the last.
  public var duration: UInt64
  /// Nil where nothing was recorded.
  public var path: String?
  /// What was not done, because the guest never came to its moment.
  public var missed: Set<Request> = []
  /// How far the clock of a guest that went on from a snapshot was ahead of it, in nanoseconds: KVM did not set the time stamp counter to where it was.
  public var clockLead: Int64 = 0
  /// Why a snapshot that was taken could not be kept; nil where it was.
  public var snapshotFailure: String?
}

extension RecordingSummary {
  /// How far the guest's clock was off when it went on from a snapshot, where that is a second or more.
  public var clockLeadText: String? { Self.text(clockLead: clockLead) }

  /// That a guest went on from a snapshot, as a trace's header says it.
  static func startText(clockLead: Int64) -> String { "snapshot" + (text(clockLead: clockLead).map { ", clock \($0)" } ?? "") }

  private static func text(clockLead: Int64) -> String? {
    let seconds = clockLead.magnitude / 1_000_000_000
    return seconds == 0 ? nil : "\(seconds) s \(clockLead > 0 ? "ahead" : "behind")"
  }
}

/// How far a recording is.
public struct RecordingProgress: Hashable, Sendable {
  public var events: UInt64
  /// Written to the file so far.
  public var bytes: UInt64
  /// Nanoseconds since the start.
  public var elapsed: UInt64
}

/// Ends a recording from another thread.
public struct RecordingStop: Sendable {
  let event: StopEvent

  public init() throws(RecordingError) {
    do throws(KVMError) { event = try StopEvent() } catch { throw .host(error) }
  }

  /// Safe in a signal handler.
  public func stop() { event.event.raise() }
}
