import CZstd

/// The file: 7 bytes "ptstate", a version, the length of what follows once unpacked (8 bytes), and a zstd frame with a checksum. All numbers are
/// little-endian; strings and lists have their length, 8 bytes, before them.
extension SavedMachine {
  static let magic: [UInt8] = Array("ptstate".utf8)
  static let version: UInt8 = 2
  private static let headerSize = 16
  /// Guest memory lies below the special region; everything else is small.
  private static let sizeLimit: UInt64 = 0x7000_0000 + (16 << 20)
  private static let compressionLevel: Int32 = 3

  public func fileBytes() -> [UInt8] {
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
    return Self.magic + [Self.version] + StateWriter.word(UInt64(body.bytes.count)) + Self.pack(body.bytes)
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
    let name = String(decoding: try reader.bytes(), as: UTF8.self)
    let digest = String(decoding: try reader.bytes(), as: UTF8.self)
    let isEmulated = try reader.number() != 0
    let ramBytes = try reader.number()
    guard ramBytes > 0, ramBytes % 4096 == 0, ramBytes <= 0x7000_0000 else { throw .damaged("guest memory of \(ramBytes) bytes") }
    var vcpus: [[[UInt8]]] = []
    for _ in 0..<(try reader.count(each: 8)) { vcpus.append(try reader.list()) }
    let interrupts = try reader.list()
    let devices = try reader.bytes()
    var memory: [Memory] = []
    var end: UInt64 = 0
    for _ in 0..<(try reader.count(each: 16)) {
      let gpa = try reader.number()
      let piece = try reader.bytes()
      guard gpa >= end, gpa <= ramBytes, UInt64(piece.count) <= ramBytes - gpa else { throw .damaged("memory at \(gpa) is out of order or out of bounds") }
      end = gpa + UInt64(piece.count)
      memory.append(Memory(gpa: gpa, bytes: piece))
    }
    guard reader.isAtEnd, !vcpus.isEmpty else { throw .damaged("more or less is there than it says") }
    self.init(
      name: name, digest: digest, isEmulated: isEmulated, ramBytes: ramBytes, memory: memory, vcpus: vcpus, interrupts: interrupts, devices: devices)
  }

  private static func unpack(_ bytes: ArraySlice<UInt8>, size: Int) throws(SavedMachineError) -> [UInt8] {
    // SAFETY: the library is told how long the bytes are (here and below).
    let told = unsafe bytes.withUnsafeBytes { unsafe ZSTD_getFrameContentSize($0.baseAddress, $0.count) }
    guard told == UInt64(size) else { throw .damaged("its length is not what its frame says") }
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

  mutating func list() throws(SavedMachineError) -> [[UInt8]] {
    var out: [[UInt8]] = []
    for _ in 0..<(try count(each: 8)) { out.append(try bytes()) }
    return out
  }
}
