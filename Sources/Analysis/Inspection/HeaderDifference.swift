internal import TraceEvents
public import TraceFormat

/// Something that the headers of two traces say differently.
public struct HeaderDifference: Hashable, Sendable {
  public var name: String
  /// Nil where a header does not say it.
  public var a: String?
  public var b: String?

  public init(name: String, a: String?, b: String?) {
    self.name = name
    self.a = a
    self.b = b
  }

  /// All of them, but for what no two recordings share: when they were made, and the command line.
  public static func all(_ a: TraceHeader, _ b: TraceHeader) -> [HeaderDifference] {
    var all: [HeaderDifference] = []
    func compare(_ name: String, _ left: String?, _ right: String?) {
      if left != right { all.append(HeaderDifference(name: name, a: left, b: right)) }
    }
    compare("vcpus", "\(a.vcpuCount)", "\(b.vcpuCount)")
    compare("memory", ranges(a), ranges(b))
    compare("region", "\(a.region.start)+\(a.region.length)", "\(b.region.start)+\(b.region.length)")
    compare("attribution", "\(a.attribution)", "\(b.attribution)")
    var names: [String] = []
    for property in a.properties + b.properties
    where !names.contains(property.name) && property.name != TraceHeader.Property.Name.commandLine { names.append(property.name) }
    for name in names { compare(name, values(a, name), values(b, name)) }
    return all
  }

  private static func ranges(_ header: TraceHeader) -> String {
    header.memory.map { "\($0.start)+\($0.length)" }.joined(separator: ", ")
  }

  private static func values(_ header: TraceHeader, _ name: String) -> String? {
    let values = header.properties.filter { $0.name == name }.map(\.value)
    return values.isEmpty ? nil : values.joined(separator: ", ")
  }
}
