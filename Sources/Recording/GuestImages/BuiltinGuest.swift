import Digests
import GuestPrograms

/// A guest that comes with the package, assembled when the package is built.
public struct BuiltinGuest: Sendable {
  public let name: String
  /// One line.
  public let description: String
  public let image: GuestImage
  /// The names of what is in its image and in its memory, by ascending address.
  public let names: [GuestName]

  /// All of them, in the order that a list shows them.
  public static let all: [BuiltinGuest] = (0..<pt_guest_program_count()).map { index in
    // SAFETY: the index is below the count.
    unsafe BuiltinGuest(program: pt_guest_program_at(index))
  }

  /// The handler for images that bring none.
  static let defaultHandler: [UInt8] = {
    let program = unsafe pt_default_handler()
    // SAFETY: the labels of one assembled stretch of bytes, static and constant.
    return unsafe bytes(from: program.region, to: program.region_end) ?? []
  }()

  public init?(name: String) {
    guard let found = Self.all.first(where: { $0.name == name }) else { return nil }
    self = found
  }

  private init(program: pt_guest_program) {
    // SAFETY: the strings are literals and the labels bound stretches of constant bytes; both live as long as the process.
    name = unsafe String(cString: program.name)
    description = unsafe String(cString: program.description)
    let bytes = unsafe Self.bytes(from: program.image, to: program.image_end) ?? []
    let region = unsafe Self.bytes(from: program.region, to: program.region_end)
    image = GuestImage(
      name: name, segments: [GuestImage.Segment(gpa: unsafe program.load_address, bytes: bytes)], region: region,
      entry: unsafe program.load_address, digest: SHA256.hexadecimal(bytes + (region ?? [])), memoryEnd: unsafe program.memory_end,
      needsTraps: unsafe program.needs_traps != 0)
    let own = unsafe Self.bytes(from: program.names, to: program.names_end) ?? []
    let ofRegion = unsafe Self.bytes(from: program.region_names, to: program.region_names_end) ?? []
    let end = image.entry + UInt64(bytes.count)
    names = (GuestName.all(own, imageEnd: end) + GuestName.all(ofRegion, imageEnd: GuestMap.regionBase + UInt64(image.region.count)))
      .sorted { ($0.address, $1.size) < ($1.address, $0.size) }
  }

  /// The bytes between two labels; nil where there is no such part.
  private static func bytes(from start: UnsafePointer<UInt8>?, to end: UnsafePointer<UInt8>?) -> [UInt8]? {
    guard let start = unsafe start, let end = unsafe end else { return nil }
    // SAFETY: both labels are in one section, in this order.
    return unsafe Array(UnsafeBufferPointer(start: start, count: end - start))
  }
}

extension BuiltinGuest {
  /// What to tell someone who typed a name that does not exist: the nearest names, else all of them.
  static func suggestion(for name: String) -> String {
    let names = all.map(\.name)
    let ranked = names.map { (name: $0, distance: editDistance(Array($0.utf8), Array(name.utf8))) }.sorted { $0.distance < $1.distance }
    let near = ranked.filter { $0.distance <= max(2, $0.name.utf8.count / 3) || $0.name.hasPrefix(name) }
    guard !near.isEmpty, !name.isEmpty else { return "the built-in guests are \(names.joined(separator: ", "))" }
    return "did you mean \(near.map(\.name).joined(separator: " or "))?"
  }

  /// Levenshtein's distance: insertions, deletions and replacements of a byte.
  static func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var row = Array(0...right.count)
    for (i, byte) in left.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, other) in right.enumerated() {
        let replaced = diagonal + (byte == other ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(replaced, row[j] + 1, diagonal + 1)
      }
    }
    return row[right.count]
  }
}
