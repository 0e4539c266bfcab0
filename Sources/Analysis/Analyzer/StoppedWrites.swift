/// Writes to protected memory that an alert's action stopped: who tried, and what.
///
/// They break no rule: protection held. Bounded: of instructions beyond the first `limit` the attempts are counted alone.
public struct StoppedWrites: Hashable, Sendable {
  /// What one instruction tried.
  public struct Attempts: Hashable, Sendable {
    public var rip: UInt64
    public var count: UInt64
    /// Of the first one: the write that trapped.
    public var seq: UInt64
    public var vcpu: UInt16
    public var gpa: UInt64
    /// What stopped the first one: an `AlertAction`; nil where it was dropped and no alert says why.
    public var action: UInt8?

    public init(rip: UInt64, count: UInt64, seq: UInt64, vcpu: UInt16, gpa: UInt64, action: UInt8?) {
      self.rip = rip
      self.count = count
      self.seq = seq
      self.vcpu = vcpu
      self.gpa = gpa
      self.action = action
    }
  }

  public static let limit = 4096

  /// Attempts of all instructions.
  public private(set) var count: UInt64 = 0
  /// By the order of the first attempts.
  public private(set) var byInstruction: [Attempts] = []
  private var indices: [UInt64: Int] = [:]

  init() {}

  /// Whether there are attempts by instructions that are not in the list.
  public var isCut: Bool { byInstruction.reduce(0) { $0 + $1.count } < count }

  /// Takes in what a vCPU's last exit called for, once all that came of it is known.
  mutating func note(_ item: Expectation) {
    guard item.subject == .write, item.isDenied, !item.landed else { return }
    count += 1
    if let index = indices[item.rip] {
      byInstruction[index].count += 1
    } else if byInstruction.count < Self.limit {
      indices[item.rip] = byInstruction.count
      let action = item.answer == nil ? nil : UInt8(exactly: item.action)
      byInstruction.append(Attempts(rip: item.rip, count: 1, seq: item.cause, vcpu: item.vcpu, gpa: item.gpa, action: action))
    }
  }
}
