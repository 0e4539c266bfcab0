import HappensBefore
import Testing
import TestSeeds

/// Clocks against sets: what is in a thread's past is kept as the set of accesses itself.
struct ClocksTests {
  /// A set of small numbers.
  struct Past {
    var words: [UInt64] = []

    func contains(_ number: Int) -> Bool { number >> 6 < words.count && words[number >> 6] >> UInt64(number & 63) & 1 == 1 }

    mutating func insert(_ number: Int) {
      while words.count <= number >> 6 { words.append(0) }
      words[number >> 6] |= 1 << UInt64(number & 63)
    }

    mutating func formUnion(_ other: Past) {
      while words.count < other.words.count { words.append(0) }
      for index in other.words.indices { words[index] |= other.words[index] }
    }
  }

  struct Run {
    var threads: Int
    var steps: Int
    var salt: UInt64
    var firstTime: UInt32 = 1
  }

  /// Random accesses, snapshots, joins of snapshots, deliveries; after each step, some questions. Returns how often clocks and sets differed, by
  /// what was wrong.
  private func compare(_ run: Run) -> (invented: Int, lost: Int, leaked: Int) {
    var random = Seed(salt: run.salt)
    var clocks = Clocks(firstTime: run.firstTime)
    var pasts: [Past] = []
    for _ in 0..<run.threads {
      _ = clocks.addThread()
      pasts.append(Past())
    }
    var snapshots: [(clock: Clocks.Snapshot, past: Past)] = []
    var accesses: [Clocks.Epoch] = []
    var (invented, lost) = (0, 0)
    for _ in 0..<run.steps {
      let thread = random.below(run.threads)
      let number = Int32(thread)
      switch random.below(10) {
      case 0..<3:
        accesses.append(clocks.epoch(of: number))
        pasts[thread].insert(accesses.count - 1)
      case 3: snapshots.append((clocks.broadcast(of: number), pasts[thread]))
      case 4..<6: snapshots.append((clocks.snapshot(of: number), pasts[thread]))
      case 6 where snapshots.count > 1:
        let (into, from) = (random.below(snapshots.count), random.below(snapshots.count))
        let other = snapshots[from]
        clocks.join(other.clock, into: &snapshots[into].clock)
        snapshots[into].past.formUnion(other.past)
      case 7 where snapshots.count > 8: clocks.release(snapshots.remove(at: random.below(snapshots.count)).clock)
      case 6..<10 where !snapshots.isEmpty:
        let snapshot = snapshots[max(0, snapshots.count - 1 - random.below(12))]
        clocks.receive(snapshot.clock, in: number)
        pasts[thread].formUnion(snapshot.past)
      default: break
      }
      guard !accesses.isEmpty else { continue }
      for _ in 0..<4 {
        let (asked, access) = (random.below(run.threads), max(0, accesses.count - 1 - random.below(3 * run.threads)))
        let known = pasts[asked].contains(access)
        if clocks.isOrdered(accesses[access], before: Int32(asked)) != known {
          if known { invented += 1 } else { lost += 1 }
        }
        if random.below(8) == 0, Self.isKnown(accesses[access], to: Int32(asked), clocks, run.threads) != known {
          if known { invented += 1 } else { lost += 1 }
        }
        guard let snapshot = snapshots.last else { continue }
        let held = snapshot.past.contains(access)
        if clocks.isOrdered(accesses[access], before: snapshot.clock) != held {
          if held { invented += 1 } else { lost += 1 }
        }
      }
    }
    for snapshot in snapshots { clocks.release(snapshot.clock) }
    // What is left is the threads' own: at most one tree each.
    var (tree, width) = (0, run.threads)
    repeat {
      width = (width + 31) / 32
      tree += width
    } while width > 1
    let leaked = max(0, clocks.nodeCount - run.threads * tree)
    return (invented, lost, leaked)
  }

  /// The same question, asked of the times written down.
  private static func isKnown(_ access: Clocks.Epoch, to thread: Int32, _ clocks: borrowing Clocks, _ threads: Int) -> Bool {
    var times = [UInt32](repeating: 7, count: threads)
    unsafe times.withUnsafeMutableBufferPointer { times in unsafe clocks.copyTimes(knownTo: thread, into: times) }
    return times[Int(access.thread)] >= access.time
  }

  @Test(arguments: [1, 2, 3, 8, 31, 32, 33, 40, 100, 1023, 1025, 1100])
  func clocksKnowExactlyThePast(_ threads: Int) {
    for round in 0..<(threads < 50 ? 20 : 2) {
      let result = compare(Run(threads: threads, steps: 600 + 3 * threads, salt: UInt64(threads * 1000 + round)))
      #expect(result == (0, 0, 0), "PAGETAPE_SEED=\(Seed.run), round \(round)")
    }
  }

  /// A body spans a power of 32 threads; of those beyond it nothing is known.
  @Test func timesBeyondWhatABodySpansAreUnknown() {
    var clocks = Clocks()
    for _ in 0..<2100 { _ = clocks.addThread() }
    for (sender, receiver, span) in [(Int32(3), Int32(0), 32), (Int32(40), Int32(1), 1024), (Int32(1023), Int32(2), 1024)] {
      _ = clocks.epoch(of: sender)
      let told = clocks.snapshot(of: sender)
      clocks.receive(told, in: receiver)
      clocks.release(told)
      var times = [UInt32](repeating: 7, count: 2100)
      unsafe times.withUnsafeMutableBufferPointer { unsafe clocks.copyTimes(knownTo: receiver, into: $0) }
      #expect(times.indices.filter { times[$0] != 0 } == [Int(receiver), Int(sender)], "a body of \(span)")
    }
  }

  /// Where times end, races may be lost, never invented.
  @Test(arguments: [2, 5, 40])
  func theGreatestTimeInventsNothing(_ threads: Int) {
    var lost = 0
    for round in 0..<30 {
      let run = Run(threads: threads, steps: 800, salt: UInt64(77_000 + threads * 100 + round), firstTime: .max - UInt32(round))
      let result = compare(run)
      #expect(result.invented == 0, "PAGETAPE_SEED=\(Seed.run), round \(round)")
      lost += result.lost
    }
    #expect(lost > 0, "the times did not end: this tests nothing")
  }
}
