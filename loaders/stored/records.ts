// What a shelf says of itself: model.json, one record for each file, and the names of parts. A file's key is made of its name and its
// version, so that parts of two versions are never taken for one file, whichever tab wrote them.

import type { FileVersion } from "./file-version.ts";
import type { Shelf } from "./shelf.ts";

/** A stored model, as model.json has it. */
export interface ModelRecord {
  /** what it was loaded by: `owner/name`, or its address */
  readonly name: string;
  /** the address of its folder, without what signs it */
  readonly url: string;
  /** milliseconds since 1970 */
  readonly usedAt: number;
}

/** A file of a stored model. */
export interface FileRecord extends FileVersion {
  readonly file: string;
  readonly byteLength: number;
  /** what the names of its parts begin with */
  readonly key: string;
}

const MODEL = "model.json";
/** Members of a query that sign an address for a while: S3, Google, CloudFront, Azure. */
const SIGNATURE =
  /^(?:x-amz-.*|x-goog-.*|awsaccesskeyid|googleaccessid|signature|expires|policy|key-pair-id|s[eiprtv]|sig|skoid|sktid|skt|ske|sks|skv|token)$/i;

/** An address as what it stands for: without credentials, signatures and fragments. */
export function lastingUrl(address: string): string {
  const url = new URL(address);
  url.username = "";
  url.password = "";
  url.hash = "";
  for (const name of [...url.searchParams.keys()]) if (SIGNATURE.test(name)) url.searchParams.delete(name);
  return url.href.replace(/\/+$/, "");
}

/** The key of the shelf of a model's folder. */
export function shelfKey(url: string): Promise<string> {
  return digest(lastingUrl(url));
}

/** The key of a file in this version. */
export function fileKey(file: string, { byteLength, etag, lastModified }: FileVersion): Promise<string> {
  return digest(JSON.stringify([file, byteLength, etag, etag === null ? lastModified : null]));
}

/** The name of a part. */
export function partName(key: string, index: number): string {
  return `${key}.${index}`;
}

/** What model.json says; null where there is none. */
export async function readModel(shelf: Shelf): Promise<ModelRecord | null> {
  const { name, url, usedAt } = (await readJson(shelf, MODEL)) as Partial<ModelRecord>;
  return typeof name === "string" && typeof url === "string" && typeof usedAt === "number"
    ? { name, url, usedAt }
    : null;
}

/** Writes model.json. */
export function writeModel(shelf: Shelf, record: ModelRecord): Promise<void> {
  return shelf.write(MODEL, JSON.stringify(record));
}

/** The record of a file; null where there is none. */
export async function readFile(shelf: Shelf, file: string): Promise<FileRecord | null> {
  const record = (await readJson(shelf, await recordName(file))) as Partial<FileRecord>;
  const { byteLength, etag = null, lastModified = null, key } = record;
  const isSound = record.file === file && Number.isSafeInteger(byteLength) && typeof key === "string";
  return isSound ? { file, byteLength: byteLength!, etag, lastModified, key } : null;
}

/** Writes the record of a file. */
export async function writeFile(shelf: Shelf, record: FileRecord): Promise<void> {
  await shelf.write(await recordName(record.file), JSON.stringify(record));
}

/** Removes a file's parts, and then its record. */
export async function removeFile(shelf: Shelf, { file, key }: FileRecord): Promise<void> {
  for (const name of await shelf.names()) if (name.startsWith(`${key}.`)) await shelf.remove(name);
  await shelf.remove(await recordName(file));
}

async function recordName(file: string): Promise<string> {
  return `file-${await digest(file)}.json`;
}

async function readJson(shelf: Shelf, name: string): Promise<object> {
  try {
    const value: unknown = JSON.parse((await (await shelf.read(name))?.text()) ?? "{}");
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {}; // not written to its end
  }
}

/** 32 digits of a text's SHA-256: names in a store must be short and plain. */
async function digest(text: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(hash, 0, 16)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
