import Glibc
import KVM
import TraceEvents
import TraceFile

/// Memory that a guest sees, with a copy of what the trace knows of it: the difference is what a `pageWrite` tells.
@safe final class ShadowedMemory: @unchecked Sendable {
  /// Where it is in guest-physical memory.
  let range: GuestRange
  let memory: GuestMemory
  /// Of one page, and unused, where nothing is recorded.
  private let shadow: GuestMemory
  private let recorded: Bool
  /// One lock for every 64th page: comparing, telling and bringing up to date is one step, so that the diffs of a page follow each other.
  private let stripes: [Lock]

  init(range: GuestRange, recorded: Bool, seam: KVMSeam) throws(KVMError) {
    let memory = try GuestMemory(size: Int(range.length), seam: seam)
    let shadow = try GuestMemory(size: recorded ? Int(range.length) : Int(guestPageSize), seam: seam)
    self.range = range
    self.memory = memory
    self.shadow = shadow
    self.recorded = recorded
    stripes = (0..<64).map { _ in Lock() }
  }

  var pageCount: Int { Int(range.length / guestPageSize) }

  /// What is there now; nil where that is not all inside.
  func read(gpa: UInt64, count: Int) -> [UInt8]? {
    guard gpa >= range.start else { return nil }
    return memory.read(at: gpa - range.start, count: count)
  }

  /// Stores what the trace tells of otherwise, or what it starts from: no diff will show it.
  @discardableResult func write(gpa: UInt64, _ bytes: [UInt8]) -> Bool {
    guard gpa >= range.start, memory.contains(gpa - range.start, bytes.count) else { return false }
    let offset = gpa - range.start
    let first = Int(offset / guestPageSize) % stripes.count
    let last = Int((offset + UInt64(max(bytes.count, 1)) - 1) / guestPageSize) % stripes.count
    // A store by the hypervisor lies in one page or two; the loader's longer ones happen before anybody else is there.
    let locks = first <= last ? [first, last] : [last, first]
    stripes[locks[0]].lock()
    if first != last { stripes[locks[1]].lock() }
    defer {
      if first != last { stripes[locks[1]].unlock() }
      stripes[locks[0]].unlock()
    }
    memory.write(bytes, at: offset)
    if recorded { shadow.write(bytes, at: offset) }
    return true
  }

  /// Tells what changed in a page since it was last told, as one event. `evenUnchanged` tells of a write that changed nothing, too.
  func recordWrite(
    page: Int, count: UInt64, vcpu: UInt16, to writer: TraceWriter, evenUnchanged: Bool, _ buffer: inout DiffBuffer
  ) {
    precondition(recorded && page >= 0 && page < pageCount, "a page of this memory")
    stripes[page % stripes.count].locked {
      // SAFETY: just checked.
      let changed = unsafe buffer.compare(guest: memory.base + page * 4096, shadow: shadow.base + page * 4096)
      guard changed || evenUnchanged else { return }
      unsafe writer.append(.pageWrite, vcpu: vcpu, gpa: range.start + UInt64(page) * guestPageSize, a: count, data: buffer.bytes)
    }
  }
}
