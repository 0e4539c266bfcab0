public import KVM

extension HostSupport {
  /// What a guest's time stamp counter counts here, in thousands a second; 0 where KVM does not say.
  public static func tscKilohertz(devicePath: String = "/dev/kvm", seam: KVMSeam = .direct) throws(RecordingError) -> UInt64 {
    do throws(KVMError) {
      let machine = try System(path: devicePath, seam: seam).createVirtualMachine()
      return try machine.createVCPU(id: 0).tscKilohertz()
    } catch { throw .host(error) }
  }
}
