/**
 * An egg timer on an ISA card: it counts down once, and asks for an interrupt when it gets to zero. Four ports:
 *
 *     +0  CONTROL / STATUS   bit 0 RUN: counts (writing 1 starts, 0 stops)
 *                            bit 1 IE: DONE asserts the interrupt line
 *                            bit 7 DONE: has got to zero (writing 1 clears it)
 *     +1  IDENT              0xe6, read only
 *     +2  COUNT              16 bits: ticks to count, and while RUN is set those that are left
 *
 * Invariants:
 *  1. RUN is set exactly while the timer is armed, for `deadline`.
 *  2. The interrupt line is DONE and IE.
 */

const CONTROL = 0;
const IDENT = 1;
const COUNT = 2;

const RUN = 0b0000_0001;
const IE = 0b0000_0010;
const DONE = 0b1000_0000;

const IDENTITY = 0xe6;

/**
 * The device type, made of what the core offers.
 *
 * @param {import("qemu-next").Core} core
 * @param {number} tickNs nanoseconds of one count
 * @returns {import("qemu-next").DeviceType}
 */
function eggTimerType({ defineState, f64, u16, u8, QemuError }, tickNs) {
  // Version 1 had no `deadline`: a timer that was running then starts again from COUNT.
  const EGG_TIMER = defineState(
    "egg-timer",
    2,
    { control: u8, count: u16, deadline: f64 },
    { upgrade: (_from, saved) => ({ ...saved, deadline: 0 }) },
  );

  class EggTimer {
    /** @param {{ name: string, arena: import("qemu-next").StateArena, clock: import("qemu-next").Clock, irq: import("qemu-next").IrqLine }} ports */
    constructor({ name, arena, clock, irq }) {
      this.state = arena.attach(name, EGG_TIMER);
      this.clock = clock;
      this.irq = irq;
      this.timer = clock.timer(`${name}.timer`, () => this.expire());
      /** What is mapped into the ports. */
      this.io = {
        name: "egg-timer",
        length: 4,
        max: 2,
        handler: {
          read: (offset, size) => this.read(offset, size),
          write: (offset, value, size) => this.write(offset, value, size),
        },
      };
    }

    reset() {
      const { state } = this;
      state.control = 0;
      state.count = 0;
      state.deadline = 0;
      this.timer.cancel();
      this.updateIrq();
    }

    /** After its state was loaded: the timer and the line are no part of it. */
    loaded() {
      const { state } = this;
      if (state.control & RUN) {
        if (state.deadline === 0) this.start();
        else this.timer.arm(state.deadline);
      } else this.timer.cancel();
      this.updateIrq();
    }

    read(offset, size) {
      const { control } = this.state;
      if (offset === CONTROL) return size === 1 ? control : control | (IDENTITY << 8);
      if (offset === IDENT) return size === 1 ? IDENTITY : IDENTITY | ((this.left() & 0xff) << 8);
      return this.left() >> ((offset - COUNT) * 8);
    }

    write(offset, value, size) {
      const { state } = this;
      if (offset === CONTROL) this.control(value & 0xff);
      else if (offset >= COUNT) {
        const shift = (offset - COUNT) * 8;
        const mask = (size === 1 ? 0xff : 0xffff) << shift;
        state.count = (state.count & ~mask) | ((value << shift) & mask);
        if (state.control & RUN) this.start();
      }
    }

    control(value) {
      const { state } = this;
      const left = this.left();
      const wasRunning = (state.control & RUN) !== 0;
      const running = (value & RUN) !== 0;
      const done = value & DONE ? 0 : state.control & DONE;
      state.control = (value & (RUN | IE)) | done;
      if (running && !wasRunning) this.start();
      if (!running && wasRunning) {
        state.count = left;
        this.timer.cancel();
      }
      this.updateIrq();
    }

    start() {
      this.state.deadline = this.clock.now() + this.state.count * tickNs;
      this.timer.arm(this.state.deadline);
    }

    /** Ticks that are left. */
    left() {
      const { control, count, deadline } = this.state;
      if (!(control & RUN)) return count;
      return Math.min(count, Math.max(0, Math.ceil((deadline - this.clock.now()) / tickNs)));
    }

    expire() {
      const { state } = this;
      state.count = 0;
      state.control = (state.control & ~RUN) | DONE;
      this.updateIrq();
    }

    updateIrq() {
      const { control } = this.state;
      this.irq.set((control & DONE) !== 0 && (control & IE) !== 0);
    }
  }

  return {
    name: "isa-egg-timer",
    bus: "ISA",
    category: "Misc",
    description: "egg timer",
    properties: {
      iobase: { type: "uint16", default: 0x2a0, description: "I/O address" },
      irq: { type: "uint32", default: 5, description: "interrupt" },
    },
    userCreatable: true,
    create({ name, arena, clock, ports, isaIrq }, properties) {
      const irq = Number(properties.irq);
      if (irq > 15) throw new QemuError("isa-irq", `isa-egg-timer: irq ${irq} is not an ISA interrupt (0 to 15)`);
      const timer = new EggTimer({ name, arena, clock, irq: isaIrq(irq) });
      ports.map(Number(properties.iobase), timer.io);
      return timer;
    },
  };
}

module.exports = { eggTimerType };
