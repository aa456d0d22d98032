import { Worker } from "node:worker_threads";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Doorbell } from "../../../core/thread/doorbell.ts";
import { createMailboxPlan, Mailbox } from "../../../core/thread/mailbox.ts";
import { withTimeout } from "../../tools/with-timeout.ts";

function pair(capacity: number): { main: Mailbox; worker: Mailbox; settle: () => void } {
  const plan = createMailboxPlan(new Doorbell(), new Doorbell(), capacity);
  const main = new Mailbox(plan, "main");
  const worker = new Mailbox(plan, "worker");
  const settle = (): void => {
    for (let i = 0; i < 1000; i++) {
      worker.poll();
      main.poll();
    }
  };
  return { main, worker, settle };
}

test("a request gets its reply, a note none", async () => {
  const { main, worker, settle } = pair(256);
  const notes: unknown[] = [];
  worker.onRequest = (name, { json }) => ({ json: [name, json] });
  worker.onNote = (name, { json }) => notes.push([name, json]);
  const reply = main.request("status", { verbose: true });
  main.note("wake", 5);
  settle();
  assert.equal((await reply).json, ["status", { verbose: true }]);
  assert.equal(notes, [["wake", 5]]);
});

test("a message larger than the ring passes in pieces", async () => {
  const { main, worker, settle } = pair(64);
  worker.onRequest = (_, { bytes }) => ({ json: null, bytes: bytes!.slice().reverse() });
  const data = Uint8Array.from({ length: 5000 }, (_, i) => i);
  const reply = main.request("reverse", null, data);
  assert.is(main.flushed, false);
  settle();
  assert.equal((await reply).bytes, data.slice().reverse());
  assert.is(main.flushed, true);
});

test("what the handler throws, the requester catches", async () => {
  const { main, worker, settle } = pair(256);
  worker.onRequest = () => {
    throw new Error("device not found");
  };
  const failing = main.request("eject");
  const caught = failing.then(
    () => "no error",
    (error: Error) => error.message,
  );
  settle();
  assert.is(await caught, "device not found");
});

test("a thread that sleeps on its doorbell answers", async () => {
  const mainBell = new Doorbell();
  const plan = createMailboxPlan(mainBell, new Doorbell(), 1024);
  const worker = new Worker(new URL("./mailbox-echo.worker.ts", import.meta.url), { workerData: { plan } });
  const ended = new Promise<number>((resolve) => worker.once("exit", resolve));
  const mailbox = new Mailbox(plan, "main");
  let open = true;
  const pump = (async () => {
    while (open) {
      await mainBell.waitAsync();
      mailbox.poll();
    }
  })();
  await withTimeout("conversation", 10_000, converse());
  async function converse(): Promise<void> {
    const data = Uint8Array.from({ length: 100_000 }, (_, i) => i * 7);
    assert.equal(
      (await mailbox.request("invert", [1, "ä"], data)).bytes,
      data.map((byte) => byte ^ 0xff),
    );
    await mailbox.request("fail").then(
      () => assert.unreachable(),
      (error: Error) => assert.is(error.message, "no such luck"),
    );
    for (let i = 0; i < 50; i++) assert.equal((await mailbox.request("n", i)).json, { name: "n", was: i });
    await mailbox.request("end");
    assert.is(await ended, 0);
  }
  open = false;
  mainBell.ring();
  await pump;
});

test.run();
