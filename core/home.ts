/** The user's home folder. */

import { homedir } from "node:os";

/** Where the user's own files are; the root of the file system for a user without a home, as there is in a bare system. */
export function homeFolder(): string {
  try {
    return homedir();
  } catch {
    return "/";
  }
}
