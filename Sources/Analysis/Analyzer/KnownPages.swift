internal import TraceEvents
internal import TreeFormat

/// The contents of the traced pages that hold a node: all that the tree can be read from.
///
/// A page comes in when a trace is put on it and its contents are shown; from then on each write to it traps, and nothing is missed. An
/// untraced page is another matter: what the dirty ring tells of it comes late, so that its contents at any one moment are not known.
struct KnownPages {
  /// 256 MiB of nodes: a tree over eight million mappings. What comes on top stays unknown.
  private static let limit = 1 << 16

  private var contents: [UInt64: [UInt8]] = [:]
  /// Every page that was ever kept: nearly all others are known for not kept without hashing.
  private var everKept = PageFilter()
  /// Traced pages that were shown and are no nodes: their contents are not kept.
  private var notNodes = RangeSet()

  init() {}

  func isKnown(_ frame: UInt64) -> Bool { everKept.isMarked(frame) && contents.index(forKey: frame) != nil }

  enum Decoded {
    case unknown
    case node(TreeNode)
    case error(TreeNodeError)
  }

  func decode(_ frame: UInt64) -> Decoded {
    guard let page = contents[frame] else {
      return notNodes.contains(frame) ? .error(TreeNodeError(.badMagic, at: 0)) : .unknown
    }
    do throws(TreeNodeError) {
      // SAFETY: bytes of bytes; the span ends with the call.
      return .node(try unsafe TreeNode(page: page.span.bytes))
    } catch {
      return .error(error)
    }
  }

  /// Puts in a whole page.
  mutating func set(_ frame: UInt64, to page: [UInt8]) {
    notNodes.remove(frame, frame + 1)
    guard contents[frame] != nil || contents.count < Self.limit else { return }
    contents[frame] = page
    everKept.mark(frame, frame + 1)
  }

  /// The page is traced, and is not a node.
  mutating func setNotNode(_ frame: UInt64) {
    contents[frame] = nil
    notNodes.insert(frame, frame + 1)
  }

  /// These pages are no longer traced.
  mutating func noteUntraced(_ low: UInt64, _ end: UInt64) {
    notNodes.remove(low, end)
    if end - low <= UInt64(contents.count) {
      for frame in low..<end { contents[frame] = nil }
    } else {
      contents = contents.filter { $0.key < low || $0.key >= end }
    }
  }

  /// A page that is not kept was written.
  mutating func noteWrite(_ frame: UInt64) { notNodes.remove(frame, frame + 1) }

  /// Stores bytes into a known page; says whether that changed anything.
  mutating func store(_ event: borrowing EventView, from first: Int, count: Int, at offset: Int, in frame: UInt64) -> Bool {
    guard let place = contents.index(forKey: frame), offset + count <= 4096, first + count <= event.dataCount else { return false }
    return Self.patch(&contents.values[place], event, first, count, offset)
  }

  private static func patch(_ page: inout [UInt8], _ event: borrowing EventView, _ first: Int, _ count: Int, _ offset: Int) -> Bool {
    var changed = false
    for index in 0..<count {
      let byte = event.byte(first + index)
      if page[offset + index] != byte {
        page[offset + index] = byte
        changed = true
      }
    }
    return changed
  }

  /// Applies an encoded `PageDiff` to a known page. What is not a diff makes the page unknown.
  mutating func apply(diff event: borrowing EventView, to frame: UInt64) -> Bool {
    var at = 0
    var floor = 0
    var changed = false
    while at < event.dataCount {
      guard let run = DiffRun(event, at: at), run.offset >= floor else {
        contents[frame] = nil
        return true
      }
      if store(event, from: run.first, count: run.count, at: run.offset, in: frame) { changed = true }
      at = run.first + run.count
      floor = run.offset + run.count
    }
    return changed
  }

  mutating func forget() {
    contents = [:]
    notNodes.removeAll()
  }
}

/// One run of a `PageDiff`, read in place: where in the page, and where in the event's data its bytes are.
struct DiffRun {
  var offset: Int
  var count: Int
  /// Index in the event's data of the first byte.
  var first: Int

  init?(_ event: borrowing EventView, at: Int) {
    guard event.dataCount - at >= 4 else { return nil }
    offset = Int(event.byte(at)) | Int(event.byte(at + 1)) << 8
    count = (Int(event.byte(at + 2)) | Int(event.byte(at + 3)) << 8) + 1
    first = at + 4
    guard offset + count <= 4096, event.dataCount - first >= count else { return nil }
  }
}

extension EventView {
  /// Whether the four bytes there are the magic of a node.
  func startsWithMagic(at index: Int) -> Bool {
    guard dataCount >= index + 4 else { return false }
    let value = UInt32(byte(index)) | UInt32(byte(index + 1)) << 8 | UInt32(byte(index + 2)) << 16 | UInt32(byte(index + 3)) << 24
    return value == TreeLayout.magic
  }
}
