/**
 * A device that several threads run (`placement: "shared"`): each thread has an instance of its own over the same
 * registers, and what the outside calls of an instance runs under the device's lock. A machine with one thread uses none
 * of this.
 *
 * An access from inside another device (DMA to registers) that could only wait for ever is one that nobody answers: ones
 * for a read, nothing for a write.
 */

import type { IoRegion } from "../bus/io.ts";
import type { CharPort, CharReceiver } from "../char/port.ts";
import type { Clock } from "../clock.ts";
import type { LocalApicPort } from "../cpu.ts";
import type { DeviceContext } from "../device.ts";
import { type IrqLine, irqLine } from "../irq.ts";
import type { RegionTarget } from "../memory/address-space.ts";
import type { Lock } from "./lock.ts";
import { replacing } from "./replacing.ts";

/**
 * The same context, for a device of which everything that is called later runs under `lock`. A write first fires what is
 * due of the device's own timers, which live in another thread: see `Clock.poll`.
 */
export function lockDevice(context: DeviceContext, lock: Lock): DeviceContext {
  const { ports, memory } = context;
  const due: (() => void)[] = [];
  const catchUp = (): void => {
    for (const look of due) look();
  };
  return {
    ...context,
    ports: replacing(ports, {
      map: (base, region, enabled) => ports.map(base, lockRegion(region, lock, catchUp), enabled),
    }),
    memory: replacing(memory, {
      map: (name, base, size, target, priority, enabled) =>
        memory.map(name, base, size, lockTarget(target, lock, catchUp), priority, enabled),
    }),
    clock: lockClock(context.clock, lock, due),
    chardev: (id) => lockChar(context.chardev(id), lock),
  };
}

/** Registers whose every access takes the lock; `before` runs ahead of a write. */
export function lockRegion(region: IoRegion, lock: Lock, before: () => void = () => {}): IoRegion {
  const { handler } = region;
  return {
    ...region,
    // Collected writes are done by one thread; this region's are done by the one that makes them.
    coalesced: false,
    handler: {
      read(offset, size) {
        if (!lock.acquire()) return 0xffff_ffff;
        try {
          return handler.read(offset, size);
        } finally {
          lock.release();
        }
      },
      write(offset, value, size) {
        if (!lock.acquire()) return;
        try {
          before();
          handler.write(offset, value, size);
        } finally {
          lock.release();
        }
      },
    },
  };
}

/** An interrupt line into a device, or a complex of devices, with a lock. */
export function lockLine(line: IrqLine, lock: Lock): IrqLine {
  return irqLine((level) => lock.run(() => line.set(level)));
}

/** A CPU's way to its local APIC. */
export function lockApic(apic: LocalApicPort, lock: Lock): LocalApicPort {
  return {
    get base() {
      return lock.run(() => apic.base);
    },
    setBase: (value) => lock.run(() => apic.setBase(value)),
    get tpr() {
      return lock.run(() => apic.tpr);
    },
    set tpr(value) {
      lock.run(() => {
        apic.tpr = value;
      });
    },
    readMsr: (index) => lock.run(() => apic.readMsr(index)),
    writeMsr: (index, lo, hi) => lock.run(() => apic.writeMsr(index, lo, hi)),
    get tscDeadline() {
      return lock.run(() => apic.tscDeadline);
    },
    set tscDeadline(value) {
      lock.run(() => {
        apic.tscDeadline = value;
      });
    },
    acknowledge: () => lock.run(() => apic.acknowledge()),
  };
}

function lockTarget(target: RegionTarget, lock: Lock, before: () => void): RegionTarget {
  if (target.kind === "io") return { ...target, region: lockRegion(target.region, lock, before) };
  return target.kind === "romd" ? { ...target, write: lockRegion(target.write, lock, before) } : target;
}

/** `due` gets a function for each timer that fires it when it is due; the lock is held then. */
function lockClock(clock: Clock, lock: Lock, due: (() => void)[]): Clock {
  return {
    now: () => clock.now(),
    poll: () => clock.poll(),
    nextDeadline: () => clock.nextDeadline(),
    timer(name, fire) {
      const timer = clock.timer(name, () => lock.run(fire), lock);
      due.push(() => {
        const { deadline } = timer;
        if (deadline === undefined || deadline > clock.now()) return;
        timer.cancel();
        fire();
      });
      return timer;
    },
  };
}

function lockChar(port: CharPort, lock: Lock): CharPort {
  const locked = (receiver: CharReceiver): CharReceiver => ({
    canReceive: () => lock.run(() => receiver.canReceive()),
    receive: (data) => lock.run(() => receiver.receive(data)),
    event: (event) => lock.run(() => receiver.event?.(event)),
  });
  return {
    write: (data) => port.write(data),
    onWritable: (ready) => port.onWritable(() => lock.run(ready)),
    connect: (receiver) => port.connect(locked(receiver), lock),
    acceptInput: () => port.acceptInput(),
    setBreak: port.setBreak && ((on) => port.setBreak!(on)),
  };
}
