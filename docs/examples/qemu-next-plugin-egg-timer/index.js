/** Plugin: the device isa-egg-timer. */

const { eggTimerType } = require("./egg-timer.js");

/** @type {import("qemu-next").Plugin} */
module.exports = {
  name: "qemu-next-plugin-egg-timer",
  api: 1,
  options: {
    tick: { type: "uint32", default: 1000, description: "microseconds of one count" },
  },
  apply({ hooks, core, options }) {
    if (options.tick === 0)
      throw new core.QemuError("egg-timer", "the egg timer needs a tick of 1 microsecond or more");
    const type = eggTimerType(core, Number(options.tick) * core.NS_PER_US);
    hooks.device.for(type.name).tap(module.exports.name, () => type);
  },
};
