/// A file of which some parts are asked for, wherever it is: an image of a kernel with its debug information need not be in memory for its symbols.
public struct ELFInput {
  /// In bytes.
  public let size: UInt64
  private let read: (_ offset: UInt64, _ count: Int) throws(ELFError) -> [UInt8]

  /// `read` gives `count` bytes from `offset` on, which end within `size`, or fewer where the file has become shorter.
  public init(size: UInt64, read: @escaping (_ offset: UInt64, _ count: Int) throws(ELFError) -> [UInt8]) {
    self.size = size
    self.read = read
  }

  public init(_ bytes: [UInt8]) {
    self.init(size: UInt64(bytes.count)) { offset, count in Array(bytes[Int(offset)..<Int(offset) + count]) }
  }

  /// These bytes, or an error that says at `header`, the place that names them, what ends past the file.
  func bytes(at offset: UInt64, count: UInt64, _ what: @autoclosure () -> String, header: UInt64) throws(ELFError) -> [UInt8] {
    let (end, overflow) = offset.addingReportingOverflow(count)
    guard !overflow, end <= size else {
      throw ELFError(.truncated, offset: header, "\(what()) at 0x\(String(offset, radix: 16)) end past the file's \(size) bytes")
    }
    let bytes = try read(offset, Int(count))
    guard bytes.count == Int(count) else {
      throw ELFError(.truncated, offset: header, "\(what()) at 0x\(String(offset, radix: 16)) could not be read whole: the file has become shorter")
    }
    return bytes
  }
}

extension [UInt8] {
  /// A little-endian number of `count` bytes; the caller has checked that they are there.
  package func field(_ offset: Int, _ count: Int) -> UInt64 {
    var value: UInt64 = 0
    for index in 0..<count {
      value |= UInt64(self[offset + index]) << UInt64(8 * index)
    }
    return value
  }
}
