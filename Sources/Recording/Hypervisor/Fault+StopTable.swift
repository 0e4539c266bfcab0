extension Fault {
  /// The part of the catalogue about the stop protocol.
  static let stopTable: [Entry] = [
    Entry(
      .enterBeforeAcks, "stop/enter-before-acks", "First-in sends its stop signals, then maps the region and enters without waiting for one ack.",
      rules: ["stop/region-exposed", "stop/unstopped-peer"], may: ["stop/region-access", "race/stop-window", "race/pages"],
      trigger: "a request for the privileged mode while another vCPU is online"),
    Entry(
      .mapEarly, "stop/map-early", "First-in maps the region as soon as the stop signals are sent, and waits for the acks only before it enters.",
      rules: ["stop/region-exposed"], may: ["stop/region-access", "race/stop-window", "race/pages"],
      trigger: "a request for the privileged mode while another vCPU is online"),
    Entry(
      .mapLate, "stop/map-late", "First-in enters the mode, and adds the region to the view after that.",
      rules: ["stop/entry-unmapped"], may: ["race/stop-window", "race/pages"], trigger: "a request for the privileged mode"),
    Entry(
      .resumeNotLast, "stop/resume-not-last",
      "A vCPU that leaves the privileged mode while others are in goes back to the guest instead of the stop state.",
      rules: ["stop/not-last-resumed"],
      may: ["stop/region-access", "stop/region-exposed", "stop/unstopped-peer", "stop/ran-while-stopped", "stop/wrong-wake", "race/stop-window", "race/pages"],
      trigger: "two vCPUs in the privileged mode at once",
      window: "two vCPUs must be in the mode at once: the guest asks for the mode for everybody, so that there are next-ins"),
    Entry(
      .resumeEarly, "stop/resume-early", "The last vCPU in the mode lets the others go before it has left.",
      rules: ["stop/wrong-wake"],
      may: [
        "stop/late-unmap", "stop/region-exposed", "stop/unstopped-peer", "stop/region-access", "stop/wrong-return", "race/stop-window", "race/pages",
      ],
      trigger: "a request for the privileged mode while another vCPU is online", models: "edk2 #6138"),
    Entry(
      .earlyUnmap, "stop/early-unmap", "Last-out removes the region from the view before it has left the mode.",
      rules: ["stop/early-unmap"], may: ["stop/entry-unmapped"], trigger: "a request for the privileged mode", models: "edk2 #6724"),
    Entry(
      .lateUnmap, "stop/late-unmap", "Last-out resumes the stopped vCPUs first, and removes the region from the view then.",
      rules: ["stop/late-unmap"], may: ["stop/region-access", "stop/region-exposed", "stop/wrong-wake", "race/stop-window", "race/pages"],
      trigger: "a request for the privileged mode while another vCPU is online"),
    Entry(
      .runStopped, "stop/run-stopped", "A vCPU that has acknowledged its stop goes on executing guest code until its resume comes.",
      rules: ["stop/ran-while-stopped"],
      may: [
        "stop/region-exposed", "stop/unstopped-peer", "stop/region-access", "stop/wrong-return", "stop/wrong-wake", "stop/lost-interrupt",
        "race/stop-window", "race/pages",
      ],
      trigger: "a request for the privileged mode while another vCPU runs"),
    Entry(
      .wrongNumber, "stop/wrong-number", "Resumes carry the number of the rendezvous before the one that stopped their targets.",
      rules: ["stop/wrong-wake"], trigger: "a request for the privileged mode while another vCPU is online"),
    Entry(
      .wakeOnInterrupt, "stop/wake-on-interrupt", "An ordinary interrupt is delivered to a vCPU in the stop state.",
      rules: ["stop/wrong-wake"], may: ["stop/wrong-return", "stop/ran-while-stopped", "race/stop-window", "race/pages"],
      trigger: "an interrupt sent to a vCPU that is about to be stopped",
      window: "an interrupt must be held for a vCPU when it is stopped: the guest asks for the mode and sends interrupts all the time"),
    Entry(
      .forgetHalt, "stop/forget-halt", "A vCPU that was stopped while halted comes back running.",
      rules: ["stop/wrong-return"], trigger: "a rendezvous while a vCPU is halted",
      window: "a vCPU must be halted when it is stopped: vCPUs that are done with their work halt while others still ask for the mode"),
    Entry(
      .forgetHypercall, "stop/forget-hypercall", "A vCPU that was stopped in the middle of a hypercall never gets its result.",
      rules: ["stop/wrong-return"],
      may: [
        "tree/untraced-mapping", "tree/untraced-node", "tree/gap-write", "tree/protected-write", "tree/over-trace", "integrity/leaked", "race/pages",
        "alert/missing",
      ],
      trigger: "a rendezvous while a vCPU is in a hypercall",
      window: "a vCPU must make a hypercall between its stop signal and its ack: the vCPU that asks for the mode itself always does"),
    Entry(
      .doubleFirst, "stop/claim-twice", "A vCPU that is interrupted while another is in the mode takes the first-in path too.",
      rules: ["stop/double-first"], may: ["race/stop-window", "race/pages"], trigger: "two vCPUs in the privileged mode at once",
      window: "a vCPU must be interrupted while another is in the mode: the guest asks for the mode for everybody"),
    Entry(
      .doubleStop, "stop/double-stop", "First-in sends each stop signal twice.",
      rules: ["stop/double-signal"], trigger: "a request for the privileged mode while another vCPU is online"),
    Entry(
      .doubleResume, "stop/double-resume", "Last-out sends each resume twice.",
      rules: ["stop/double-signal"], may: ["stop/lost-signal"],
      trigger: "a request for the privileged mode while another vCPU is online", models: "edk2 #11238"),
    Entry(
      .forgetResume, "stop/forget-resume", "Last-out ends the rendezvous with one stopped vCPU still to be resumed.",
      rules: ["stop/lost-signal"], may: ["stop/wrong-wake", "stop/double-signal", "stop/lost-interrupt", "stop/cpu-set-changed"],
      trigger: "a request for the privileged mode while another vCPU is online"),
    Entry(
      .unaskedAck, "stop/unasked-ack", "A vCPU that loses the race to be first counts itself as stopped before it is sent a stop signal.",
      rules: ["stop/spurious-ack"], may: ["stop/region-exposed", "stop/unstopped-peer", "race/stop-window", "race/pages"],
      trigger: "two vCPUs interrupted for the privileged mode at once",
      window: "a vCPU must be interrupted for the mode while another claims it: the guest asks for the mode for everybody", models: "edk2 #11048"),
    Entry(
      .uninvited, "stop/enter-uninvited", "A stopped vCPU enters the mode after the first one without having been interrupted for it.",
      rules: ["stop/uninvited-entry"], trigger: "a request for the privileged mode while another vCPU is online"),
    Entry(
      .loseInterrupt, "stop/lose-interrupt", "An interrupt for the privileged mode is lost where its target is stopped or in the mode.",
      rules: ["stop/lost-interrupt"], may: ["stop/uninvited-entry"],
      trigger: "an interrupt for the privileged mode sent to a vCPU that is stopped or in it",
      window: "an interrupt must be sent while its target is stopped or in the mode: the guest asks for the mode for everybody, again and again"),
    Entry(
      .bornRunning, "stop/born-running", "A vCPU that comes online during a rendezvous is not born stopped.",
      rules: ["stop/cpu-set-changed"],
      may: ["stop/region-access", "stop/region-exposed", "stop/unstopped-peer", "stop/double-signal", "race/stop-window", "race/pages"],
      trigger: "a vCPU started while another is on its way into the privileged mode, or in it",
      window: "a vCPU must come online during a rendezvous: the guest's handler starts one, and stays in the mode meanwhile",
      models: "edk2 #8593"),
    Entry(
      .loseStart, "stop/lose-start", "A vCPU that is started during a rendezvous never comes online.",
      rules: ["stop/cpu-set-changed"], trigger: "a vCPU started while another is in the privileged mode, and nothing done by the rest without it",
      models: "edk2 #10293"),
    Entry(
      .skipPeer, "stop/skip-peer",
      "First-in leaves one vCPU without a stop signal, which goes on changing what the code in the mode reads.",
      rules: ["stop/region-exposed", "stop/unstopped-peer"], may: ["stop/region-access", "race/stop-window", "race/pages"],
      trigger: "a request for the privileged mode while another vCPU is online", models: "edk2 #7472"),
    Entry(
      .skipStops, "stop/skip-stops", "First-in sends no stop signal at all, and goes on as if everybody had stopped.",
      rules: ["stop/region-exposed", "stop/unstopped-peer"], may: ["stop/region-access", "race/stop-window", "race/pages"],
      trigger: "a request for the privileged mode while another vCPU is online", models: "Linux 45178ac0cea8"),
    Entry(
      .serveRegion, "stop/serve-region", "A write to the region from outside the mode is denied, with its alert, and done.",
      rules: ["stop/region-access"], may: ["race/pages"], trigger: "a write to the region from outside the mode", guest: "attacks"),
    Entry(
      .countOneAck, "stop/count-one-ack", "First-in maps the region at the first ack, as if it stood for all of them.",
      rules: ["stop/region-exposed"],
      may: ["stop/unstopped-peer", "stop/region-access", "stop/spurious-ack", "race/stop-window", "race/pages", "race/predicted"],
      trigger: "a request for the privileged mode while two other vCPUs are online",
      window: "an ack must come later than the map: the guest asks for the mode again and again, and some vCPU is always late"),
  ]
}
