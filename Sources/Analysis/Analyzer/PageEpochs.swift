/// Who wrote each page last, and when, of the ordinary pages: eight bytes a page while one vCPU writes it, or each one after it knows of the one
/// before; a moment for each vCPU where several write a page in no order.
@safe struct PageEpochs: ~Copyable {
  struct Record: BitwiseCopyable {
    /// Of the owner's clock; for a shared page the number of its row of moments, for a watched one what `take` was told.
    var time: UInt32 = 0
    var owner = PageEpochs.nobody
    /// Of a shared page: who wrote it last.
    var last = PageEpochs.nobody
  }

  /// A vCPU that writes: when, and what it knows of the others.
  struct Writer {
    var vcpu: UInt16
    var time: UInt32
    var known: KnownTimes.Row
  }

  static let nobody: UInt16 = 0xffff
  /// Several vCPUs write the page in no order.
  static let shared: UInt16 = 0xfffe
  /// Accesses to the page are kept elsewhere.
  static let watched: UInt16 = 0xfffd

  private static let chunkShift: UInt64 = 12
  private static let chunkPages = 1 << 12
  /// 2^18 chunks of 2^12 pages: 4 TiB of guest memory.
  private static let topLimit: UInt64 = 1 << 18
  /// At most 128 MiB of records, whatever a trace says; and as much of rows.
  private static let chunkLimit = 1 << 12
  private static let rowBytes = 128 << 20

  private let vcpuCount: Int
  // SAFETY: pointers to `chunkPages` records each, allocated by `chunk` and freed by `removeAll`; as many as `topCount`.
  private var top: UnsafeMutablePointer<UnsafeMutablePointer<Record>?>
  private var topCount: UInt64 = 0
  private var chunks: [UInt64] = []
  private var rows: [UInt32] = []
  private var freeRows: [Int] = []
  /// Pages were too many, or too far up, to be kept.
  private(set) var isCut = false

  init(vcpuCount: Int) {
    self.vcpuCount = vcpuCount
    unsafe top = .allocate(capacity: 0)
  }

  deinit {
    for chunk in chunks { unsafe top[Int(chunk)]?.deallocate() }
    unsafe top.deallocate()
  }

  /// A write by a vCPU that knows of the page's last write, or made it. False where more must be looked at.
  @inline(__always)
  func passes(_ frame: UInt64, by writer: Writer) -> Bool {
    let chunk = frame >> Self.chunkShift
    // SAFETY: the chunk number is checked; a chunk has a record for each of its pages.
    guard chunk < topCount, let records = unsafe top[Int(truncatingIfNeeded: chunk)] else { return false }
    let record = unsafe records + Int(truncatingIfNeeded: frame & 0xfff)
    let (owner, last) = unsafe (record.pointee.owner, record.pointee.time)
    guard Int(owner) < vcpuCount, writer.known.knows(owner, last) else { return false }
    unsafe record.pointee = Record(time: writer.time, owner: writer.vcpu)
    return true
  }

  subscript(frame: UInt64) -> Record {
    get {
      let chunk = frame >> Self.chunkShift
      guard chunk < topCount, let records = unsafe top[Int(chunk)] else { return Record() }
      return unsafe records[Int(frame & 0xfff)]
    }
    set {
      guard let records = unsafe chunk(of: frame) else {
        isCut = true
        return
      }
      unsafe records[Int(frame & 0xfff)] = newValue
    }
  }

  private mutating func chunk(of frame: UInt64) -> UnsafeMutablePointer<Record>? {
    let number = frame >> Self.chunkShift
    guard number < Self.topLimit else { return nil }
    if number >= topCount { growTop(toHold: number) }
    if let records = unsafe top[Int(number)] { return unsafe records }
    guard chunks.count < Self.chunkLimit else { return nil }
    let records = UnsafeMutablePointer<Record>.allocate(capacity: Self.chunkPages)
    unsafe records.initialize(repeating: Record(), count: Self.chunkPages)
    unsafe top[Int(number)] = unsafe records
    chunks.append(number)
    return unsafe records
  }

  private mutating func growTop(toHold number: UInt64) {
    let count = min(max(number + 1, topCount * 2), Self.topLimit)
    let larger = UnsafeMutablePointer<UnsafeMutablePointer<Record>?>.allocate(capacity: Int(count))
    // SAFETY: the first `topCount` are initialised and fit.
    unsafe larger.initialize(from: top, count: Int(topCount))
    unsafe (larger + Int(topCount)).initialize(repeating: nil, count: Int(count - topCount))
    unsafe top.deallocate()
    unsafe top = larger
    topCount = count
  }

  // MARK: Shared pages

  /// From here on the page has a moment for each vCPU.
  mutating func share(_ frame: UInt64) {
    let record = self[frame]
    guard let row = makeRow() else {
      isCut = true
      return
    }
    if record.owner < vcpuCount { rows[row * vcpuCount + Int(record.owner)] = record.time }
    self[frame] = Record(time: UInt32(row), owner: Self.shared, last: record.owner)
  }

  private mutating func makeRow() -> Int? {
    if let row = freeRows.popLast() { return row }
    guard (rows.count + vcpuCount) * 4 <= Self.rowBytes else { return nil }
    rows += repeatElement(0, count: vcpuCount)
    return rows.count / vcpuCount - 1
  }

  /// A write to a shared page. One that comes after all others makes the page its vCPU's alone; that is looked for where it comes after the last one.
  mutating func note(_ frame: UInt64, by writer: Writer) {
    let record = self[frame]
    let row = Int(record.time) * vcpuCount
    if record.last != writer.vcpu {
      if Int(record.last) < vcpuCount, writer.known.knows(record.last, rows[row + Int(record.last)]), isAll(inRow: row, knownTo: writer) {
        for index in row..<row + vcpuCount { rows[index] = 0 }
        freeRows.append(Int(record.time))
        self[frame] = Record(time: writer.time, owner: writer.vcpu)
        return
      }
      self[frame].last = writer.vcpu
    }
    rows[row + Int(writer.vcpu)] = writer.time
  }

  private func isAll(inRow row: Int, knownTo writer: Writer) -> Bool {
    (0..<vcpuCount).allSatisfy { writer.known.knows(UInt16(truncatingIfNeeded: $0), rows[row + $0]) }
  }

  /// The last writes of the page, one a vCPU; they are kept elsewhere from here on: at `index`.
  mutating func take(_ frame: UInt64, for index: UInt32) -> [(vcpu: Int, time: UInt32)] {
    let record = self[frame]
    var writes: [(vcpu: Int, time: UInt32)] = []
    if record.owner == Self.shared {
      let start = Int(record.time) * vcpuCount
      for vcpu in 0..<vcpuCount where rows[start + vcpu] != 0 {
        writes.append((vcpu, rows[start + vcpu]))
        rows[start + vcpu] = 0
      }
      freeRows.append(Int(record.time))
    } else if record.owner < vcpuCount {
      writes.append((Int(record.owner), record.time))
    }
    self[frame] = Record(time: index, owner: Self.watched)
    return writes
  }

  mutating func removeAll() {
    for chunk in chunks {
      unsafe top[Int(chunk)]?.deallocate()
      unsafe top[Int(chunk)] = nil
    }
    chunks.removeAll()
    rows.removeAll()
    freeRows.removeAll()
  }
}
