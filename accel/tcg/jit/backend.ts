/** What a back end is to the rest: it turns regions into functions, here or in a thread of its own. */

import type { RegionPlan } from "./form.ts";
import type { Region } from "./region.ts";

/** An exit instruction in bytes; its link is 8 bytes from its start. */
export const CELL_SIZE = 16;

export interface CompiledRegion {
  /** By fault point: distance of the instruction from the region's entry, and its ccOp. */
  readonly points: Int32Array;
  /** Number of exits that can be linked. */
  readonly cells: number;
}

/** Where a region's function goes. */
export interface Destination {
  /** Place in the table of regions. */
  readonly place: number;
  /** Address of the region's first exit instruction; the others follow it. */
  readonly cells: number;
}

/** Functions that are not in their places yet. */
export interface CompiledBatch {
  readonly regions: readonly CompiledRegion[];
  /** Puts them there; those without a destination are forgotten. Called once at most. */
  install(destinations: readonly (Destination | undefined)[]): void;
}

/** The functions in their places. */
export interface RegionTable {
  /** The function in this place will not be called again. */
  release(place: number): void;
}

export interface RegionBackend extends RegionTable {
  readonly name: string;
  compile(regions: readonly Region[]): CompiledBatch;
}

/** What has become of plans. */
export interface Finished {
  /** Those that were compiled, in the order of the batch's regions. */
  readonly ids: readonly number[];
  readonly batch: CompiledBatch;
  /** Those of which nothing could be made. */
  readonly refused: readonly number[];
  /** Time (ms) that it took outside the caller's thread. */
  readonly elsewhere: number;
}

/** Compiles plans in the order in which they come, sooner or later. */
export interface CompileQueue {
  submit(id: number, plan: RegionPlan): void;
  /** Something that has been finished; called once a slice. */
  poll(): Finished | undefined;
}
