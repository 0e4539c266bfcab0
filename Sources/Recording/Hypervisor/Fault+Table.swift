extension Fault {
  /// The catalogue, in the order of the cases.
  public static let table: [Entry] = [
    Entry(
      fault: .enterBeforeAcks, name: "stop/enter-before-acks",
      description: "First-in sends its stop signals, then maps the region and enters without waiting for one ack.",
      rules: ["stop/region-exposed", "stop/unstopped-peer"], may: ["stop/region-access"],
      trigger: "a request for the privileged mode while another vCPU is online"),
    Entry(
      fault: .mapEarly, name: "stop/map-early",
      description: "First-in maps the region as soon as the stop signals are sent, and waits for the acks only before it enters.",
      rules: ["stop/region-exposed"], may: ["stop/region-access"],
      trigger: "a request for the privileged mode while another vCPU is online"),
    Entry(
      fault: .resumeNotLast, name: "stop/resume-not-last",
      description: "A vCPU that leaves the privileged mode while others are in goes back to the guest instead of the stop state.",
      rules: ["stop/not-last-resumed"],
      may: ["stop/region-access", "stop/region-exposed", "stop/unstopped-peer", "stop/ran-while-stopped", "stop/wrong-wake"],
      trigger: "two vCPUs in the privileged mode at once"),
    Entry(
      fault: .earlyUnmap, name: "stop/early-unmap", description: "Last-out removes the region from the view before it has left the mode.",
      rules: ["stop/early-unmap"], may: ["stop/entry-unmapped"], trigger: "a request for the privileged mode"),
    Entry(
      fault: .lateUnmap, name: "stop/late-unmap",
      description: "Last-out resumes the stopped vCPUs first, and removes the region from the view then.",
      rules: ["stop/late-unmap"], may: ["stop/region-access", "stop/region-exposed", "stop/wrong-wake"],
      trigger: "a request for the privileged mode while another vCPU is online"),
    Entry(
      fault: .doubleResume, name: "stop/double-resume", description: "Last-out sends each resume twice.",
      rules: ["stop/double-signal"], may: ["stop/lost-signal"],
      trigger: "a request for the privileged mode while another vCPU is online"),
    Entry(
      fault: .loseInterrupt, name: "stop/lose-interrupt",
      description: "An interrupt for the privileged mode is lost where its target is stopped or in the mode.",
      rules: ["stop/lost-interrupt"], may: ["stop/uninvited-entry"],
      trigger: "an interrupt for the privileged mode sent to a vCPU that is stopped or in it"),
    Entry(
      fault: .forgetHalt, name: "stop/forget-halt", description: "A vCPU that was stopped while halted comes back running.",
      rules: ["stop/wrong-return"], may: [], trigger: "a rendezvous while a vCPU is halted"),
    Entry(
      fault: .bornRunning, name: "stop/born-running", description: "A vCPU that comes online during a rendezvous is not born stopped.",
      rules: ["stop/cpu-set-changed"],
      may: ["stop/region-access", "stop/region-exposed", "stop/unstopped-peer", "stop/double-signal"],
      trigger: "a vCPU started while another is on its way into the privileged mode, or in it"),
    Entry(
      fault: .skipNodeTrace, name: "tree/skip-node-trace",
      description: "A request to protect pages as nodes reports success and puts no trace on them.",
      rules: ["tree/untraced-node"],
      may: ["tree/gap-write", "tree/node-write", "tree/malformed", "tree/untraced-mapping", "alert/missing", "alert/denied-write-landed"],
      trigger: "a page protected as a node, and linked in the tree"),
    Entry(
      fault: .skipMappingTrace, name: "tree/skip-mapping-trace",
      description: "A request to protect pages other than nodes reports success and puts no trace on them.",
      rules: ["tree/untraced-mapping"], may: ["tree/gap-write", "tree/protected-write", "alert/missing", "alert/denied-write-landed"],
      trigger: "a page protected, and mapped in the tree"),
    Entry(
      fault: .unprotectLinked, name: "tree/unprotect-linked", description: "Traces are taken off pages that leaf mappings still name.",
      rules: ["tree/untraced-mapping"], may: ["tree/gap-write", "tree/protected-write"],
      trigger: "a driver that asks for that"),
    Entry(
      fault: .acceptAnyEntry, name: "integrity/accept-any-entry", description: "Integrity mode may be entered from anywhere.",
      rules: ["integrity/entry-point"], may: ["integrity/leaked", "integrity/unbalanced"],
      trigger: "an attempt to enter from an address that was not registered"),
    Entry(
      fault: .acceptOutside, name: "integrity/accept-outside", description: "Protection requests are honoured outside integrity mode too.",
      rules: ["integrity/hypercall-outside"], may: ["tree/over-trace"],
      trigger: "a protection request from outside integrity mode, after the lock, that is valid otherwise"),
    Entry(
      fault: .acceptLateRegistration, name: "integrity/accept-late-registration", description: "Registration goes on after the lock.",
      rules: ["integrity/registration"], may: ["tree/base-pointer", "tree/over-trace", "integrity/entry-point", "integrity/leaked"],
      trigger: "an attempt to register an entry point, driver pages or a base pointer after the lock"),
    Entry(
      fault: .silentRefusal, name: "integrity/silent-refusal", description: "A refused request performs no alert action.",
      rules: ["integrity/refusal-unanswered"], may: [], trigger: "a request that is refused"),
    Entry(
      fault: .openDriverData, name: "integrity/open-driver-data", description: "Driver data pages may be written outside integrity mode.",
      rules: ["integrity/driver-write"], may: ["alert/missing", "tree/protected-write", "tree/node-write"],
      trigger: "a write to a driver data page from outside integrity mode, after the lock"),
    Entry(
      fault: .dropAlert, name: "alert/drop", description: "The alert of a denied write is not raised; the write is dropped.",
      rules: ["alert/missing"], may: [], trigger: "a write that is denied"),
    Entry(
      fault: .wrongAction, name: "alert/wrong-action",
      description: "The alert of a denied write says that it asked for a stop; the write is dropped.",
      rules: ["alert/wrong-action"], may: [], trigger: "a write that is denied"),
    Entry(
      fault: .lateAlert, name: "alert/late", description: "The alert of a denied write is raised only at the vCPU's next exit.",
      rules: ["alert/late"], may: ["alert/missing"], trigger: "a write that is denied"),
    Entry(
      fault: .spuriousAlert, name: "alert/spurious", description: "A write to a traced page that nothing forbids raises an alert.",
      rules: ["alert/spurious"], may: [], trigger: "a write to a node or a protected page in integrity mode"),
    Entry(
      fault: .denyLands, name: "alert/deny-lands", description: "A denied write is reported as dropped, and done.",
      rules: ["alert/denied-write-landed"], may: [
        "tree/protected-write", "tree/node-write", "integrity/driver-write", "tree/malformed", "tree/untraced-node", "tree/untraced-mapping",
        "tree/over-trace",
      ],
      trigger: "a write that is denied, and changes something"),
  ]
}
