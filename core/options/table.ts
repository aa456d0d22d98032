/** The options of qemu-next, in the order -help shows them. Everything a user can write on the command line is here. */

import type { OptionSpec } from "./lexer.ts";

export interface OptionSection {
  readonly title: string;
  readonly options: readonly OptionSpec[];
}

export const OPTION_SECTIONS: readonly OptionSection[] = [
  {
    title: "Standard options",
    options: [
      { names: ["h", "help"], help: ["display this help and exit"] },
      { names: ["version"], help: ["display version information and exit"] },
      {
        names: ["machine", "M"],
        argument: "[type=]name[,prop[=value][,...]]",
        help: [
          "selects the emulated machine ('-machine help' for a list)",
          "accel=accel1[:accel2[:...]] selects the accelerator",
          "kernel-irqchip=on|off|split controls the interrupt controllers of KVM (default: on)",
        ],
      },
      { names: ["cpu"], argument: "cpu[,+feature][,-feature]", help: ["select CPU ('-cpu help' for a list)"] },
      {
        names: ["accel"],
        argument: "[accel=]accelerator[,prop[=value][,...]]",
        help: ["select accelerator ('-accel help' for a list)"],
      },
      { names: ["enable-kvm"], help: ["same as -accel kvm"] },
      {
        names: ["smp"],
        argument: "[[cpus=]n][,sockets=n][,dies=n][,cores=n][,threads=n]",
        help: [
          "set the number of CPUs to 'n' [default=1]",
          "sockets= number of sockets on the machine board",
          "dies= number of dies in one socket",
          "cores= number of cores in one die",
          "threads= number of threads in one core",
        ],
      },
      {
        names: ["global"],
        argument: "driver.property=value",
        help: ["set a property of all devices of a type, the board's too"],
      },
      {
        names: ["boot"],
        argument: "[order=drives][,once=drives][,menu=on|off]",
        help: [
          "[,splash-time=sp_time][,reboot-timeout=rb_time][,strict=on|off]",
          "'drives': floppy (a), hard disk (c), CD-ROM (d), network (n)",
          "'sp_time': how long the boot menu's prompt stays, 'rb_time': when to try again (-1: never), in milliseconds",
          "'strict': boot only what has a bootindex",
        ],
      },
      { names: ["m"], argument: "[size=]megs", help: ["guest memory, MiB without suffix (default: 128)"] },
      {
        names: ["device"],
        argument: "driver[,prop[=value][,...]]",
        help: ["add a device ('-device help' for a list, '-device driver,help' for properties)"],
      },
      { names: ["name"], argument: "string", help: ["name of the guest"] },
      { names: ["uuid"], argument: "uuid", help: ["machine UUID"] },
    ],
  },
  {
    title: "Block device options",
    options: [
      { names: ["fda"], argument: "file", help: ["use 'file' as floppy disk 0"] },
      { names: ["fdb"], argument: "file", help: ["use 'file' as floppy disk 1"] },
      { names: ["hda"], argument: "file", help: ["use 'file' as IDE hard disk 0"] },
      { names: ["hdb"], argument: "file", help: ["use 'file' as IDE hard disk 1"] },
      { names: ["hdc"], argument: "file", help: ["use 'file' as IDE hard disk 2"] },
      { names: ["hdd"], argument: "file", help: ["use 'file' as IDE hard disk 3"] },
      { names: ["cdrom"], argument: "file", help: ["use 'file' as CD-ROM (IDE drive 2)"] },
      {
        names: ["drive"],
        argument: "[file=file][,if=type][,bus=n][,unit=m][,media=d][,index=i]",
        help: ["[,format=f][,snapshot=on|off][,readonly=on|off][,cache=c][,id=name]", "'type': ide, floppy or none"],
      },
      { names: ["snapshot"], help: ["write to temporary files instead of disk images"] },
    ],
  },
  {
    title: "Display options",
    options: [
      { names: ["display"], argument: "none", help: ["select the display"] },
      { names: ["nographic"], help: ["no display; serial port and monitor on the terminal"] },
      { names: ["vga"], argument: "std|none", help: ["select the video card"] },
    ],
  },
  {
    title: "Network options",
    options: [
      { names: ["nic"], argument: "none", help: ["no network"] },
      { names: ["net"], argument: "none", help: ["no network"] },
    ],
  },
  {
    title: "Character device options",
    options: [
      {
        names: ["chardev"],
        argument: "backend,id=id[,mux=on|off][,prop=value...]",
        help: ["add a character device ('-chardev help' for a list)"],
      },
    ],
  },
  {
    title: "Boot image options",
    options: [
      { names: ["bios"], argument: "file", help: ["the BIOS image"] },
      { names: ["kernel"], argument: "file", help: ["a Linux or Multiboot kernel"] },
      { names: ["append"], argument: "cmdline", help: ["the kernel's command line"] },
      { names: ["initrd"], argument: "file", help: ["the initial ram disk, or Multiboot modules"] },
    ],
  },
  {
    title: "Debug and expert options",
    options: [
      {
        names: ["serial"],
        argument: "dev",
        help: [
          "redirect a serial port to a character device: stdio, pty, null, none, file:path, pipe:path,",
          "tcp:host:port, telnet:host:port, unix:path (these with ,server=on[,wait=off]), mon:dev, chardev:id",
        ],
      },
      { names: ["parallel"], argument: "dev", help: ["redirect a parallel port to a character device"] },
      { names: ["monitor"], argument: "dev", help: ["redirect the monitor to a character device"] },
      { names: ["mon"], argument: "[chardev=]name[,mode=readline]", help: ["a monitor on a named character device"] },
      {
        names: ["debugcon"],
        argument: "dev",
        help: ["the debug console (port 0xe9 unless -global isa-debugcon.iobase=...)"],
      },
      { names: ["echr"], argument: "chr", help: ["code of the terminal's escape character instead of ctrl-a"] },
      { names: ["pidfile"], argument: "file", help: ["write the process id to 'file'"] },
      { names: ["S"], help: ["do not start the CPU ('c' in the monitor starts it)"] },
      { names: ["d"], argument: "item1,...", help: ["log items ('-d help' for a list)"] },
      { names: ["D"], argument: "logfile", help: ["write the log to 'logfile' (default: stderr)"] },
      { names: ["L"], argument: "path", help: ["a folder to look for firmware in"] },
      { names: ["no-reboot"], help: ["exit instead of rebooting"] },
      { names: ["no-shutdown"], help: ["stop instead of exiting at shutdown"] },
      {
        names: ["action"],
        argument: "[reboot=reset|shutdown][,shutdown=poweroff|pause]",
        help: ["[,panic=pause|shutdown|exit-failure|none]", "what to do when the guest reboots, powers off or panics"],
      },
      { names: ["rtc"], argument: "[base=utc|localtime|<datetime>][,clock=host|rt|vm]", help: ["the real-time clock"] },
      { names: ["option-rom"], argument: "rom[,bootindex=n]", help: ["load a file as an option ROM"] },
      { names: ["nodefaults"], help: ["don't create default devices"] },
      {
        names: ["plugin"],
        argument: "name[,option=value]",
        help: [
          "load a plugin: 'name' is the package qemu-next-plugin-<name>, a folder or a file ('./name')",
          "('-plugin name,help' for its options; 'qemu-next plugin add' installs packages)",
        ],
      },
      { names: ["readconfig"], argument: "file", help: ["read a configuration file (.json, .mjs or .mts)"] },
      { names: ["no-user-config"], help: ["don't read qemu-next.config.* in the current folder"] },
      { names: ["msg"], argument: "[timestamp=on|off]", help: ["put the time before messages"] },
      { names: ["trace"], help: ["show where in the program an error came from"] },
    ],
  },
];

export const OPTIONS: readonly OptionSpec[] = OPTION_SECTIONS.flatMap((section) => section.options);
