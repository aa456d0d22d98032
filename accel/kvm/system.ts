/** /dev/kvm: whether this host has what we need, and its virtual machines. */

import { existsSync } from "node:fs";
import { messageOf, QemuError } from "../../core/errors.ts";
import * as abi from "./abi.ts";
import { KvmLibrary } from "./libc.ts";

const DEVICE = "/dev/kvm";
/** Four pages below the firmware that no guest uses: Intel CPUs keep a task state segment and page tables there. */
const IDENTITY_MAP = 0xfeffc000;
const TSS = 0xfeffd000;

const REASONS: Readonly<Record<string, readonly [message: string, hint?: string]>> = {
  ENOENT: ["No such file or directory", "is the host's KVM module loaded, and virtualization enabled in its firmware?"],
  EACCES: ["Permission denied", "join the group that owns /dev/kvm (usually 'kvm'), and log in again"],
  EPERM: ["Operation not permitted", "join the group that owns /dev/kvm (usually 'kvm'), and log in again"],
  ENODEV: ["No such device", "is the host's KVM module loaded, and virtualization enabled in its firmware?"],
};

/** /dev/kvm, or a QemuError that says why it cannot be used. */
export async function openKvm(): Promise<KvmSystem> {
  const { platform, arch } = process;
  if (platform !== "linux" || arch !== "x64") {
    throw new QemuError("no-kvm", `KVM runs x86 guests on Linux on x86-64 only; this is ${platform} on ${arch}`);
  }
  const library = await KvmLibrary.load();
  let fd: number;
  try {
    fd = library.open(DEVICE);
  } catch (cause) {
    const [reason, hint] = REASONS[(cause as NodeJS.ErrnoException).code ?? ""] ?? [messageOf(cause)];
    throw new QemuError("no-kvm", `Could not access KVM kernel module: ${reason}`, { cause, hint });
  }
  try {
    return new KvmSystem(library, fd);
  } catch (error) {
    library.close(fd);
    throw error;
  }
}

/** Whether the host's kernel emulates guests: neither of the modules for virtualization by the CPU is there. */
export function emulatesGuests(): boolean {
  const [common, ...hardware] = ["kvm", "kvm_intel", "kvm_amd"].map((name) => existsSync(`/sys/module/${name}`));
  return common && !hardware.includes(true);
}

export class KvmSystem {
  readonly library: KvmLibrary;
  readonly fd: number;

  constructor(library: KvmLibrary, fd: number) {
    this.library = library;
    this.fd = fd;
    const version = library.check("KVM_GET_API_VERSION", library.ioctl(fd, abi.KVM_GET_API_VERSION));
    if (version !== abi.API_VERSION) {
      throw new QemuError("no-kvm", `${DEVICE} has API version ${version}; version ${abi.API_VERSION} is needed`);
    }
    for (const [name, number] of Object.entries(abi.REQUIRED_CAPABILITIES)) {
      if (this.capability(number) > 0) continue;
      throw new QemuError("no-kvm", `kvm does not support ${name}`, { hint: "the host needs a newer kernel" });
    }
  }

  /** What the kernel says of a capability: zero or less when it lacks it. */
  capability(number: number): number {
    return this.library.ioctl(this.fd, abi.KVM_CHECK_EXTENSION, number);
  }

  /** The descriptor of a new virtual machine. */
  createVm(): number {
    const { library } = this;
    let vm = library.ioctl(this.fd, abi.KVM_CREATE_VM);
    // It takes long enough for a signal to come in between, such as a profiler's.
    while (vm < 0 && library.errorName() === "EINTR") vm = library.ioctl(this.fd, abi.KVM_CREATE_VM);
    library.check("KVM_CREATE_VM", vm);
    if (this.capability(abi.KVM_CAP_SET_IDENTITY_MAP_ADDR) > 0) {
      const address = new BigUint64Array([BigInt(IDENTITY_MAP)]);
      library.check("KVM_SET_IDENTITY_MAP_ADDR", library.ioctlWith(vm, abi.KVM_SET_IDENTITY_MAP_ADDR, address));
    }
    library.check("KVM_SET_TSS_ADDR", library.ioctl(vm, abi.KVM_SET_TSS_ADDR, TSS));
    return vm;
  }

  close(): void {
    this.library.close(this.fd);
  }
}
