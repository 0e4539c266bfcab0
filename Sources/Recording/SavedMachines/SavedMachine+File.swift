import CZstd

/// The file: 7 bytes "ptstate", a version, the length of what follows once unpacked (8 bytes), and a zstd frame with a checksum. All numbers are
/// little-endian; strings and lists have their length, 8 bytes, before them.
extension SavedMachine {
  static let magic: [UInt8] = Array("ptstate".utf8)
  static let version: UInt8 = 2
  private static let headerSize = 16
  private static let pageSize: UInt64 = 4096
  private static let leastMemory: UInt64 = 4 << 20
  /// Guest memory lies below the special region.
  private static let mostMemory: UInt64 = 0x7000_0000
  /// Everything else is small.
  private static let sizeLimit = mostMemory + (16 << 20)
  private static let vcpuLimit = 64
  private static let nameLimit = 4096
  private static let digits = Set("0123456789abcdef".utf8)
  private static let compressionLevel: Int32 = 3

  public func fileBytes() -> [UInt8] { Self.fileBytes(body: body()) }

  /// A file of this body, whatever is in it.
  package static func fileBytes(body: [UInt8]) -> [UInt8] { magic + [version] + StateWriter.word(UInt64(body.count)) + pack(body) }

  /// What the file holds, not packed.
  package func body() -> [UInt8] {
    var body = StateWriter()
    body.put(Array(name.utf8))
    body.put(Array(digest.utf8))
    body.put(isEmulated ? 1 : 0)
    body.put(ramBytes)
    body.put(vcpus.count)
    for vcpu in vcpus { body.put(vcpu) }
    body.put(interrupts)
    body.put(devices)
    body.put(memory.count)
    for piece in memory {
      body.put(piece.gpa)
      body.put(piece.bytes)
    }
    return body.bytes
  }

  private static func pack(_ bytes: [UInt8]) -> [UInt8] {
    let room = ZSTD_compressBound(bytes.count)
    // SAFETY: the context is ours, and the library is told how long both buffers are.
    return unsafe Array(unsafeUninitializedCapacity: room) { buffer, filled in
      let context = unsafe ZSTD_createCCtx()
      defer { unsafe ZSTD_freeCCtx(context) }
      unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, compressionLevel)
      unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
      let count = unsafe bytes.withUnsafeBytes { unsafe ZSTD_compress2(context, buffer.baseAddress, buffer.count, $0.baseAddress, $0.count) }
      precondition(ZSTD_isError(count) == 0, "packing into enough room fails only where there is no memory")
      filled = count
    }
  }

  public init(fileBytes bytes: [UInt8]) throws(SavedMachineError) {
    guard bytes.count >= Self.headerSize, bytes.starts(with: Self.magic) else { throw .notAMachine }
    guard bytes[7] == Self.version else { throw .version(bytes[7]) }
    let size = (0..<8).reduce(0 as UInt64) { $0 | UInt64(bytes[8 + $1]) << UInt64(8 * $1) }
    guard size <= Self.sizeLimit else { throw .damaged("it says that it has \(size) bytes") }
    var reader = StateReader(try Self.unpack(bytes[Self.headerSize...], size: Int(size)))
    let name = try reader.text()
    let digest = try reader.text()
    guard (1...Self.nameLimit).contains(name.utf8.count), name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f }) else {
      throw .damaged("a guest's name of \(name.utf8.count) bytes; expected 1 to \(Self.nameLimit) that can be shown")
    }
    guard digest.utf8.count == 64, digest.utf8.allSatisfy({ Self.digits.contains($0) }) else {
      throw .damaged("a digest of \(digest.utf8.count) bytes; expected 64 hexadecimal digits")
    }
    let kind = try reader.number()
    guard kind <= 1 else { throw .damaged("a host of kind \(kind); expected 0 or 1") }
    let ramBytes = try reader.number()
    guard ramBytes >= Self.leastMemory, ramBytes % Self.pageSize == 0, ramBytes <= Self.mostMemory else {
      throw .damaged("guest memory of \(ramBytes) bytes; expected whole pages, \(Self.leastMemory) to \(Self.mostMemory)")
    }
    let vcpuCount = try reader.count(each: 8)
    guard (1...Self.vcpuLimit).contains(vcpuCount) else { throw .damaged("\(vcpuCount) vCPUs; expected 1 to \(Self.vcpuLimit)") }
    var vcpus: [[[UInt8]]] = []
    for _ in 0..<vcpuCount { vcpus.append(try reader.list()) }
    let interrupts = try reader.list()
    let devices = try reader.bytes()
    var memory: [Memory] = []
    var end: UInt64 = 0
    for _ in 0..<(try reader.count(each: 16 + Int(Self.pageSize))) {
      let gpa = try reader.number()
      let piece = try reader.bytes()
      guard !piece.isEmpty, gpa % Self.pageSize == 0, UInt64(piece.count) % Self.pageSize == 0 else {
        throw .damaged("\(piece.count) bytes of memory at \(gpa); expected whole pages")
      }
      guard gpa >= end, gpa <= ramBytes, UInt64(piece.count) <= ramBytes - gpa else { throw .damaged("memory at \(gpa) is out of order or out of bounds") }
      end = gpa + UInt64(piece.count)
      memory.append(Memory(gpa: gpa, bytes: piece))
    }
    guard reader.isAtEnd else { throw .damaged("more is there than it says") }
    self.init(
      name: name, digest: digest, isEmulated: kind == 1, ramBytes: ramBytes, memory: memory, vcpus: vcpus, interrupts: interrupts, devices: devices)
  }

  private static func unpack(_ bytes: ArraySlice<UInt8>, size: Int) throws(SavedMachineError) -> [UInt8] {
    // SAFETY: the library is told how long the bytes are (here and below).
    let told = unsafe bytes.withUnsafeBytes { unsafe ZSTD_getFrameContentSize($0.baseAddress, $0.count) }
    guard told == UInt64(size) else { throw .damaged("its length is not what its frame says") }
    let end = unsafe bytes.withUnsafeBytes { unsafe ZSTD_findFrameCompressedSize($0.baseAddress, $0.count) }
    guard ZSTD_isError(end) != 0 || end == bytes.count else { throw .damaged("\(bytes.count - end) bytes follow that are not part of it") }
    var count = 0
    let out = unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
      count = unsafe bytes.withUnsafeBytes { unsafe ZSTD_decompress(buffer.baseAddress, buffer.count, $0.baseAddress, $0.count) }
      filled = ZSTD_isError(count) == 0 ? count : 0
    }
    guard ZSTD_isError(count) == 0, count == size else { throw .damaged("its checksum is wrong, or it was cut off") }
    return out
  }
}

/// Puts numbers and bytes one after the other.
struct StateWriter {
  private(set) var bytes: [UInt8] = []

  static func word(_ value: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) } }

  mutating func put(_ value: UInt64) { bytes += Self.word(value) }
  mutating func put(_ value: Int) { put(UInt64(value)) }

  mutating func put(_ value: [UInt8]) {
    put(value.count)
    bytes += value
  }

  mutating func put(_ list: [[UInt8]]) {
    put(list.count)
    for item in list { put(item) }
  }
}

/// Takes them back, and trusts none.
struct StateReader {
  private static let partLimit = 64
  private let all: [UInt8]
  private var at = 0

  init(_ bytes: [UInt8]) { all = bytes }

  var isAtEnd: Bool { at == all.count }

  mutating func number() throws(SavedMachineError) -> UInt64 {
    guard all.count - at >= 8 else { throw .damaged("it ends too early") }
    defer { at += 8 }
    return (0..<8).reduce(0) { $0 | UInt64(all[at + $1]) << UInt64(8 * $1) }
  }

  /// How many things follow that take so many bytes each, at least.
  mutating func count(each size: Int) throws(SavedMachineError) -> Int {
    let count = try number()
    guard count <= UInt64((all.count - at) / size) else { throw .damaged("a list of \(count) is longer than what is left") }
    return Int(count)
  }

  mutating func bytes() throws(SavedMachineError) -> [UInt8] {
    let count = try count(each: 1)
    defer { at += count }
    return Array(all[at..<at + count])
  }

  mutating func text() throws(SavedMachineError) -> String {
    guard let text = String(validating: try bytes(), as: UTF8.self) else { throw .damaged("a text that is not UTF-8") }
    return text
  }

  /// The parts of something: a handful.
  mutating func list() throws(SavedMachineError) -> [[UInt8]] {
    let count = try count(each: 8)
    guard count <= Self.partLimit else { throw .damaged("\(count) parts; expected \(Self.partLimit) at most") }
    var out: [[UInt8]] = []
    for _ in 0..<count { out.append(try bytes()) }
    return out
  }
}
