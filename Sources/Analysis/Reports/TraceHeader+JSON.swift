internal import TraceEvents
package import TraceFormat

extension TraceHeader {
  /// What the machine was, and what the recorder says of the recording.
  package var members: [(key: String, value: JSON)] {
    [
      ("vcpus", .number(UInt64(vcpuCount))),
      ("memory", .array(memory.map(\.json))),
      ("region", region.json),
      ("attribution", .string("\(attribution)")),
      ("startTime", .number(startTime)),
      ("clockFrequency", .number(clockFrequency)),
      ("properties", .array(properties.map { .object([("name", .string($0.name)), ("value", .string($0.value))]) })),
    ]
  }
}

extension GuestRange {
  fileprivate var json: JSON { .object([("start", .hex(start)), ("length", .number(length))]) }
}
