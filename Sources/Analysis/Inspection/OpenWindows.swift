/// The intervals of page-writes that a walk backwards is inside of, by vCPU: each from the page-write's event back to its vCPU's `guest-enter`.
struct OpenWindows: Sendable {
  /// Which record of a history an interval belongs to.
  enum Place: Hashable, Sendable {
    case kept(Int), later(Int)
  }

  private struct Window: Sendable {
    var places: [Place] = []
    /// By vCPU, how many of the places know of its writes.
    var told: [UInt16: Int] = [:]
  }

  private var windows: [UInt16: [UInt64: Window]] = [:]
  private var placeCount = 0

  /// Whether no record waits for the begin of its interval.
  var isEmpty: Bool { placeCount == 0 }

  var vcpus: [UInt16] { windows.keys.sorted() }

  mutating func add(_ vcpu: UInt16, page: UInt64, _ place: Place?) {
    windows[vcpu, default: [:]][page, default: Window()].places += place.map { [$0] } ?? []
    if place != nil { placeCount += 1 }
  }

  /// Other vCPUs that are inside an interval in which they wrote the page.
  func others(on page: UInt64, than vcpu: UInt16) -> [UInt16] { windows.filter { $0.key != vcpu && $0.value[page] != nil }.map(\.key) }

  /// The records of a vCPU's interval that are not yet told that `other` wrote the page in it, too.
  mutating func tell(_ vcpu: UInt16, of other: UInt16, on page: UInt64) -> ArraySlice<Place> {
    guard let window = windows[vcpu]?[page] else { return [] }
    windows[vcpu]?[page]?.told[other] = window.places.count
    return window.places[(window.told[other] ?? 0)...]
  }

  /// The vCPU enters the guest: the records whose intervals begin here.
  mutating func close(_ vcpu: UInt16) -> [Place] {
    let places = windows.removeValue(forKey: vcpu)?.values.flatMap(\.places) ?? []
    placeCount -= places.count
    return places
  }
}
