/// Where races are possible, by one pass over a trace: what `Races` looks at closely.
public struct RaceSuspects: Sendable {
  /// Two events that came in this order though nothing ordered them.
  public struct Order: Hashable, Sendable {
    /// The exit from the guest that an ack of a stop signal follows, and the ack.
    public var early: UInt64
    public var ack: UInt64
    /// The map that did not wait for it.
    public var late: UInt64
    /// Whose ack.
    public var vcpu: UInt16
  }

  /// By frame number: the event from which on all accesses to the page are of interest, be nobody elevated, as it is a node's, the driver's, or of the
  /// region; `.max` where that is never.
  public private(set) var pages: [UInt64: UInt64] = [:]
  public private(set) var orders: [Order] = []
  /// There was more to look at than is kept: not finding a race says less.
  public internal(set) var isCut = false

  private static let pageLimit = 4096
  private static let orderLimit = 64

  public var isEmpty: Bool { pages.isEmpty && orders.isEmpty }

  /// Whether nothing new can be said of the page.
  func isSettled(_ frame: UInt64) -> Bool { !pages.isEmpty && pages[frame, default: .max] != .max }

  /// `since` is the event at hand where the page is special then.
  mutating func add(_ frame: UInt64, specialSince since: UInt64) {
    if pages[frame] == nil, pages.count >= Self.pageLimit {
      isCut = true
    } else {
      pages[frame] = min(since, pages[frame] ?? .max)
    }
  }

  mutating func add(_ order: Order) {
    if orders.count < Self.orderLimit { orders.append(order) } else { isCut = true }
  }
}

extension RaceSuspects: CustomStringConvertible {
  public var description: String {
    let frames = pages.keys.sorted().map { "0x" + String($0, radix: 16) + (pages[$0].map { $0 == .max ? "" : "!\($0)" } ?? "") }
    return "pages \(frames), orders \(orders)\(isCut ? ", cut" : "")"
  }
}
