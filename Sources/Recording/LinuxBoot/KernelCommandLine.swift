/// What a kernel is told on its command line.
public enum KernelCommandLine {
  /// A PC without PCI, whose console is its first serial port, and which resets where its kernel panics. The kernel is at the addresses that it was linked
  /// for, where its symbols say it is.
  private static let machine = ["console=ttyS0", "earlyprintk=serial,ttyS0,115200", "pci=off", "panic=-1", "nokaslr"]

  /// What keeps a kernel off the instructions and the devices that an emulating host does not have, and off work that takes minutes there.
  ///
  /// The features are those that such a host reports whatever it is told, and does not execute in the kernel's mode.
  private static let emulated = [
    "acpi=off", "reboot=k",
    "nosmp", "nolapic", "mitigations=off", "tsc=reliable", "no_timer_check", "cryptomgr.notests", "nowatchdog", "noxsave", "nofsgsbase",
    "clearcpuid=smap,smep,umip,erms,fsrm,popcnt,invpcid,pcid,rdpid,clflushopt,clwb,la57,pku,ssse3,sse4_1,sse4_2,aes,pclmulqdq,rdtscp",
  ]
  /// Ticks a second that Debian's kernels are built with.
  private static let ticksPerSecond: UInt64 = 250

  /// For a host that executes guests on its CPU. Processors, power-off and reset are ACPI's.
  public static func hardware(appending extra: String = "") -> String { joined(machine, extra) }

  /// For a host that emulates. `tscKilohertz` is what the time stamp counter counts in the guest: told, it need not be measured, for which there is no timer.
  public static func emulating(tscKilohertz: UInt64, appending extra: String = "") -> String {
    let clock = tscKilohertz == 0 ? [] : ["tsc_early_khz=\(tscKilohertz)", "lpj=\(tscKilohertz * 1000 / ticksPerSecond)"]
    return joined(machine + emulated + clock, extra)
  }

  /// The user's own come last: of two that differ a kernel takes the later.
  private static func joined(_ words: [String], _ extra: String) -> String { (words + (extra.isEmpty ? [] : [extra])).joined(separator: " ") }
}
