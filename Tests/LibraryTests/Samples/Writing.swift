// docs: write
import TraceEvents
import TraceFile
import TraceFormat

/// What a hypervisor appends as it decides. Here vCPU 0 stops vCPU 1, and adds the region to the view before the acknowledgement.
func writeEarlyMap(to path: String) throws {
  let region = GuestRange(start: 0x7000_0000, length: 0x1000)
  let header = TraceHeader(vcpuCount: 2, memory: [GuestRange(start: 0, length: 1 << 20)], region: region)
  let trace = try TraceWriter(path: path, header: header)
  trace.append(Event(.sessionStart, vcpu: Event.host, a: 2))
  for vcpu: UInt16 in 0...1 {
    let start = trace.append(Event(.vcpuStart, vcpu: Event.host, rip: 0x1000, a: UInt64(vcpu)))
    trace.append(Event(.vcpuOnline, vcpu: vcpu, cause: start))
    trace.append(Event(.guestEnter, vcpu: vcpu, rip: 0x1000))
  }
  let raise = trace.append(Event(.privilegedRaise, vcpu: Event.host, a: 0))
  trace.append(Event(.guestExit, vcpu: 0, rip: 0x1010, a: GuestExitReason.kick.rawValue))
  trace.append(Event(.rendezvousClaim, vcpu: 0, cause: raise, b: 1))
  let stop = trace.append(Event(.stopSend, vcpu: 0, a: 1, b: 1))
  trace.append(Event(.regionMap, vcpu: 0, gpa: region.start, a: region.length, b: 1))
  trace.append(Event(.guestExit, vcpu: 1, rip: 0x1020, a: GuestExitReason.kick.rawValue))
  trace.append(Event(.stopAck, vcpu: 1, rip: 0x1020, cause: stop, b: 1))
  trace.appendEnd(.interrupted, "")
  try trace.finish()
}
// docs: end
