import HappensBefore

/// The detector as an object: `#expect` takes no mutating call of a value that can't be copied.
final class WatchedDetector {
  private var detector: RaceDetector

  init(_ semantics: RaceDetector.Semantics) { detector = RaceDetector(semantics) }

  var clockCount: Int { detector.clockCount }

  func read(_ variable: Int32, by thread: Int32) -> Bool { detector.read(variable, by: thread) }
  func write(_ variable: Int32, by thread: Int32) -> Bool { detector.write(variable, by: thread) }
  func send(_ message: Int32, by thread: Int32) { detector.send(message, by: thread) }
  func receive(_ message: Int32, by thread: Int32) { detector.receive(message, by: thread) }
  func fork(_ child: Int32, by thread: Int32) { detector.fork(child, by: thread) }
  func join(_ child: Int32, by thread: Int32) { detector.join(child, by: thread) }
}
