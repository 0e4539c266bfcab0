import Analyzer
import Testing
import TraceEvents
import TreeFormat

/// For every rule of `tree/`: a sequence that breaks it and nothing else, and one that comes as close as it can without.
@Suite struct TreeRulesTests {
  typealias S = TreeScenario

  @Test func `the machine as built breaks nothing`() {
    #expect(S().broken() == [])
  }

  // MARK: Writes

  @Test func `a write that a mapping forbids takes effect`() {
    var s = S()
    s.write(1, S.noticed + 8, 7, .applied, alert: .notify, .mapping)
    #expect(s.broken() == ["tree/protected-write"])
    let finding = s.finding(.treeProtectedWrite)
    #expect(finding?.vcpu == 1)
    #expect(finding?.gpa == S.noticed + 8)
    #expect(finding?.because.count == 2)
  }

  @Test func `a write beside the protected bytes is nobody's business`() {
    var s = S()
    s.write(1, S.ranged + 504, 7, .applied)
    s.write(1, S.ranged + 1024, 7, .applied)
    #expect(s.broken() == [])
    s.write(1, S.ranged + 505, 7, .applied, alert: .notify, .mapping)
    #expect(s.broken() == ["alert/wrong-action", "tree/protected-write"])
  }

  @Test func `the driver writes what it protects`() {
    var s = S()
    s.enterIntegrity(0) { $0.driverWrite(0, S.denied, 7) }
    #expect(s.broken() == [])
  }

  @Test func `a write to a node takes effect`() {
    var s = S()
    // The node's own entry 3, which is past its count: nothing else changes.
    let node = TreeNode(level: 0, action: 0, lowGFN: 0, endGFN: 1 << 36, body: .leaf([]))
    s.enterIntegrity(0) { s in
      s.put(node, at: S.spare)
      s.protect(0, S.spare)
      s.driverWrite(0, S.base + 72, S.spare)
      s.unprotect(0, S.leaf)
      s.unprotect(0, S.denied, pages: 3)
    }
    #expect(s.broken() == [])
    s.write(1, S.spare + 4000, 7, .applied, alert: .notify, .node)
    #expect(s.broken() == ["tree/node-write"])
  }

  @Test func `a denied write to a node, and a write to what was one`() {
    var s = S()
    s.write(1, S.leaf + 4000, 7, .dropped, alert: .deny, .node)
    #expect(s.broken() == [])
    s.enterIntegrity(0) { s in
      s.put(TreeNode(level: 0, action: 1, lowGFN: 0, endGFN: 1 << 36, body: .leaf([])), at: S.spare)
      s.protect(0, S.spare)
      s.driverWrite(0, S.base + 72, S.spare)
      s.unprotect(0, S.leaf)
      s.unprotect(0, S.denied, pages: 3)
    }
    s.pageWrite(1, S.leaf + 64, [9, 9])
    s.pageWrite(1, S.denied)
    #expect(s.broken() == [])
  }

  @Test func `a traced page is written past its trace`() {
    var s = S()
    s.kick(1)
    s.pageWrite(1, S.denied)
    #expect(s.broken() == ["tree/protected-write"])
    s = S()
    s.pageWrite(1, S.ranged + 600, [5])
    // Its vCPU has been in the guest since before the tree was.
    #expect(s.broken() == [])
    s.kick(0)
    s.kick(1)
    s.pageWrite(1, S.ranged + 600, [6])
    #expect(s.broken() == ["tree/protected-write"])
  }

  @Test func `a page-write may be older than the mapping`() {
    var s = S()
    s.enterIntegrity(0) { s in
      s.protect(0, S.free)
      s.publish(0, S.free, index: 3)
      // vCPU 1 has been in the guest since before the link.
      s.pageWrite(1, S.free)
    }
    #expect(s.broken() == [])
    s.pageWrite(1, S.free)
    #expect(s.broken() == ["tree/protected-write"])
  }

  @Test func `bytes in a diff may be another vCPU's`() {
    var s = S()
    s.enterIntegrity(0) { s in
      s.kick(1)
      s.pageWrite(1, S.ranged + 600, [5])
    }
    #expect(s.broken() == [])
  }

  @Test func `with one writer logged, only what holds for every vCPU is told`() {
    var s = S()
    s.attribution = .firstWriter
    s.enterIntegrity(0) { s in
      s.kick(1)
      s.pageWrite(1, S.denied)
    }
    #expect(s.broken() == [])
    s.kick(1)
    s.pageWrite(1, S.denied)
    #expect(s.broken() == ["tree/protected-write"])
  }

  // MARK: Traced in time

  @Test func `a node is linked without a trace`() {
    var s = S()
    s.enterIntegrity(0) { s in
      s.put(TreeNode(level: 0, action: 1, lowGFN: 0, endGFN: 1 << 36, body: .leaf([])), at: S.spare)
      s.protect(0, S.spare, installs: false)
      s.driverWrite(0, S.base + 72, S.spare)
    }
    #expect(s.broken() == ["tree/untraced-node"])
    let finding = s.finding(.treeUntracedNode)
    #expect(finding?.gpa == S.spare)
    #expect(finding?.because.map(\.what).contains { $0.contains("no trace was installed") } == true)
    #expect(finding.map { f in f.because.map(\.seq) == f.because.map(\.seq).sorted() && f.because.allSatisfy { $0.seq < f.seq } } == true)
  }

  @Test func `a mapping is published without a trace`() {
    var s = S()
    s.enterIntegrity(0) { s in
      s.publish(0, S.free, index: 3)
      s.protect(0, S.free)
    }
    #expect(s.broken() == ["tree/untraced-mapping"])
    #expect(s.finding(.treeUntracedMapping)?.gpa == S.free)
    s = S()
    s.enterIntegrity(0) { s in
      s.protect(0, S.free)
      s.publish(0, S.free, index: 3)
    }
    #expect(s.broken() == [])
  }

  @Test func `a trace that comes before the vCPU goes on is in time`() {
    var s = S()
    s.call(0, 5, rip: S.entry) { $0.add(.integrityEnter, 0, rip: S.entry, cause: $1) }
    s.driverWrite(0, S.leaf + 64 + 96, S.free >> 12)
    s.driverWrite(0, S.leaf + 64 + 96 + 16, 4096 << 16 | 1 << 32)
    s.driverWrite(0, S.leaf + 64 + 96 + 8, 1)
    s.driverWrite(0, S.leaf + 8, 4, count: 2)
    let last = s.events.removeLast()
    #expect(last.kind == .guestEnter)
    s.install(0, S.free, cause: 0)
    s.enter(0, rip: S.entry + 0x20)
    #expect(s.broken() == [])
  }

  @Test func `a trace is removed while the tree names the page`() {
    for (page, rule) in [(S.denied, "tree/untraced-mapping"), (S.leaf, "tree/untraced-node")] {
      var s = S()
      s.enterIntegrity(0) { $0.unprotect(0, page) }
      #expect(s.broken() == [rule])
    }
    var s = S()
    s.enterIntegrity(0) { s in
      s.driverWrite(0, mappingCount(S.leaf, 0), 0)
      s.unprotect(0, S.denied)
    }
    #expect(s.broken() == [])
  }

  @Test func `a write falls into the gap`() {
    var s = S()
    s.enterIntegrity(0) { s in
      s.unprotect(0, S.denied)
      s.kick(1)
      s.pageWrite(1, S.denied)
    }
    #expect(s.broken() == ["tree/gap-write", "tree/untraced-mapping"])
    #expect(s.finding(.treeGapWrite)?.also == [.treeProtectedWrite])
    // The same, but the writer has been in the guest since before the gap opened.
    s = S()
    s.enterIntegrity(0) { s in
      s.unprotect(0, S.denied)
      s.add(.pageWrite, 1, gpa: S.denied, a: 1)
    }
    #expect(!s.broken().contains("tree/gap-write"))
  }

  // MARK: Shape

  @Test func `one fault of shape each`() {
    let limit: UInt64 = 1 << 36
    let leaf = TreeNode(level: 0, action: 1, lowGFN: 0, endGFN: limit, body: .leaf([]))
    let faults: [(String, (inout S) -> Void)] = [
      ("child outside guest memory", { $0.driverWrite(0, S.base + 72, 0x10_0000_0000) }),
      ("cycle", { $0.driverWrite(0, S.base + 72, S.base) }),
      ("decode error", { $0.driverWrite(0, S.leaf + 4, 9, count: 2) }),
      ("level", { s in
        s.put(TreeNode(level: 1, action: 1, lowGFN: 0, endGFN: limit, body: .interior([])), at: S.spare)
        s.protect(0, S.spare)
        s.driverWrite(0, S.base + 72, S.spare)
      }),
      ("cover", { s in
        s.put(TreeNode(level: 0, action: 1, lowGFN: 0, endGFN: limit + 1, body: .leaf([])), at: S.spare)
        s.protect(0, S.spare)
        s.driverWrite(0, S.base + 72, S.spare)
      }),
      ("no node at all", { s in
        s.protect(0, S.spare)
        s.driverWrite(0, S.base + 72, S.spare)
      }),
      ("shared page", { s in
        s.put(leaf, at: S.spare)
        s.driverWrite(0, S.base + 80, 1 << 35)
        s.driverWrite(0, S.base + 88, S.leaf)
        s.driverWrite(0, S.base + 8, 2, count: 2)
      }),
    ]
    for (name, fault) in faults {
      var s = S()
      s.enterIntegrity(0, body: fault)
      #expect(s.broken() == ["tree/malformed"], "\(name)")
    }
  }

  @Test func `copies that replace what they copy are trees at every moment`() {
    var s = S()
    s.enterIntegrity(0) { s in
      s.memory[S.spare >> 12] = s.memory[S.leaf >> 12]
      s.protect(0, S.spare)
      s.driverWrite(0, S.base + 72, S.spare)
      s.unprotect(0, S.leaf)
    }
    #expect(s.broken() == [])
    s.write(1, S.denied, 7, .dropped, alert: .deny, .mapping)
    s.write(1, S.spare, 7, .dropped, alert: .deny, .node)
    #expect(s.broken() == [])
  }

  @Test func `the base pointer`() {
    var s = S(bare: 1)
    s.register()
    s.buildTree()
    s.setBase(S.denied)
    s.lock()
    #expect(s.broken() == ["tree/base-pointer"])
    s = S(bare: 1)
    s.register()
    s.buildTree()
    s.setBase(0x40_0000_0000)
    s.lock()
    #expect(s.broken() == ["tree/base-pointer"])
    s = S(bare: 1)
    s.register()
    s.buildTree()
    s.setBase(S.base)
    s.setBase(S.base)
    s.lock()
    #expect(s.finding(.integrityRegistration)?.also == [.treeBasePointer])
  }

  // MARK: Traced for nothing

  @Test func `a page is traced for nothing`() {
    var s = S()
    s.enterIntegrity(0) { $0.protect(0, S.free) }
    #expect(s.broken() == ["tree/over-trace"])
    #expect(s.verdict().outcome == .clean)
    // Not while another vCPU is still in integrity mode.
    s = S()
    s.enterIntegrity(1) { s in
      s.enterIntegrity(0) { $0.protect(0, S.free) }
      s.publish(1, S.free, index: 3)
    }
    #expect(s.broken() == [])
  }

  @Test func `a page stays traced after its mapping went`() {
    var s = S()
    s.enterIntegrity(0) { $0.driverWrite(0, mappingCount(S.leaf, 0), 0) }
    #expect(s.broken() == ["tree/over-trace"])
    #expect(s.finding(.treeOverTrace)?.gpa == S.denied)
  }

  // MARK: Holes

  @Test func `nothing is claimed across a hole`() {
    var s = S()
    s.enterIntegrity(0) { s in
      s.add(.eventsLost, Event.host, a: 5, b: LossCause.recorderOverflow.rawValue)
      s.publish(0, S.free, index: 3)
      s.unprotect(0, S.denied)
    }
    s.write(1, S.denied, 7, .applied)
    s.write(1, S.noticed, 7, .dropped, alert: .deny, .mapping)
    s.pageWrite(1, S.leaf)
    #expect(s.broken() == [])
  }
}
