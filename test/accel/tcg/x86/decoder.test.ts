import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type CodeSize,
  createInsn,
  DECODE_GP,
  DECODE_MORE,
  DECODE_UD,
  Decoder,
} from "../../../../accel/tcg/x86/decoder.ts";
import { format } from "../../../../accel/tcg/x86/format.ts";
import { BASE_RIP, type OpcodeRow } from "../../../../accel/tcg/x86/insn.ts";
import { OPCODE_ROWS } from "../../../../accel/tcg/x86/rows.ts";
import { Random } from "../../../oracle/random.ts";

const decoder = new Decoder(OPCODE_ROWS);
const insn = createInsn(OPCODE_ROWS[0]);
const bytesOf = (text: string): Uint8Array => Uint8Array.from(text.split(" "), (byte) => Number.parseInt(byte, 16));

/** Decodes at address 0x1000 and prints; the bytes must be used up exactly. */
function show(bits: CodeSize, text: string): string {
  const bytes = bytesOf(text);
  const length = decoder.decode(insn, bytes, 0, bytes.length, bits);
  if (length === DECODE_UD) return "#UD";
  if (length === DECODE_GP) return "#GP";
  if (length === DECODE_MORE) return "more";
  return length === bytes.length ? format(insn, 0x1000n) : `length ${length}: ${format(insn, 0x1000n)}`;
}

/** "bytes | expected" lines for one code size. */
function table(name: string, bits: CodeSize, text: string): void {
  test(name, () => {
    for (const line of text.trim().split("\n")) {
      const [bytes, expected] = line.split("|").map((part) => part.trim());
      assert.is(show(bits, bytes), expected, bytes);
    }
  });
}

table(
  "64-bit operands, REX and operand sizes",
  64,
  `
  89 d8                         | mov eax, ebx
  48 89 d8                      | mov rax, rbx
  66 89 d8                      | mov ax, bx
  66 48 89 d8                   | mov rax, rbx
  88 e0                         | mov al, ah
  40 88 e0                      | mov al, spl
  45 88 f8                      | mov r8b, r15b
  4c 8d 04 8d 10 00 00 00       | lea r8, [rcx*4+0x10]
  48 b8 88 77 66 55 44 33 22 11 | mov rax, 0x1122334455667788
  b8 ff ff ff ff                | mov eax, 0xffffffff
  66 b8 34 12                   | mov ax, 0x1234
  48 c7 c0 ff ff ff ff          | mov rax, 0xffffffffffffffff
  66 c7 c0 34 12                | mov ax, 0x1234
  48 83 c4 f8                   | add rsp, 0xfffffffffffffff8
  83 e0 f0                      | and eax, 0xfffffff0
  48 63 c1                      | movsxd rax, ecx
  0f b7 c1                      | movzx eax, cx
  66 0f be c1                   | movsx ax, cl
  48 98                         | cdqe
  98                            | cwde
  66 98                         | cbw
  48 99                         | cqo
  41 0f c8                      | bswap r8d
  0f b6 04 25 78 56 34 12       | movzx eax, byte [0x12345678]
  `,
);

table(
  "64-bit addressing",
  64,
  `
  8b 05 10 00 00 00             | mov eax, dword [rel 0x1016]
  67 8b 05 10 00 00 00          | mov eax, dword [rel 0x1017]
  83 3d 01 00 00 00 05          | cmp dword [rel 0x1008], 0x5
  8b 04 24                      | mov eax, dword [rsp]
  8b 45 00                      | mov eax, dword [rbp]
  41 8b 45 00                   | mov eax, dword [r13]
  41 8b 04 24                   | mov eax, dword [r12]
  42 8b 04 20                   | mov eax, dword [rax+r12]
  8b 44 e8 80                   | mov eax, dword [rax+rbp*8-0x80]
  43 8b 84 c5 00 01 00 00       | mov eax, dword [r13+r8*8+0x100]
  67 8b 00                      | mov eax, dword [eax]
  64 8b 04 25 00 00 00 00       | mov eax, dword fs:[0x0]
  2e 8b 00                      | mov eax, dword [rax]
  65 2e 8b 00                   | mov eax, dword gs:[rax]
  a1 88 77 66 55 44 33 22 11    | mov eax, [0x1122334455667788]
  67 a1 44 33 22 11             | mov eax, [0x11223344]
  `,
);

table(
  "64-bit stack and control flow",
  64,
  `
  50                | push rax
  41 57             | push r15
  66 50             | push ax
  48 50             | push rax
  6a ff             | push 0xffffffffffffffff
  68 ff ff ff ff    | push 0xffffffffffffffff
  66 68 34 12       | push word 0x1234
  8f 00             | pop qword [rax]
  c3                | ret
  66 c3             | ret
  c2 08 00          | ret 0x8
  e8 fb 0f 00 00    | call 0x2000
  66 e8 fa 0f 00 00 | call 0x2000
  eb fe             | jmp 0x1000
  74 fe             | je 0x1000
  0f 85 fa ff ff ff | jne 0x1000
  ff 20             | jmp qword [rax]
  ff d0             | call rax
  e3 fe             | jrcxz 0x1000
  67 e3 fd          | jecxz 0x1000
  e2 fe             | loop 0x1000
  c8 10 00 01       | enter 0x10, 0x1
  c9                | leave
  `,
);

table(
  "prefixes that are part of the opcode",
  64,
  `
  90                   | nop
  41 90                | xchg r8d, eax
  48 90                | nop
  f3 90                | pause
  f3 0f 1e fa          | endbr64
  f3 0f 1e fb          | endbr32
  0f 1f 44 00 00       | nop dword [rax+rax]
  66 2e 0f 1f 84 00 00 00 00 00 | nop word [rax+rax]
  0f 0d 08             | prefetch dword [rax]
  0f bc c1             | bsf eax, ecx
  f2 0f bc c1          | bsf eax, ecx
  f3 0f bc c1          | tzcnt eax, ecx
  66 f3 0f bd c1       | lzcnt ax, cx
  f3 48 0f b8 c1       | popcnt rax, rcx
  0f b8 c1             | #UD
  0f 38 f0 00          | movbe eax, dword [rax]
  66 0f 38 f1 00       | movbe word [rax], ax
  0f 38 f0 c0          | #UD
  f2 0f 38 f0 c1       | crc32 eax, cl
  66 f2 0f 38 f1 c1    | crc32 eax, cx
  f2 48 0f 38 f1 c1    | crc32 eax, rcx
  66 0f 38 f6 c1       | adcx eax, ecx
  f3 48 0f 38 f6 c1    | adox rax, rcx
  f3 a4                | rep movsb
  f3 48 ab             | rep stosq
  f2 ae                | repne scasb
  48 f3 ab             | rep stosd
  `,
);

table(
  "LOCK needs a memory destination that it may lock",
  64,
  `
  f0 01 00             | lock add dword [rax], eax
  f0 01 c0             | #UD
  f0 03 00             | #UD
  f0 3b 00             | #UD
  f0 39 00             | #UD
  f0 48 0f b1 0b       | lock cmpxchg qword [rbx], rcx
  f0 0f c7 0b          | lock cmpxchg8b qword [rbx]
  f0 48 0f c7 0b       | lock cmpxchg16b xmmword [rbx]
  f0 87 03             | lock xchg dword [rbx], eax
  f0 0f ab 03          | lock bts dword [rbx], eax
  f0 0f a3 03          | #UD
  f0 0f ba 23 01       | #UD
  f0 0f ba 2b 01       | lock bts dword [rbx], 0x1
  f0 ff 03             | lock inc dword [rbx]
  f0 90                | #UD
  f0 89 03             | #UD
  `,
);

table(
  "VEX",
  64,
  `
  c4 e2 70 f2 c2       | andn eax, ecx, edx
  c4 e2 f0 f2 c2       | andn rax, rcx, rdx
  c4 42 28 f2 cb       | andn r9d, r10d, r11d
  c4 e2 68 f7 03       | bextr eax, dword [rbx], edx
  c4 e2 69 f7 c3       | shlx eax, ebx, edx
  c4 e2 ea f7 c3       | sarx rax, rbx, rdx
  c4 e2 eb f7 c3       | shrx rax, rbx, rdx
  c4 e3 fb f0 c3 05    | rorx rax, rbx, 0x5
  c4 e3 73 f0 c3 05    | #UD
  c4 e2 78 f3 cb       | blsr eax, ebx
  c4 e2 78 f3 d3       | blsmsk eax, ebx
  c4 e2 78 f3 db       | blsi eax, ebx
  c4 e2 78 f3 c3       | #UD
  c4 e2 7c f3 cb       | #UD
  c4 e2 73 f5 c2       | pdep eax, ecx, edx
  c4 e2 72 f5 c2       | pext eax, ecx, edx
  c4 e2 73 f6 c2       | mulx eax, ecx, edx
  66 c4 e2 70 f2 c2    | #UD
  f3 c4 e2 70 f2 c2    | #UD
  48 c4 e2 70 f2 c2    | #UD
  f0 c4 e2 70 f2 c2    | #UD
  c4 e5 70 f2 c2       | #UD
  c4 e0 70 f2 c2       | #UD
  62 f1 7c 48 58 c1    | #UD
  `,
);

table(
  "not in 64-bit mode",
  64,
  `
  06                   | #UD
  27                   | #UD
  2f                   | #UD
  37                   | #UD
  3f                   | #UD
  60                   | #UD
  61                   | #UD
  82 c0 01             | #UD
  d4 0a                | #UD
  d5 0a                | #UD
  d6                   | #UD
  ea 00 00 00 00 00 00 | #UD
  c4 00 00 00          | #UD
  62 00                | #UD
  `,
);

table(
  "16-bit code",
  16,
  `
  89 d8                | mov ax, bx
  66 89 d8             | mov eax, ebx
  8b 00                | mov ax, word [bx+si]
  8b 01                | mov ax, word [bx+di]
  8b 02                | mov ax, word [bp+si]
  8b 03                | mov ax, word [bp+di]
  8b 04                | mov ax, word [si]
  8b 05                | mov ax, word [di]
  8b 06 34 12          | mov ax, word [0x1234]
  8b 07                | mov ax, word [bx]
  8b 46 fe             | mov ax, word [bp-0x2]
  8b 86 00 01          | mov ax, word [bp+0x100]
  67 8b 04 4b          | mov ax, word [ebx+ecx*2]
  67 66 8b 80 00 00 01 00 | mov eax, dword [eax+0x10000]
  26 8a 05             | mov al, byte es:[di]
  36 8b 07             | mov ax, word ss:[bx]
  a1 34 12             | mov ax, [0x1234]
  67 a1 78 56 34 12    | mov ax, [0x12345678]
  b8 34 12             | mov ax, 0x1234
  66 b8 78 56 34 12    | mov eax, 0x12345678
  40                   | inc ax
  4b                   | dec bx
  60                   | pushaw
  66 60                | pushad
  68 34 12             | push 0x1234
  6a ff                | push 0xffff
  e8 fd 0f             | call 0x2000
  66 e8 fa 0f 00 00    | call 0x2000
  e9 fd ff             | jmp 0x1000
  e3 fe                | jcxz 0x1000
  67 e3 fd             | jecxz 0x1000
  d4 0a                | aam 0xa
  d6                   | salc
  82 c0 01             | add al, 0x1
  c5 c0 00 00          | #UD
  0f a4 d8 04          | shld ax, bx, 0x4
  f3 66 ab             | rep stosd
  `,
);

table(
  "32-bit code",
  32,
  `
  89 d8                | mov eax, ebx
  66 89 d8             | mov ax, bx
  67 8b 07             | mov eax, dword [bx]
  67 8b 06 34 12       | mov eax, dword [0x1234]
  8b 05 34 12 00 00    | mov eax, dword [0x1234]
  8b 04 25 34 12 00 00 | mov eax, dword [0x1234]
  a1 34 12 00 00       | mov eax, [0x1234]
  67 a1 34 12          | mov eax, [0x1234]
  40                   | inc eax
  48                   | dec eax
  66 48                | dec ax
  68 78 56 34 12       | push 0x12345678
  66 68 34 12          | push word 0x1234
  66 e9 fc ff          | jmp 0x1000
  e9 fb ff ff ff       | jmp 0x1000
  c4 e2 70 f2 c2       | andn eax, ecx, edx
  c4 c2 70 f2 c2       | andn eax, ecx, edx
  c4 e2 f0 f2 c2       | andn eax, ecx, edx
  c4 e2 30 f2 c2       | andn eax, ecx, edx
  0f c7 0b             | cmpxchg8b qword [ebx]
  `,
);

test("the fields that emit functions use", () => {
  show(64, "48 8b 05 10 00 00 00");
  assert.is(insn.base, BASE_RIP);
  assert.is(insn.disp, 0x10);
  show(64, "48 a1 88 77 66 55 44 33 22 91");
  assert.is(insn.disp >>> 0, 0x55667788);
  assert.is(insn.dispHigh >>> 0, 0x91223344);
  assert.is(insn.base, -1);
  show(64, "8b 84 98 00 00 00 80");
  assert.equal([insn.base, insn.index, insn.scale, insn.disp, insn.dispHigh], [0, 3, 2, -0x80000000, -1]);
  show(64, "49 b8 ff ff ff ff 00 00 00 00");
  assert.equal([insn.rm, insn.imm, insn.immHigh], [8, -1, 0]);
  show(16, "8b 42 80");
  assert.equal([insn.base, insn.index, insn.disp, insn.addrSize], [5, 6, -128, 2]);
});

test("a prefix after REX makes the REX void", () => {
  assert.is(show(64, "48 66 89 d8"), "mov ax, bx");
  assert.is(show(64, "4f 48 89 d8"), "mov rax, rbx");
});

test("fifteen bytes are the limit", () => {
  const nops = (count: number): string => `${"66 ".repeat(count)}90`;
  assert.is(show(64, nops(14)), "nop");
  assert.is(show(64, nops(15)), "#GP");
  assert.is(show(64, nops(13)), "nop");
  const long = bytesOf(`${"2e ".repeat(8)}81 84 00 78 56 34 12 78 56 34 12`);
  assert.is(decoder.decode(insn, long, 0, long.length, 64), DECODE_GP);
});

test("every cut of an instruction asks for more", () => {
  for (const text of [
    "48 b8 1 2 3 4 5 6 7 8",
    "66 c7 84 98 1 2 3 4 5 6",
    "c4 e3 fb f0 43 1 5",
    "f2 0f 38 f0 44 24 8",
  ]) {
    const bytes = bytesOf(text);
    for (let length = 0; length < bytes.length; length++) {
      assert.is(decoder.decode(insn, bytes, 0, length, 64), DECODE_MORE, `${text} cut to ${length}`);
    }
    assert.is(decoder.decode(insn, bytes, 0, bytes.length, 64), bytes.length);
  }
});

test("instructions of absent features are not there", () => {
  const old = new Decoder(OPCODE_ROWS, () => false);
  const decode = (text: string): string => {
    const bytes = bytesOf(text);
    return old.decode(insn, bytes, 0, bytes.length, 32) > 0 ? insn.row.name : "#UD";
  };
  assert.is(decode("f3 0f bc c1"), "bsf");
  assert.is(decode("f3 0f bd c1"), "bsr");
  assert.is(decode("0f 44 c1"), "#UD");
  assert.is(decode("c4 e2 70 f2 c2"), "#UD");
});

test("no two rows claim the same encoding with equal right", () => {
  const limits = ({ map, byte, prefix, reg, mod, rm, mode, vex, w, feature }: OpcodeRow): string =>
    JSON.stringify([map, byte, prefix, reg, mod, rm, mode, vex, w, feature]);
  const seen = new Map<string, string>();
  for (const row of OPCODE_ROWS) {
    const key = limits(row);
    assert.not(seen.has(key), `${row.name} and ${seen.get(key)}: ${key}`);
    seen.set(key, row.name);
  }
});

test("random bytes never throw and never take more than fifteen", () => {
  const random = new Random(7);
  const bytes = new Uint8Array(24);
  const common = [0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x0f, 0x48, 0xc4, 0xc5, 0x0f, 0x38, 0x3a];
  for (let round = 0; round < 60_000; round++) {
    for (let at = 0; at < bytes.length; at++) bytes[at] = random.oneIn(6) ? random.pick(common) : random.u32();
    const bits = random.pick([16, 32, 64] as const);
    const length = decoder.decode(insn, bytes, 0, 16, bits);
    assert.ok(length <= 15 && length >= DECODE_GP, `length ${length}`);
    if (length <= 0) continue;
    assert.ok(format(insn, 0x1000n).length > 1);
    const name = insn.row.name;
    assert.is(decoder.decode(insn, bytes, 0, length, bits), length, "needs its own bytes only");
    assert.is(insn.row.name, name);
  }
});

test.run();
