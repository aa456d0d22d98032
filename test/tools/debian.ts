/**
 * Debian packages without root rights: an apt of our own (its lists, sources and state live in the cache folder, the
 * system's dpkg and apt databases are neither read nor changed), `apt-get download`, and `dpkg-deb -x` into the cache.
 * Foreign architectures are just another index to this apt.
 */

import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { messageOf, QemuError } from "../../core/errors.ts";
import { cachePath, exists, makeAtomically, withLock } from "./cache.ts";

export type Architecture = "amd64" | "i386";

/** One unpacked package. */
export interface UnpackedPackage {
  readonly name: string;
  readonly version: string;
  /** The folder that holds the package's files as under `/`. */
  readonly root: string;
}

export type Progress = (line: string) => void;

export const SUITE = "bookworm";
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const LISTS_MAX_AGE_MS = 24 * 3600 * 1000;

const aptPath = (...parts: string[]): string => cachePath("apt", ...parts);
const run = promisify(execFile);

async function command(file: string, args: readonly string[], cwd?: string): Promise<string> {
  try {
    const env = { ...process.env, LC_ALL: "C" };
    return (await run(file, [...args], { cwd, env, maxBuffer: 64 << 20 })).stdout;
  } catch (cause) {
    const failure = cause as NodeJS.ErrnoException & { stderr?: string };
    if (failure.code === "ENOENT") {
      throw new QemuError("fetch-tool-missing", `'${file}' is needed to fetch Debian packages and was not found`, {
        cause,
        hint: "run this on Debian or a system derived from it, or put the files into the cache by hand",
      });
    }
    const reason = (failure.stderr ?? failure.message).trim().split("\n").slice(-3).join("; ");
    throw new QemuError("fetch-failed", `${file} ${args.at(-1) ?? ""}: ${reason}`, { cause });
  }
}

/** Options that make apt use nothing of the system's but its network configuration. */
function aptOptions(): string[] {
  const options: Record<string, string> = {
    "Dir::State": aptPath("state"),
    "Dir::State::lists": aptPath("lists"),
    "Dir::State::status": aptPath("status"),
    "Dir::Cache": aptPath("cache"),
    "Dir::Etc::sourcelist": aptPath("sources.list"),
    "Dir::Etc::sourceparts": "/dev/null",
    "Dir::Etc::preferences": "/dev/null",
    "Dir::Etc::preferencesparts": "/dev/null",
    "APT::Architecture": "amd64",
    "APT::Architectures": "amd64,i386",
    "APT::Sandbox::User": "root",
    "Acquire::Languages": "none",
    "Acquire::Retries": "3",
    "APT::Update::Error-Mode": "any",
  };
  return Object.entries(options).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
}

/** The mirror the system itself uses for Debian, or the one the environment names. */
export async function mirror(): Promise<string> {
  if (process.env.QEMU_NEXT_DEBIAN_MIRROR) return process.env.QEMU_NEXT_DEBIAN_MIRROR;
  const parts = await readdir("/etc/apt/sources.list.d").catch(() => []);
  for (const file of ["sources.list", ...parts.map((part) => join("sources.list.d", part))]) {
    const text = await readFile(join("/etc/apt", file), "utf8").catch(() => "");
    const found = /^(?:URIs:|deb\b.*?)\s+(https?:\/\/\S+\/debian)\/?(?:\s|$)/m.exec(text);
    if (found) return found[1];
  }
  throw new QemuError("no-mirror", "apt's sources name no Debian mirror", {
    hint: "set QEMU_NEXT_DEBIAN_MIRROR to the address of one, ending in /debian",
  });
}

/** Brings our apt's package lists up to date; once a day is enough. */
async function updateLists(progress: Progress, force = false): Promise<void> {
  const stamp = aptPath("updated");
  const updated = await stat(stamp).catch(() => undefined);
  if (!force && updated && Date.now() - updated.mtimeMs < LISTS_MAX_AGE_MS) return;
  for (const folder of ["state", "lists/partial", "cache/archives/partial"]) {
    await mkdir(aptPath(folder), { recursive: true });
  }
  const base = await mirror();
  const options = (await exists(KEYRING)) ? `[arch=amd64,i386 signed-by=${KEYRING}]` : "[arch=amd64,i386]";
  // The point release alone: its files do not vanish between the index and the download, as superseded updates do.
  await writeFile(aptPath("sources.list"), `deb ${options} ${base} ${SUITE} main\n`);
  await writeFile(aptPath("status"), "");
  progress(`updating package lists from ${base} (${SUITE})`);
  try {
    await command("apt-get", [...aptOptions(), "-q", "update"]);
  } catch (error) {
    if (!updated || force) throw error;
    progress(`${messageOf(error)}; using the lists of ${updated.mtime.toISOString().slice(0, 10)}`);
    return;
  }
  await writeFile(stamp, "");
}

interface Candidate {
  readonly name: string;
  readonly version: string;
  readonly depends: readonly string[];
}

/** The newest version apt knows of a package. */
async function candidate(name: string, architecture: Architecture): Promise<Candidate> {
  const text = await command("apt-cache", [...aptOptions(), "show", "--no-all-versions", `${name}:${architecture}`]);
  const field = (key: string): string => new RegExp(`^${key}: (.*)$`, "m").exec(text)?.[1] ?? "";
  const version = field("Version");
  if (version === "") throw new QemuError("fetch-failed", `Debian ${SUITE} has no package ${name}:${architecture}`);
  const depends = field("Depends").split(/\s*,\s*/);
  return { name, version, depends: depends.map((entry) => entry.split(/[\s(|]/)[0]) };
}

/**
 * The package that carries a kernel: for a meta package such as linux-image-cloud-amd64 what it depends on, unsigned
 * when `unsigned` is set.
 */
export async function resolveKernel(meta: string, architecture: Architecture, unsigned: boolean): Promise<string> {
  const { depends } = await candidate(meta, architecture);
  const image = depends.find((name) => /^linux-image-\d/.test(name));
  if (image === undefined) throw new QemuError("fetch-failed", `package ${meta} names no kernel image`);
  return unsigned ? `${image}-unsigned` : image;
}

export interface PackageRequest {
  readonly name: string;
  readonly architecture: Architecture;
  /** The name is a kernel's meta package: fetch the image it depends on. */
  readonly kernel?: "signed" | "unsigned";
}

/** Downloads and unpacks one package, unless the newest version is there already. */
async function fetchPackage(request: PackageRequest, progress: Progress): Promise<UnpackedPackage> {
  const { architecture, kernel } = request;
  const name = kernel ? await resolveKernel(request.name, architecture, kernel === "unsigned") : request.name;
  const { version } = await candidate(name, architecture);
  const root = cachePath("debian", `${name}_${version.replaceAll(":", "%3a")}_${architecture}`);
  if (await exists(root)) return { name, version, root };
  progress(`downloading ${name} ${version} (${architecture})`);
  await makeAtomically(root, async (temporary) => {
    const download = `${temporary}/.download`;
    await mkdir(download, { recursive: true });
    await command("apt-get", [...aptOptions(), "-q", "download", `${name}:${architecture}`], download);
    const [file] = await readdir(download);
    if (file === undefined) throw new QemuError("fetch-failed", `apt-get downloaded nothing for ${name}`);
    progress(`unpacking ${file}`);
    await command("dpkg-deb", ["-x", join(download, file), temporary]);
    await rm(download, { recursive: true });
  });
  return { name, version, root };
}

const manifestPath = (set: string): string => cachePath("sets", `${set}.json`);

/**
 * Packages with all they depend on, but for those in `without`, unpacked over each other: a folder like a system's `/`.
 * Once there it stays; to get newer versions, remove it.
 */
export async function fetchTree(
  name: string,
  packages: readonly string[],
  options: { progress?: Progress; without?: readonly string[] } = {},
): Promise<string> {
  const { progress = () => {}, without = [] } = options;
  const tree = cachePath("trees", name);
  if (await exists(tree)) return tree;
  return withLock("apt", async () => {
    if (await exists(tree)) return tree;
    await updateLists(progress);
    const downloads = cachePath("trees", `${name}.download`);
    await mkdir(join(downloads, "partial"), { recursive: true });
    progress(`downloading ${packages.join(", ")} and what they depend on`);
    const archives = ["-o", `Dir::Cache::archives=${downloads}`, "--no-install-recommends", "--download-only"];
    await command("apt-get", [...aptOptions(), ...archives, "-q", "-y", "install", ...packages]);
    progress(`unpacking into ${tree}`);
    await makeAtomically(tree, async (temporary) => {
      await mkdir(temporary, { recursive: true });
      // As on an installed system: some packages put their files into /lib, others into /usr/lib.
      for (const folder of ["bin", "sbin", "lib", "lib32", "lib64", "libx32"]) {
        await mkdir(join(temporary, "usr", folder), { recursive: true });
        await symlink(`usr/${folder}`, join(temporary, folder));
      }
      for (const file of await readdir(downloads)) {
        if (!file.endsWith(".deb") || without.includes(file.split("_")[0])) continue;
        await unpackOver(join(downloads, file), temporary);
      }
    });
    await rm(downloads, { recursive: true });
    return tree;
  });
}

/** Unpacks a package where links to folders stand for folders; `dpkg-deb -x` would replace them. */
async function unpackOver(file: string, folder: string): Promise<void> {
  const archive = `${folder}.tar`;
  await command("sh", ["-c", 'dpkg-deb --fsys-tarfile "$1" > "$2"', "sh", file, archive]);
  await command("tar", ["-x", "--keep-directory-symlink", "--no-same-owner", "-C", folder, "-f", archive]);
  await rm(archive);
}

async function fetchAll(requests: readonly PackageRequest[], progress: Progress): Promise<UnpackedPackage[]> {
  const packages: UnpackedPackage[] = [];
  for (const request of requests) packages.push(await fetchPackage(request, progress));
  return packages;
}

interface Manifest {
  /** What was asked for; another list of packages under the same name is fetched anew. */
  readonly requests: readonly PackageRequest[];
  readonly packages: readonly UnpackedPackage[];
}

/** A set's packages as fetched before, or undefined when it is not (wholly) there. No network. */
async function cachedSet(set: string, requests: readonly PackageRequest[]): Promise<UnpackedPackage[] | undefined> {
  const text = await readFile(manifestPath(set), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const manifest = JSON.parse(text) as Manifest;
  if (JSON.stringify(manifest.requests) !== JSON.stringify(requests)) return undefined;
  for (const { root } of manifest.packages) if (!(await exists(root))) return undefined;
  return [...manifest.packages];
}

/**
 * Fetches all packages of a set into the cache, and returns where they lie. What is there already is used without
 * asking the network, unless `update` asks for newer versions. Safe to run in several processes at once.
 */
export async function fetchSet(
  set: string,
  requests: readonly PackageRequest[],
  options: { progress?: Progress; update?: boolean } = {},
): Promise<UnpackedPackage[]> {
  const { progress = () => {}, update = false } = options;
  const present = update ? undefined : await cachedSet(set, requests);
  if (present) return present;
  return withLock("apt", async () => {
    const meanwhile = update ? undefined : await cachedSet(set, requests);
    if (meanwhile) return meanwhile;
    await updateLists(progress, update);
    const packages = await fetchAll(requests, progress).catch(async () => {
      // The lists may name files that the mirror has replaced since.
      await updateLists(progress, true);
      return fetchAll(requests, progress);
    });
    const manifest: Manifest = { requests, packages };
    await makeAtomically(manifestPath(set), (file) => writeFile(file, `${JSON.stringify(manifest, undefined, 2)}\n`));
    return packages;
  });
}
