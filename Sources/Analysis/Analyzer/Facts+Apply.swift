internal import TraceEvents

extension Facts {
  init(_ subject: Analyzer.Subject) {
    vcpus = VCPUTable(repeating: VCPU(), count: subject.vcpuCount)
    memory = subject.memory
    region = subject.region
    attribution = subject.attribution
  }

  init(copying other: borrowing Facts) {
    vcpus = VCPUTable(copying: other.vcpus)
    memory = other.memory
    region = other.region
    attribution = other.attribution
    isRegionMapped = other.isRegionMapped
    isRegionKnown = other.isRegionKnown
  }

  /// Takes in an event that every judge has seen.
  mutating func apply(_ event: borrowing EventView) {
    guard Int(event.vcpu) < vcpus.count else {
      if event.kind == .sessionStart { return }
      applyGlobal(event)
      return
    }
    let vcpu = Int(event.vcpu)
    switch event.kind {
    case .guestEnter:
      noteEnter(vcpu, at: event.seq)
    case .guestExit:
      noteExit(vcpu, at: event.seq)
    case .vcpuOnline: vcpus[vcpu].mode = event.a == 0 ? .normal : .stopped
    case .vcpuOffline: vcpus[vcpu].mode = .offline
    case .vcpuHalt: vcpus[vcpu].isHalted = true
    case .vcpuUnhalt: vcpus[vcpu].isHalted = false
    case .integrityEnter: vcpus[vcpu].inIntegrityMode = true
    case .integrityLeave: vcpus[vcpu].inIntegrityMode = false
    case .rendezvousClaim: vcpus[vcpu].mode = .working
    case .stopAck: vcpus[vcpu].mode = .stopped
    case .modeEnter: vcpus[vcpu].mode = .privileged
    case .modeExit: vcpus[vcpu].mode = event.a == ExitPath.last.rawValue ? .working : .stopped
    case .resumeTake, .modeReturn: vcpus[vcpu].mode = .normal
    default: applyGlobal(event)
    }
  }

  @inline(__always)
  mutating func noteEnter(_ vcpu: Int, at seq: UInt64) {
    vcpus[vcpu].isInGuest = true
    vcpus[vcpu].lastEnter = seq
  }

  @inline(__always)
  mutating func noteExit(_ vcpu: Int, at seq: UInt64) {
    vcpus[vcpu].isInGuest = false
    vcpus[vcpu].lastExit = seq
  }

  private mutating func applyGlobal(_ event: borrowing EventView) {
    switch event.kind {
    case .regionMap: isRegionMapped = true
    case .regionUnmap: isRegionMapped = false
    default: return
    }
    isRegionKnown = true
  }

  /// A hole in the trace: nothing about modes is known until events tell.
  mutating func forget() {
    isRegionKnown = false
    for index in vcpus.indices {
      vcpus[index] = VCPU(mode: .unknown)
    }
  }
}
