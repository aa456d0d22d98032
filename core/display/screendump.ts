/** Pictures of the screen as files: PPM (binary, maxval 255), and PNG. */

import type { Surface } from "./surface.ts";

export type ImageFormat = "ppm" | "png";

export function encodePpm({ width, height, data }: Surface): Uint8Array {
  const header = new TextEncoder().encode(`P6\n${width} ${height}\n255\n`);
  const out = new Uint8Array(header.length + width * height * 3);
  out.set(header);
  for (let from = 0, to = header.length; from < width * height * 4; from += 4, to += 3) {
    out[to] = data[from];
    out[to + 1] = data[from + 1];
    out[to + 2] = data[from + 2];
  }
  return out;
}

export async function encodeImage(surface: Surface, format: ImageFormat): Promise<Uint8Array> {
  if (format === "ppm") return encodePpm(surface);
  const { encode } = await import("fast-png");
  const { width, height, data } = surface;
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) rgb.set(data.subarray(from, from + 3), to);
  return encode({ width, height, data: rgb, channels: 3 });
}
