import { test } from "uvu";
import * as assert from "uvu/assert";
import { PortSpace } from "../../../core/bus/io.ts";
import { type MachineCommandContext, runMachineCommand } from "../../../core/monitor/machine-commands.ts";

/** A machine of four ports that hold what is written to them. */
function machine(): MachineCommandContext {
  const ports = new PortSpace();
  const bytes = new Uint8Array(4);
  const handler = { read: (at: number) => bytes[at], write: (at: number, value: number) => void (bytes[at] = value) };
  ports.map(0x2b0, { name: "four", length: 4, max: 1, handler });
  return { machine: { ports, vcpus: [] }, clock: { poll() {} } } as unknown as MachineCommandContext;
}

test("i and o reach I/O ports in the sizes of /fmt", () => {
  const context = machine();
  const i = (format: string, address: string) => runMachineCommand(context, "i", { format, address }).json;
  const o = (format: string, address: string, value: string) =>
    runMachineCommand(context, "o", { format, address, value }).json;
  assert.is(o("", "0x2b0", "0x12345678"), "");
  assert.is(i("", "0x2b0"), "portl[0x02b0] = 0x12345678\n");
  o("/h", "0x2b0 + 2", "-2");
  assert.is(i("/h", "0x2b2"), "portw[0x02b2] = 0xfffe\n");
  o("/b", "689", "0x1ff");
  assert.is(i("/b", "0x2b1"), "portb[0x02b1] = 0xff\n");
  assert.is(i("/b", "0x102c0"), "portb[0x02c0] = 0xff\n", "nothing there");
  assert.throws(() => i("/g", "0x2b0"), /at most 4 bytes/);
  assert.throws(() => o("/b", "0x2b0", "x"), /invalid char/);
});

test.run();
