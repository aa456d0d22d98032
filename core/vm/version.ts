/** The text of -version. */
export const versionText = (program: string, version: string): string => `${program} emulator version ${version}\n`;
