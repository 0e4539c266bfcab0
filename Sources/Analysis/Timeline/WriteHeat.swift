/// How often pages were written. Where a guest writes more pages than there is room for, neighbours share a cell.
public struct WriteHeat: Sendable {
  public struct Cell: Hashable, Sendable {
    /// Writes that took effect, as counted by the recorder.
    public var writes: UInt64 = 0
    /// Those of them made by a vCPU in integrity or privileged mode.
    public var elevated: UInt64 = 0
    /// Writes that trapped and were dropped.
    public var denied: UInt64 = 0
  }

  /// Pages of a cell, as a power of two.
  public private(set) var shift: UInt64 = 0
  /// By frame number of its first page, shifted.
  public private(set) var cells: [UInt64: Cell] = [:]
  private let limit: Int
  /// Writes to a page follow each other: the last one's cell, not yet in the table.
  private var last: (key: UInt64, cell: Cell)?

  init(limit: Int) { self.limit = limit }

  mutating func add(gpa: UInt64, writes: UInt64, isElevated: Bool) {
    update(gpa) {
      $0.writes = $0.writes.addingWithoutWrap(writes)
      if isElevated { $0.elevated = $0.elevated.addingWithoutWrap(writes) }
    }
  }

  mutating func addDenied(gpa: UInt64) { update(gpa) { $0.denied += 1 } }

  mutating func finish() { flush() }

  private mutating func update(_ gpa: UInt64, _ body: (inout Cell) -> Void) {
    let key = gpa >> (12 + shift)
    if last?.key != key {
      flush()
      // Joined cells have other keys.
      last = (gpa >> (12 + shift), cells[gpa >> (12 + shift)] ?? Cell())
    }
    guard var current = last else { return }
    body(&current.cell)
    last = current
  }

  private mutating func flush() {
    guard let current = last else { return }
    cells[current.key] = current.cell
    last = nil
    while cells.count > limit { join() }
  }

  private mutating func join() {
    while cells.count > limit / 2, shift < 52 {
      shift += 1
      var joined: [UInt64: Cell] = [:]
      for (key, cell) in cells {
        let sum = joined[key >> 1] ?? Cell()
        joined[key >> 1] = Cell(
          writes: sum.writes.addingWithoutWrap(cell.writes), elevated: sum.elevated.addingWithoutWrap(cell.elevated), denied: sum.denied + cell.denied)
      }
      cells = joined
    }
  }
}

extension UInt64 {
  /// Counts come from a stranger's trace: they stop at the largest number.
  fileprivate func addingWithoutWrap(_ other: UInt64) -> UInt64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
