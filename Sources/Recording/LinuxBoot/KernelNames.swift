import GuestImages

/// The symbols that a kernel holds within itself, for its own messages (`CONFIG_KALLSYMS`): what a System.map would say, where a distribution ships none.
public struct KernelNames: Sendable {
  public struct Symbol: Hashable, Sendable {
    public var address: UInt64
    /// As nm(1) has it.
    public var type: Character
    public var name: String
  }

  /// By ascending address, each CPU's own data first: those have offsets, and the letter is `A`.
  public let symbols: [Symbol]

  /// A kernel has one table of tokens. What merely looks like one is rare, and a file that is full of it is made to waste time.
  private static let attemptLimit = 16

  /// Of a kernel that was unpacked.
  public init(_ kernel: KernelImage) throws(LinuxBootError) {
    var problem = KernelNameTables.Problem.noTokens
    var attempts = 0
    for segment in kernel.segments {
      // Whatever the bytes are, no more names are read than that.
      var budget = 4 * segment.bytes.count
      var at = 0
      while attempts < Self.attemptLimit, let index = KernelNameTables.nextIndex(segment.bytes, from: at) {
        at = index + KernelNameTables.alignment
        do throws(KernelNameTables.Problem) {
          symbols = try KernelNameTables(segment.bytes, at: segment.virtual, index: index, budget: &budget).symbols()
          return
        } catch {
          // Most indexes have no tokens: they are none.
          if error == .noTokens { continue }
          attempts += 1
          if problem == .noTokens { problem = error.moved(by: segment.gpa) }
        }
      }
    }
    throw LinuxBootError(.unsupported, problem.text)
  }
}

extension KernelNames.Symbol {
  /// A line of a System.map.
  public var line: String { "\(GuestName.padded(address)) \(type) \(name)" }
}
