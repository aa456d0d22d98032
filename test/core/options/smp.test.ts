/** Completion and messages of -smp are those of QEMU 7.2's machine `pc`. */

import { test } from "uvu";
import * as assert from "uvu/assert";
import { apicIdOf, apicIdShifts } from "../../../core/cpu-topology.ts";
import { parseKeyValues, toRecord } from "../../../core/options/keyval.ts";
import { readSmp, smpHelp } from "../../../core/options/smp.ts";

const warnings: string[] = [];
const read = (text: string) => {
  warnings.length = 0;
  return readSmp(toRecord(parseKeyValues(text, "cpus")), "pc", 255, (warning) => void warnings.push(warning));
};
const counts = (text: string): string => {
  const { cpus, sockets, dies, cores, threads } = read(text);
  return `${cpus}=${sockets}*${dies}*${cores}*${threads}`;
};

test("what is left out: cores before sockets before threads", () => {
  const given: Readonly<Record<string, string>> = {
    "": "1=1*1*1*1",
    "1": "1=1*1*1*1",
    "4": "4=1*1*4*1",
    "cpus=255": "255=1*1*255*1",
    "0x4": "4=1*1*4*1",
    "010": "8=1*1*8*1",
    "4,sockets=2": "4=2*1*2*1",
    "4,cores=2": "4=2*1*2*1",
    "4,dies=2": "4=1*2*2*1",
    "4,threads=2": "4=1*1*2*2",
    "8,sockets=2,cores=2": "8=2*1*2*2",
    "8,cores=2,threads=2": "8=2*1*2*2",
    "sockets=2,cores=3": "6=2*1*3*1",
    "cores=4": "4=1*1*4*1",
    "threads=2": "2=1*1*1*2",
    "dies=2": "2=1*2*1*1",
    "maxcpus=4": "4=1*1*4*1",
    "4,clusters=1": "4=1*1*4*1",
    "4,cpus=2": "2=1*1*2*1",
  };
  for (const [text, expected] of Object.entries(given)) assert.is(counts(text), expected, text);
});

test("refusals", () => {
  const given: Readonly<Record<string, string>> = {
    "256": "Invalid SMP CPUs 256. The max CPUs supported by machine 'pc' is 255",
    "-1": "Invalid SMP CPUs -1. The max CPUs supported by machine 'pc' is 255",
    "8,maxcpus=300": "Invalid SMP CPUs 300. The max CPUs supported by machine 'pc' is 255",
    abc: "Parameter 'smp.cpus' expects integer",
    "1.5": "Parameter 'smp.cpus' expects integer",
    "4,cores": "Parameter 'smp.cores' expects integer",
    "4,foo=1": "Parameter 'smp.foo' is unexpected",
    "4,clusters=2": "clusters not supported by this machine's CPU topology",
    "4,sockets=2,cores=2,threads=2":
      "Invalid CPU topology: product of the hierarchy must match maxcpus: sockets (2) * dies (1) * cores (2) * threads (2) != maxcpus (4)",
    "5,cores=2":
      "Invalid CPU topology: product of the hierarchy must match maxcpus: sockets (2) * dies (1) * cores (2) * threads (1) != maxcpus (5)",
    "sockets=3,maxcpus=2":
      "Invalid CPU topology: product of the hierarchy must match maxcpus: sockets (3) * dies (1) * cores (0) * threads (1) != maxcpus (2)",
    "4,maxcpus=2":
      "Invalid CPU topology: maxcpus must be equal to or greater than smp: sockets (1) * dies (1) * cores (2) * threads (1) == maxcpus (2) < smp_cpus (4)",
    "4,cores=-2,sockets=-2":
      "Invalid CPU topology: sockets (-2) * dies (1) * cores (-2) * threads (1): each must be greater than zero",
    "4,maxcpus=8": "this version of qemu-next has no CPU hotplug (maxcpus above cpus)",
    "99999999999999999999": "Invalid SMP CPUs 100000000000000000000. The max CPUs supported by machine 'pc' is 255",
  };
  for (const [text, message] of Object.entries(given))
    assert.throws(
      () => read(text),
      (e: Error) => e.message === message,
      text,
    );
});

test("zero means left out, with a warning", () => {
  assert.is(counts("4,sockets=0"), "4=1*1*4*1");
  assert.match(
    warnings.join(),
    /^Deprecated CPU topology \(considered invalid\): CPU topology parameters must be greater/,
  );
  assert.is(counts("0"), "1=1*1*1*1");
  assert.is(warnings.length, 1);
  read("4");
  assert.is(warnings.length, 0);
});

test("-smp help", () => {
  assert.is(smpHelp().split("\n")[1], "  clusters=<num>");
});

test("APIC IDs leave room for what a level may count", () => {
  const ids = (sockets: number, dies: number, cores: number, threads: number): number[] =>
    Array.from({ length: sockets * dies * cores * threads }, (_, i) => apicIdOf({ sockets, dies, cores, threads }, i));
  assert.equal(ids(1, 1, 5, 1), [0, 1, 2, 3, 4]);
  assert.equal(ids(2, 1, 3, 1), [0, 1, 2, 4, 5, 6]);
  assert.equal(ids(2, 1, 3, 2), [0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13]);
  assert.equal(ids(1, 3, 1, 2), [0, 1, 2, 3, 4, 5]);
  assert.equal(apicIdShifts({ sockets: 2, dies: 2, cores: 3, threads: 2 }), { core: 1, die: 3, socket: 4 });
});

test.run();
