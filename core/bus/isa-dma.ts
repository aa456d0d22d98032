/** How an ISA device uses a channel of the 8237 DMA controllers. */

export interface IsaDmaResult {
  /** Bytes moved. */
  readonly count: number;
  /** Whether the channel reached terminal count (TC is asserted to the device). */
  readonly terminal: boolean;
}

export interface IsaDmaChannel {
  /** Device to memory (the controller's "write transfer"). Moves nothing while the channel is masked or mis-programmed. */
  toMemory(data: Uint8Array): IsaDmaResult;
  /** Memory to device (the controller's "read transfer"). */
  fromMemory(into: Uint8Array): IsaDmaResult;
  /** Drives DREQ, as software sees it in the status register. */
  setRequest(on: boolean): void;
}
