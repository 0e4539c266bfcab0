public import HappensBefore

/// The racy events of a trace in the STD format, found while it is read.
public struct STDRaces: ~Copyable {
  /// A racy event; numbers are those of the tables of names.
  public struct Race: BitwiseCopyable, Sendable {
    /// The event's number: its line, counted from 1.
    public var event: UInt64
    public var thread: Int32
    public var variable: Int32
    public var location: Int32
    public var isWrite: Bool
  }

  private var reader = STDReader()
  private var detector: RaceDetector
  private var locations = NameTable()
  public private(set) var races: [Race] = []

  public init(_ semantics: RaceDetector.Semantics) { detector = RaceDetector(semantics) }

  /// Reads a trace to its end. The body puts the next bytes of its text at the start of what it is lent, and says how many; none is the end.
  public mutating func read(_ body: (UnsafeMutableRawBufferPointer) throws -> Int) throws {
    while try unsafe reader.fill(body) {
      while true {
        let first = reader.lineCount + 1
        let count = try reader.nextBatch()
        if count == 0 { break }
        for index in 0..<count {
          let event = reader.event(index)
          if event.operation == .read || event.operation == .write { detector.prefetch(event.operand) }
        }
        for index in 0..<count { take(reader.event(index), first + UInt64(index)) }
      }
    }
  }

  /// Events read.
  public var eventCount: UInt64 { reader.lineCount }

  /// Variables with a racy event.
  public var racyVariableCount: Int {
    var seen = [Bool](repeating: false, count: reader.variables.count)
    for race in races { seen[Int(race.variable)] = true }
    return seen.count { $0 }
  }

  @inline(__always)
  private mutating func take(_ event: STDReader.Event, _ number: UInt64) {
    let (thread, operand) = (event.thread, event.operand)
    switch event.operation {
    case .read: if detector.read(operand, by: thread) { note(event, number) }
    case .write: if detector.write(operand, by: thread) { note(event, number) }
    case .acquire: detector.acquire(operand, by: thread)
    case .release: detector.release(operand, by: thread)
    case .fork: detector.fork(operand, by: thread)
    case .join: detector.join(operand, by: thread)
    case .begin, .end: break
    }
  }

  @inline(never)
  private mutating func note(_ event: STDReader.Event, _ number: UInt64) {
    let location = reader.location(of: event, in: &locations)
    races.append(Race(event: number, thread: event.thread, variable: event.operand, location: location, isWrite: event.operation == .write))
  }

  /// Puts every racy event into a report, in the order of the trace.
  public func write(to report: inout RaceReport) throws {
    for race in races {
      let thread = reader.threads.bytes(of: race.thread)
      let variable = reader.variables.bytes(of: race.variable)
      let location = locations.bytes(of: race.location)
      try report.add(event: race.event, isWrite: race.isWrite, thread: thread, location: location, variable: variable)
    }
  }
}
