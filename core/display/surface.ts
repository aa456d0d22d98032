/** A picture of a guest's screen: 8-bit RGBA, rows top to bottom, no padding. */
export interface Surface {
  readonly width: number;
  readonly height: number;
  /** width * height * 4 bytes. */
  readonly data: Uint8Array;
}

/** What a display device offers to screendump and to display backends. */
export interface DisplaySource {
  /** Draws what the guest shows now. The next call may change what this one has returned. */
  render(): Surface;
  /** The text on the screen in text modes (rows without trailing blanks), undefined in graphics modes. */
  text?(): string[] | undefined;
}
