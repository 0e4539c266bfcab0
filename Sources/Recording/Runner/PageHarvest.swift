/// The distinct pages of one harvest, in the order of their first write, each with the number of entries that named it.
@safe struct PageHarvest: ~Copyable {
  private(set) var pages: [UInt32] = []
  private(set) var counts: [UInt32] = []
  /// Position of each page in `pages`, plus 1; 0 where it is not there. Pages of RAM first, then those of the region.
  private let positions: UnsafeMutablePointer<UInt32>
  private let pageCount: Int

  init(pageCount: Int) {
    self.pageCount = pageCount
    unsafe positions = .allocate(capacity: pageCount)
    // SAFETY: just allocated, of that size.
    unsafe positions.initialize(repeating: 0, count: pageCount)
    pages.reserveCapacity(256)
    counts.reserveCapacity(256)
  }

  deinit { unsafe positions.deallocate() }

  var count: Int { pages.count }
  /// Writes noted since the last `removeAll`.
  private(set) var total = 0

  /// Notes a write to a page; pages that are none are ignored.
  @inline(__always) mutating func add(_ page: Int) {
    guard page >= 0, page < pageCount else { return }
    total += 1
    // SAFETY: just checked.
    let position = unsafe Int(positions[page])
    if position > 0 {
      counts[position - 1] &+= 1
    } else {
      pages.append(UInt32(page))
      counts.append(1)
      unsafe positions[page] = UInt32(pages.count)
    }
  }

  mutating func removeAll() {
    for page in pages {
      // SAFETY: only checked pages are in the list.
      unsafe positions[Int(page)] = 0
    }
    total = 0
    pages.removeAll(keepingCapacity: true)
    counts.removeAll(keepingCapacity: true)
  }
}
