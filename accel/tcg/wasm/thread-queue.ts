/** Has a thread of its own compile regions. The machine's thread never waits for it. */

import { MessageChannel, type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { startThread } from "../../../core/assets.ts";
import type { CompileQueue, Finished } from "../jit/backend.ts";
import type { RegionPlan } from "../jit/form.ts";
import { encodePlans, type NumberedPlan } from "../jit/plan-codec.ts";
import { COMPILE_THREAD } from "../threads.ts";
import type { CompileThreadData, ModuleMessage } from "./compile-thread.ts";
import type { WasmLinker } from "./linker.ts";

/** What the thread allocates lives short. */
const THREAD_OPTIONS = { name: "compile", resourceLimits: { maxYoungGenerationSizeMb: 16 } };

/**
 * The thread takes a while to start. It does so before it is needed, but not at once, when it would keep the machine
 * from its first instructions: after so many slices, some 20 ms.
 */
const POLLS_BEFORE_START = 100;

/** What the translator in the thread has to know. */
export type TranslationOptions = Pick<CompileThreadData, "model" | "severalCpus">;

export class ThreadQueue implements CompileQueue {
  readonly #linker: WasmLinker;
  readonly #translation: TranslationOptions;
  readonly #onModule: ((bytes: Uint8Array) => void) | undefined;
  #port: MessagePort | undefined;
  #waiting: NumberedPlan[] = [];
  #polls = 0;
  /** Plans that have been sent and not come back. */
  #away = 0;

  /** `onModule` sees every module. */
  constructor(linker: WasmLinker, translation: TranslationOptions, onModule?: (bytes: Uint8Array) => void) {
    this.#linker = linker;
    this.#translation = translation;
    this.#onModule = onModule;
  }

  submit(id: number, plan: RegionPlan): void {
    this.#waiting.push({ id, plan });
  }

  poll(): Finished | undefined {
    if (this.#waiting.length > 0) this.#send();
    else if (!this.#port && ++this.#polls === POLLS_BEFORE_START) this.#port = this.#start();
    if (this.#away === 0) return undefined;
    const received = receiveMessageOnPort(this.#port!) as { readonly message: ModuleMessage } | undefined;
    if (!received) return undefined;
    const { message } = received;
    if ("failed" in message) throw message.failed;
    const { ids, refused, module, regions, bytes, time } = message;
    this.#away -= ids.length + refused.length;
    if (bytes) this.#onModule?.(bytes);
    return { ids, refused, batch: this.#linker.adopt(module, regions), elsewhere: time };
  }

  /** All at once: waking the thread costs more than the message. */
  #send(): void {
    this.#port ??= this.#start();
    this.#port.postMessage(encodePlans(this.#waiting));
    this.#away += this.#waiting.length;
    this.#waiting = [];
  }

  #start(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    const data: CompileThreadData = {
      port: port2,
      options: this.#linker.options,
      ...this.#translation,
      wantsBytes: this.#onModule !== undefined,
    };
    const thread = startThread(COMPILE_THREAD, { ...THREAD_OPTIONS, workerData: data, transferList: [port2] });
    thread.unref();
    port1.unref();
    return port1;
  }
}
