public import Analyzer

extension Rule {
  /// What holds while the rule is kept, in one sentence.
  public var statement: String {
    switch self {
    case .treeProtectedWrite: "No write by a vCPU outside integrity mode touches bytes that a leaf mapping protects."
    case .treeNodeWrite: "No write by a vCPU outside integrity mode touches a page that stores a node."
    case .treeUntracedNode: "From the first operation after it is linked, every reachable node's page carries a write trace."
    case .treeUntracedMapping: "From the first operation after it is linked, every page that a reachable mapping names carries a write trace."
    case .treeGapWrite: "No write reaches a page while the tree names it and its trace is not installed."
    case .treeMalformed: "The tree is a tree: no cycle, no shared page, no child outside guest memory, keys sorted and disjoint, valid headers."
    case .treeBasePointer: "The base pointer is set once, before lock, to a page in guest memory that holds a valid node."
    case .treeOverTrace: "No page is traced that the tree does not name."
    case .alertMissing: "Every write that the tree forbids raises an alert."
    case .alertWrongAction: "An alert performs the action that the tree calls for."
    case .alertSpurious: "No alert is raised that the tree does not call for."
    case .alertLate: "An alert is raised before the vCPU's next operation."
    case .alertDeniedWriteLanded: "A write that was denied never shows in memory afterwards."
    case .integrityEntryPoint: "Every accepted entry into integrity mode came from the registered entry point."
    case .integrityRefusalUnanswered: "Every refused entry or request is followed by its alert."
    case .integrityRegistration: "Entry point, driver pages and base pointer do not change after lock."
    case .integrityHypercallOutside: "No protection request is accepted from a vCPU outside integrity mode."
    case .integrityDriverWrite: "Driver code is never written after lock; driver data only by a vCPU in integrity mode."
    case .integrityInterrupted: "No interrupt is delivered to a vCPU in integrity mode, the privileged one aside."
    case .integrityLeaked: "A vCPU in integrity mode runs driver code only, and never halts or shuts down in it."
    case .integrityUnbalanced: "No entry into integrity mode while in it, no leave while out of it."
    default: stopStatement
    }
  }

  private var stopStatement: String {
    switch self {
    case .stopUnstoppedPeer: "From a vCPU's entry into the privileged mode until the last exit, every other online vCPU is in the mode or stopped."
    case .stopRegionExposed: "The region is in the global view only while every vCPU is stopped or in the mode."
    case .stopRegionAccess: "No vCPU outside the mode reads, writes or executes the region."
    case .stopEntryUnmapped: "A vCPU is in the mode only while the region is in the view."
    case .stopRanWhileStopped: "A stopped vCPU executes nothing until it is woken or enters the mode."
    case .stopWrongWake: "A vCPU leaves the stop state only into the mode, or by a resume of its rendezvous sent after the last exit."
    case .stopWrongReturn: "A vCPU that goes back to the guest is exactly where it was."
    case .stopEarlyUnmap: "The region leaves the view after the last exit."
    case .stopLateUnmap: "The region leaves the view before the first resume is sent."
    case .stopDoubleFirst: "Two vCPUs never both take the first-in path, nor both the last-out path."
    case .stopNotLastResumed: "A vCPU that leaves while others are in goes to the stop state."
    case .stopLostSignal: "Every stop signal is acknowledged and every resume taken."
    case .stopSpuriousAck: "Every ack answers a stop."
    case .stopDoubleSignal: "No second stop or resume is sent to a vCPU before it took the first."
    case .stopUninvitedEntry: "Every entry into the mode has its latched interrupt."
    case .stopLostInterrupt: "Every latched interrupt leads to an entry."
    case .stopCPUSetChanged: "A vCPU that comes online or goes offline during a rendezvous is accounted for."
    case .raceStopWindow: "A write between a stop signal and its ack does not conflict with what the privileged mode writes."
    case .raceProtectWindow: "A write, and the installation or removal of the trace of its page, are ordered by happens-before."
    case .racePages: "Conflicting accesses are ordered by happens-before, where one is made in an elevated mode or to a node, driver or region page."
    case .racePredicted: "No reordering that keeps happens-before, and what each decision was based on, breaks another rule."
    case .traceLost: "The trace holds every event that happened."
    case .traceDamaged: "Every byte of the trace is as it was written."
    default: ""
    }
  }
}
