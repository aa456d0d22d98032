/**
 * A device that another thread owns, as this thread makes it: it takes its place in the arena and in guest memory, so
 * that everything after it lies where it does in the owner's thread, and is never called.
 */

import type { IoRegion, Mapping } from "../bus/io.ts";
import type { DeviceContext } from "../device.ts";
import type { AddressRegion, RegionTarget } from "../memory/address-space.ts";
import { replacing } from "./replacing.ts";

/** The same context, for a device whose registers are not to be found in this thread. */
export function absentDevice(context: DeviceContext): DeviceContext {
  return {
    ...context,
    ports: replacing(context.ports, { map: (base, region) => noMapping(base, region) }),
    memory: replacing(context.memory, {
      map: (name, base, size, target) => noRegion(name, base, size, target),
      mapBar: () => () => {},
      onMapChange() {},
      onWrite() {},
      setPageFlag() {},
    }),
    addDisplay() {},
  };
}

function noMapping(base: number, region: IoRegion): Mapping {
  return { region, base, enabled: false, move() {}, setEnabled() {}, remove() {} };
}

function noRegion(name: string, base: number, size: number, target: RegionTarget): AddressRegion {
  const changes = { setEnabled() {}, move() {}, setTarget() {}, remove() {} };
  return { name, base, size, target, priority: 0, enabled: false, ...changes };
}
