extension Fault {
  /// The catalogue, in the order of the cases.
  public static let table: [Entry] = stopTable + treeTable + integrityTable + alertTable

  private static let treeTable: [Entry] = [
    Entry(
      .ignoreMappings, "tree/ignore-mappings", "A write to a traced page is looked up among the nodes only: what leaf mappings deny goes through.",
      rules: ["tree/protected-write", "alert/missing"], trigger: "a write to a protected page that holds no node, from outside integrity mode"),
    Entry(
      .ignoreNodes, "tree/ignore-nodes", "A write to a traced page is looked up among the leaf mappings only: a write to a node goes through.",
      rules: ["tree/node-write", "alert/missing"], may: ["tree/malformed", "tree/untraced-node", "tree/untraced-mapping", "tree/over-trace", "race/pages"],
      trigger: "a write to a node from outside integrity mode"),
    Entry(
      .skipNodeTrace, "tree/skip-node-trace", "A request to protect pages as nodes reports success and puts no trace on them.",
      rules: ["tree/untraced-node"],
      may: ["tree/gap-write", "tree/node-write", "tree/malformed", "tree/untraced-mapping", "alert/missing", "alert/denied-write-landed", "race/pages"],
      trigger: "a page protected as a node, and linked in the tree"),
    Entry(
      .skipMappingTrace, "tree/skip-mapping-trace", "A request to protect pages other than nodes reports success and puts no trace on them.",
      rules: ["tree/untraced-mapping"], may: ["tree/gap-write", "tree/protected-write", "alert/missing", "alert/denied-write-landed"],
      trigger: "a page protected, and mapped in the tree"),
    Entry(
      .unprotectLinked, "tree/unprotect-linked", "Traces are taken off pages that leaf mappings still name.",
      rules: ["tree/untraced-mapping"], may: ["tree/gap-write", "tree/protected-write", "race/protect-window"],
      trigger: "a driver that asks for that"),
    Entry(
      .lateTrace, "tree/late-trace",
      "A request to protect pages other than nodes reports success, and the traces are put on at the vCPU's first exit outside integrity mode.",
      rules: ["tree/gap-write", "tree/untraced-mapping"], may: ["tree/protected-write", "alert/denied-write-landed", "race/protect-window"],
      trigger: "a page protected, mapped in the tree, and written right after",
      window: "from the mapping to the vCPU's first exit outside integrity mode: the guest writes the page there"),
    Entry(
      .tornWrite, "tree/torn-write", "Of a driver's write of 8 bytes to a traced page only the first two take effect.",
      rules: ["tree/malformed"],
      may: ["tree/untraced-node", "tree/untraced-mapping", "tree/over-trace", "tree/gap-write", "tree/protected-write", "alert/missing"],
      trigger: "a driver that edits a mapping whose byte range does not begin at 0"),
    Entry(
      .uncheckedBase, "tree/unchecked-base", "The base pointer is set to any page of guest memory, be there a node in it or not.",
      rules: ["tree/base-pointer"], may: ["tree/over-trace"], trigger: "a request to set the base pointer to a page without a node",
      guest: "attacks"),
    Entry(
      .keepTrace, "tree/keep-trace", "A request to unprotect pages reports success and leaves the traces on them.",
      rules: ["tree/over-trace"], trigger: "a page unprotected after the tree stopped naming it"),
  ]

  private static let integrityTable: [Entry] = [
    Entry(
      .acceptAnyEntry, "integrity/accept-any-entry", "Integrity mode may be entered from anywhere.",
      rules: ["integrity/entry-point"], may: ["integrity/leaked", "integrity/unbalanced", "race/pages"],
      trigger: "an attempt to enter from an address that was not registered"),
    Entry(
      .acceptOutside, "integrity/accept-outside", "Protection requests are honoured outside integrity mode too.",
      rules: ["integrity/hypercall-outside"], may: ["tree/over-trace", "race/protect-window"],
      trigger: "a protection request from outside integrity mode, after the lock, that is valid otherwise"),
    Entry(
      .acceptLateRegistration, "integrity/accept-late-registration", "Registration goes on after the lock.",
      rules: ["integrity/registration"], may: ["tree/base-pointer", "tree/over-trace", "integrity/entry-point", "integrity/leaked", "race/protect-window"],
      trigger: "an attempt to register an entry point, driver pages or a base pointer after the lock"),
    Entry(
      .silentRefusal, "integrity/silent-refusal", "A refused request performs no alert action.",
      rules: ["integrity/refusal-unanswered"], trigger: "a request that is refused"),
    Entry(
      .openDriverData, "integrity/open-driver-data", "Driver data pages may be written outside integrity mode.",
      rules: ["integrity/driver-write"], may: ["alert/missing", "tree/protected-write", "tree/node-write", "race/pages"],
      trigger: "a write to a driver data page from outside integrity mode, after the lock"),
    Entry(
      .acceptInterrupts, "integrity/accept-interrupts",
      "Integrity mode may be entered with interrupts on, and ordinary interrupts are delivered in it.",
      rules: ["integrity/interrupted"], may: ["integrity/leaked"],
      trigger: "an entry with interrupts on, and an interrupt sent to the vCPU before it leaves"),
    Entry(
      .lateLeave, "integrity/late-leave", "A vCPU that leaves integrity mode is out of it only at its next exit.",
      rules: ["integrity/leaked"],
      // It may be stopped in between, and find itself out of integrity mode when it returns.
      may: ["stop/wrong-return", "tree/over-trace", "race/pages"], trigger: "a vCPU that leaves integrity mode and goes on outside the driver"),
    Entry(
      .haltInMode, "integrity/halt-in-mode", "A vCPU may halt in integrity mode.",
      rules: ["integrity/leaked"], trigger: "a driver that halts", guest: "attacks"),
    Entry(
      .acceptNested, "integrity/accept-nested", "Integrity mode may be entered from within.",
      rules: ["integrity/unbalanced"], trigger: "a driver that enters once more", guest: "attacks"),
    Entry(
      .acceptLeave, "integrity/accept-leave", "A vCPU outside integrity mode may leave it.",
      rules: ["integrity/unbalanced"], trigger: "a request to leave from outside"),
  ]

  private static let alertTable: [Entry] = [
    Entry(
      .dropAlert, "alert/drop", "The alert of a denied write is not raised; the write is dropped.",
      rules: ["alert/missing"], trigger: "a write that is denied"),
    Entry(
      .wrongAction, "alert/wrong-action", "The alert of a denied write says that it asked for a stop; the write is dropped.",
      rules: ["alert/wrong-action"], trigger: "a write that is denied"),
    Entry(
      .lateAlert, "alert/late", "The alert of a denied write is raised only at the vCPU's next exit.",
      rules: ["alert/late"], may: ["alert/missing"], trigger: "a write that is denied"),
    Entry(
      .spuriousAlert, "alert/spurious", "A write to a traced page that nothing forbids raises an alert.",
      rules: ["alert/spurious"], trigger: "a write to a node or a protected page in integrity mode"),
    Entry(
      .denyLands, "alert/deny-lands", "A denied write is reported as dropped, and done.",
      rules: ["alert/denied-write-landed"],
      may: [
        "tree/protected-write", "tree/node-write", "integrity/driver-write", "tree/malformed", "tree/untraced-node", "tree/untraced-mapping",
        "tree/over-trace", "race/pages",
      ],
      trigger: "a write that is denied, and changes something"),
  ]
}
