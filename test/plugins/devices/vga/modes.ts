/** Register values of standard VGA modes, as the IBM VGA BIOS's parameter table has them. */

export interface Mode {
  readonly misc: number;
  readonly seq: readonly number[];
  readonly crtc: readonly number[];
  readonly attr: readonly number[];
  readonly gc: readonly number[];
}

const bytes = (hex: string): number[] => hex.split(" ").map((byte) => Number.parseInt(byte, 16));
const TEXT_COLORS = "00 01 02 03 04 05 14 07 38 39 3a 3b 3c 3d 3e 3f";

export const MODES: Readonly<Record<string, Mode>> = {
  "3": {
    misc: 0x67,
    seq: bytes("03 00 03 00 02"),
    crtc: bytes("5f 4f 50 82 55 81 bf 1f 00 4f 0d 0e 00 00 00 00 9c 8e 8f 28 1f 96 b9 a3 ff"),
    attr: bytes(`${TEXT_COLORS} 0c 00 0f 08 00`),
    gc: bytes("00 00 00 00 00 10 0e 00 ff"),
  },
  "4": {
    misc: 0x63,
    seq: bytes("03 09 03 00 02"),
    crtc: bytes("2d 27 28 90 2b 80 bf 1f 00 c1 00 00 00 00 00 00 9c 8e 8f 14 00 96 b9 a2 ff"),
    attr: bytes("00 13 15 17 02 04 06 07 10 11 12 13 14 15 16 17 01 00 03 00 00"),
    gc: bytes("00 00 00 00 00 30 0f 00 ff"),
  },
  "6": {
    misc: 0x63,
    seq: bytes("03 01 01 00 06"),
    crtc: bytes("5f 4f 50 82 54 80 bf 1f 00 c1 00 00 00 00 00 00 9c 8e 8f 28 00 96 b9 c2 ff"),
    attr: bytes("00 17 17 17 17 17 17 17 17 17 17 17 17 17 17 17 01 00 01 00 00"),
    gc: bytes("00 00 00 00 00 00 0d 00 ff"),
  },
  "7": {
    misc: 0x66,
    seq: bytes("03 00 03 00 02"),
    crtc: bytes("5f 4f 50 82 55 81 bf 1f 00 4f 0d 0e 00 00 00 00 9c 8e 8f 28 0d 96 b9 a3 ff"),
    attr: bytes("00 08 08 08 08 08 08 08 10 18 18 18 18 18 18 18 0e 00 0f 08 00"),
    gc: bytes("00 00 00 00 00 10 0a 00 ff"),
  },
  d: {
    misc: 0x63,
    seq: bytes("03 09 0f 00 06"),
    crtc: bytes("2d 27 28 90 2b 80 bf 1f 00 c0 00 00 00 00 00 00 9c 8e 8f 14 00 96 b9 e3 ff"),
    attr: bytes("00 01 02 03 04 05 06 07 10 11 12 13 14 15 16 17 01 00 0f 00 00"),
    gc: bytes("00 00 00 00 00 00 05 0f ff"),
  },
  "12": {
    misc: 0xe3,
    seq: bytes("03 01 0f 00 06"),
    crtc: bytes("5f 4f 50 82 54 80 0b 3e 00 40 00 00 00 00 00 00 ea 8c df 28 00 e7 04 e3 ff"),
    attr: bytes(`${TEXT_COLORS} 01 00 0f 00 00`),
    gc: bytes("00 00 00 00 00 00 05 0f ff"),
  },
  "13": {
    misc: 0x63,
    seq: bytes("03 01 0f 00 0e"),
    crtc: bytes("5f 4f 50 82 54 80 bf 1f 00 41 00 00 00 00 00 00 9c 8e 8f 28 40 96 b9 a3 ff"),
    attr: bytes("00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 41 00 0f 00 00"),
    gc: bytes("00 00 00 00 00 40 05 0f ff"),
  },
};
