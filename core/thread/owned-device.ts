/**
 * A device that another thread owns, as this thread makes it: it takes its place in the arena, in guest memory, among
 * the timers and on the interrupt lines, so that everything after it lies where it does in the owner's thread, and is never called. What it does to
 * its registers while it is made, it does to registers that nobody else sees.
 */

import type { IoRegion, Mapping } from "../bus/io.ts";
import type { Clock, Timer } from "../clock.ts";
import type { DeviceContext } from "../device.ts";
import { NO_IRQ } from "../irq.ts";
import type { AddressRegion, RegionTarget } from "../memory/address-space.ts";
import { type State, StateArena, type StateSchema } from "../state/state.ts";
import { replacing } from "./replacing.ts";

/** The same context, for a device whose registers are not to be found in this thread. */
export function absentDevice(context: DeviceContext): DeviceContext {
  return {
    ...context,
    arena: replacing(context.arena, { attach: (name, schema) => absentState(context.arena, name, schema) }),
    clock: replacing(context.clock, { timer: (name, fire) => absentTimer(context.clock, name, fire) }),
    ports: replacing(context.ports, { map: (base, region) => noMapping(base, region) }),
    memory: replacing(context.memory, {
      map: (name, base, size, target) => noRegion(name, base, size, target),
      mapBar: () => () => {},
      onMapChange() {},
      onWrite() {},
      onWatch() {},
      onDirtyCollect() {},
      setPageFlag() {},
    }),
    isaIrq(line) {
      context.isaIrq(line);
      return NO_IRQ;
    },
    addDisplay() {},
  };
}

/** Takes the state's place, and answers with other memory. */
function absentState<S extends StateSchema>(arena: StateArena, name: string, schema: S): State<S> {
  arena.attach(name, schema);
  return StateArena.create(schema.size).attach(name, schema);
}

function absentTimer(clock: Clock, name: string, fire: () => void): Timer {
  clock.timer(name, fire);
  return { deadline: undefined, arm() {}, cancel() {} };
}

function noMapping(base: number, region: IoRegion): Mapping {
  return { region, base, enabled: false, move() {}, setEnabled() {}, remove() {} };
}

function noRegion(name: string, base: number, size: number, target: RegionTarget): AddressRegion {
  const changes = { setEnabled() {}, move() {}, setTarget() {}, remove() {} };
  return { name, base, size, target, priority: 0, enabled: false, ...changes };
}
