/** Plugin: the keyboard controller with keyboard and mouse. */

import type { DeviceType } from "../../../core/device.ts";
import { QemuError } from "../../../core/errors.ts";
import type { Plugin } from "../../../core/plugin/plugin.ts";
import { I8042 } from "./i8042.ts";

export const I8042_TYPE: DeviceType = {
  name: "i8042",
  bus: "ISA",
  category: "Input",
  description: "Keyboard controller with PS/2 keyboard and mouse",
  properties: {},
  userCreatable: false,
  create(context) {
    const a20 = context.board?.a20;
    if (!a20) throw new QemuError("i8042-board", "i8042 needs a board with an A20 gate");
    const { name, arena, clock, input, machine } = context;
    const controller = new I8042({
      name,
      arena,
      clock,
      keyboardIrq: context.isaIrq(1),
      mouseIrq: context.isaIrq(12),
      a20,
      resetMachine: () => machine.reset("guest-reset"),
    });
    context.ports.map(0x60, controller.dataIo);
    context.ports.map(0x64, controller.commandIo);
    const { keyboard, mouse } = controller;
    input.addKeyboard({
      key(code, down) {
        keyboard.key(code, down);
        machine.wakeUp("other");
      },
    });
    input.addPointer({
      absolute: mouse.absolute,
      move: (dx, dy) => mouse.move(dx, dy),
      button(button, down) {
        mouse.button(button, down);
        machine.wakeUp("other");
      },
      sync: () => mouse.sync(),
    });
    return controller;
  },
};

const plugin: Plugin = {
  name: "i8042",
  api: 1,
  apply(host) {
    host.hooks.device.for("i8042").tap("i8042", () => I8042_TYPE);
  },
};

export default plugin;
