/**
 * What plugins see of the core: `import ... from "qemu-next"` and `host.core` are this module. Nothing is taken from it,
 * and no meaning changed, without raising `PLUGIN_API`.
 */

export type { Accelerator, Vcpu, VcpuEnvironment, VcpuExit } from "../accel.ts";
export type { BlockFormat, BlockProtocol } from "../block/driver.ts";
export { openImage } from "../block/driver.ts";
export type { BlockNode } from "../block/node.ts";
export {
  BLOCK_IO,
  BLOCK_NO_SPACE,
  BLOCK_OPEN,
  BLOCK_RANGE,
  BLOCK_READ_ONLY,
  blockFailure,
  checkRequest,
  sliceVector,
  vectorLength,
} from "../block/node.ts";
export type { BlockDone, BlockError, BlockPort } from "../block/port.ts";
export { MemoryBlockPort } from "../block/port.ts";
export { RequestGate } from "../block/requests.ts";
export type { BoardPorts, WakeReason } from "../board.ts";
export type { AccessSize, IoHandler, IoRegion, Mapping } from "../bus/io.ts";
export { PortSpace } from "../bus/io.ts";
export type { IsaDmaChannel, IsaDmaResult } from "../bus/isa-dma.ts";
export type { BarSpec, BarTarget, MemoryBlock, PciDeviceContext, PciIdentity } from "../bus/pci.ts";
export { PCI_STATE, PciBus, PciDevice } from "../bus/pci.ts";
export { plugPci } from "../bus/pci-plug.ts";
export type { Chardev, ChardevContext, ChardevType } from "../char/chardev.ts";
export type { CharEvent, CharPort, CharReceiver } from "../char/port.ts";
export { NULL_CHAR } from "../char/port.ts";
export { CharWriter, InputQueue, StreamOutput } from "../char/queue.ts";
export type { Clock, Timer, WallClock } from "../clock.ts";
export { ManualClock, NS_PER_MS, NS_PER_SECOND, NS_PER_US } from "../clock.ts";
export type {
  Device,
  DeviceCategory,
  DeviceContext,
  DeviceType,
  MachineControl,
  Properties,
  PropertySpec,
  PropertySpecs,
  PropertyType,
  PropertyValue,
  ShutdownCause,
} from "../device.ts";
export type { DisplaySource, Surface } from "../display/surface.ts";
export type { ErrorContext } from "../errors.ts";
export { messageOf, QemuError } from "../errors.ts";
export type { KeySink, MouseButton, PointerSink } from "../input/input.ts";
export { InputHub } from "../input/input.ts";
export type { IrqLine } from "../irq.ts";
export { irqLine, NO_IRQ, pulse, splitIrq } from "../irq.ts";
export type { DeviceNode, Machine, MachineRuntime, MachineType } from "../machine.ts";
export type { AddressRegion, AddressSpace } from "../memory/address-space.ts";
export type { DirtyLog, DirtyRange } from "../memory/dirty-log.ts";
export type { Dma } from "../memory/dma.ts";
export { ArrayDma } from "../memory/dma.ts";
export type { MachineOptions } from "../options/machine-options.ts";
export { parseProperties } from "../options/properties.ts";
export type { Accessors, Field, Fields, SavedFields, SavedState, State, StateSchema } from "../state/state.ts";
export {
  array,
  bool,
  defineState,
  f64,
  group,
  i32,
  loadState,
  StateArena,
  saveState,
  u8,
  u16,
  u32,
  u64,
} from "../state/state.ts";
export type { RunState } from "../vm/protocol.ts";
export type { Hooks, MomentName, Moments, Registrations, Registry, RegistryName } from "./hooks.ts";
export { PluginHost } from "./host.ts";
export type { Core, Host, Plugin } from "./plugin.ts";
export { PLUGIN_API } from "./plugin.ts";
