/** The commands of the 82078 by their first byte: Intel 290475, chapter 5. */

export type CommandName =
  | "read"
  | "write"
  | "read-track"
  | "read-deleted"
  | "verify"
  | "read-id"
  | "format"
  | "specify"
  | "sense-drive"
  | "sense-interrupt"
  | "recalibrate"
  | "seek"
  | "seek-out"
  | "seek-in"
  | "version"
  | "configure"
  | "dump-registers"
  | "lock"
  | "perpendicular"
  | "part-id"
  | "powerdown"
  | "option"
  | "drive-specification"
  | "save"
  | "restore";

export interface Command {
  readonly name: CommandName;
  readonly mask: number;
  readonly code: number;
  /** Bytes after the first one. */
  readonly parameters: number;
}

const command = (name: CommandName, mask: number, code: number, parameters: number): Command => ({
  name,
  mask,
  code,
  parameters,
});

const COMMANDS: readonly Command[] = [
  command("read", 0x1f, 0x06, 8),
  command("write", 0x3f, 0x05, 8),
  command("write", 0x3f, 0x09, 8), // WRITE DELETED DATA
  command("read-deleted", 0x1f, 0x0c, 8),
  command("read-track", 0x9f, 0x02, 8),
  command("verify", 0x1f, 0x16, 8),
  command("read-id", 0xbf, 0x0a, 1),
  command("format", 0xbf, 0x0d, 5),
  command("specify", 0xff, 0x03, 2),
  command("sense-drive", 0xff, 0x04, 1),
  command("sense-interrupt", 0xff, 0x08, 0),
  command("recalibrate", 0xff, 0x07, 1),
  command("seek", 0xff, 0x0f, 2),
  command("seek-out", 0xff, 0x8f, 2),
  command("seek-in", 0xff, 0xcf, 2),
  command("version", 0xff, 0x10, 0),
  command("configure", 0xff, 0x13, 3),
  command("dump-registers", 0xff, 0x0e, 0),
  command("lock", 0x7f, 0x14, 0),
  command("perpendicular", 0xff, 0x12, 1),
  command("part-id", 0xff, 0x18, 0),
  command("powerdown", 0xff, 0x17, 1),
  command("option", 0xff, 0x33, 1),
  command("drive-specification", 0xff, 0x8e, 5),
  command("save", 0xff, 0x2e, 0),
  command("restore", 0xff, 0x4e, 16),
];

/** The command that starts with `byte`; undefined for an invalid one (SCAN is: the 82078 has none). */
export function commandOf(byte: number): Command | undefined {
  return COMMANDS.find(({ mask, code }) => (byte & mask) === code);
}
