/** The monitor's identification: VESA E-EDID 1.4, one block of 128 bytes with the preferred mode at 60 Hz. */

/** A detailed timing with the blanking of reduced-blanking monitors (VESA CVT). `height` and `width` in pixels. */
function detailedTiming(width: number, height: number): number[] {
  const horizontalBlank = 160;
  const verticalBlank = Math.max(31, Math.ceil(height * 0.03));
  const clock = Math.min(0xffff, Math.round(((width + horizontalBlank) * (height + verticalBlank) * 60) / 10_000));
  const millimetres = (pixels: number): number => Math.round((pixels * 25.4) / 100);
  const [w, h] = [millimetres(width), millimetres(height)];
  return [
    clock & 0xff,
    clock >> 8,
    width & 0xff,
    horizontalBlank & 0xff,
    ((width >> 8) << 4) | (horizontalBlank >> 8),
    height & 0xff,
    verticalBlank & 0xff,
    ((height >> 8) << 4) | (verticalBlank >> 8),
    48, // horizontal front porch
    32, // horizontal sync
    (3 << 4) | 6, // vertical front porch and sync
    0,
    w & 0xff,
    h & 0xff,
    ((w >> 8) << 4) | (h >> 8),
    0,
    0,
    0x18, // digital separate sync
  ];
}

function textDescriptor(tag: number, text: string): number[] {
  const bytes = [...text.slice(0, 13)].map((c) => c.charCodeAt(0));
  if (bytes.length < 13) bytes.push(0x0a);
  while (bytes.length < 13) bytes.push(0x20);
  return [0, 0, 0, tag, 0, ...bytes];
}

export function makeEdid(width: number, height: number): Uint8Array {
  const edid = new Uint8Array(128);
  edid.set([0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00]);
  // The manufacturer's three letters, five bits each.
  const letters = [..."RHT"].map((c) => c.charCodeAt(0) - 64);
  const vendor = (letters[0] << 10) | (letters[1] << 5) | letters[2];
  edid.set([vendor >> 8, vendor & 0xff, 0x34, 0x12, 0, 0, 0, 0, 42, 24, 1, 4], 8);
  // Digital, 8 bits per colour; size in cm; gamma 2.2; RGB, preferred timing is native.
  edid.set([0xa5, Math.round(width * 0.0254), Math.round(height * 0.0254), 0x78, 0x06], 20);
  // sRGB chromaticity.
  edid.set([0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54], 25);
  // Established timings: 640x480, 800x600, 1024x768 at 60 Hz.
  edid.set([0x21, 0x08, 0x00], 35);
  edid.fill(0x01, 38, 54);
  edid.set(detailedTiming(width, height), 54);
  edid.set(textDescriptor(0xfc, "QEMU Monitor"), 72);
  // Range limits: 50 to 125 Hz, 30 to 160 kHz, 600 MHz.
  edid.set([0, 0, 0, 0xfd, 0, 50, 125, 30, 160, 60, 0x01, 0x0a, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20], 90);
  edid.set(textDescriptor(0x10, ""), 108);
  edid[127] = -edid.reduce((sum, byte) => sum + byte, 0) & 0xff;
  return edid;
}
