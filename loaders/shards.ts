// A model's weights as one map from name to tensor, whether they are one file or many with an index.
// Opening reads every file's header once and keeps the files open; tensors are read when asked for.

import { FormatError } from "./errors.ts";
import { LargeObject } from "./large-object.ts";
import { MANY, type Table } from "./large-table.ts";
import { checkFileName, missingFile, readLargeJson, refusalOf, type ModelFolder } from "./model-folder.ts";
import { quote } from "./tensor-info.ts";
import { finishInTurns, type Work } from "./work.ts";
import {
  openSafetensors,
  type ReadBytesOptions,
  type SafetensorsFile,
  type StoredTensor,
  type TensorInfo,
} from "./safetensors.ts";

/** Names between two pauses. */
const NAMES_PER_PAUSE = 512;
const SINGLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";
/** The index of a model with 100,000 tensors has about 10 MB. */
const MAX_INDEX_BYTES = 64 * 1024 * 1024;
/** Headers read at the same time. */
const OPEN_AT_ONCE = 4;

/** One tensor, and the file that holds it. */
export interface WeightInfo extends TensorInfo {
  readonly file: string;
}

/** A model's weights as they are stored: all tensors of its files. */
export interface Checkpoint {
  readonly tensors: ReadonlyMap<string, WeightInfo>;
  /** The files, in order of their names. */
  readonly files: readonly string[];
  /** Bytes of all tensors together, headers not counted. */
  readonly totalByteLength: number;
  /** Each file's metadata. */
  readonly metadata: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** As {@link SafetensorsFile.readBytes}. */
  readBytes(name: string, options?: ReadBytesOptions): Promise<Uint8Array>;
  /** As {@link SafetensorsFile.readSpan}; null, too, if they are in several files. */
  readSpan(names: readonly string[], signal?: AbortSignal, into?: Uint8Array): Promise<Uint8Array> | null;
  /** As {@link SafetensorsFile.readTensor}. */
  readTensor(name: string, signal?: AbortSignal): Promise<StoredTensor>;
  close(): Promise<void>;
}

/**
 * Opens `model.safetensors`, or the shards that `model.safetensors.index.json` names.
 *
 * Throws {@link FormatError} for a missing shard, a tensor that is not where the index says or is there twice, and an
 * index that names files outside the folder.
 */
export async function openWeights(folder: ModelFolder, signal?: AbortSignal): Promise<Checkpoint> {
  const isSingle = await folder.has(SINGLE);
  const index = !isSingle && (await folder.has(INDEX)) ? await readIndex(folder, signal) : null;
  if (index === null && !isSingle) {
    const refusal = await refusalOf(folder, SINGLE);
    signal?.throwIfAborted();
    throw refusal ?? missingFile(folder.name, `${SINGLE} or ${INDEX}`, await folder.list?.());
  }
  const files = index === null ? [SINGLE] : [...index.files].sort();
  const opened = new Map<string, SafetensorsFile>();
  try {
    for (let i = 0; i < files.length; i += OPEN_AT_ONCE) {
      const batch = files.slice(i, i + OPEN_AT_ONCE);
      const results = await Promise.allSettled(batch.map((file) => openShard(folder, file, index !== null, signal)));
      for (const [j, result] of results.entries()) {
        const file = batch[j];
        if (result.status === "fulfilled" && file !== undefined) opened.set(file, result.value);
      }
      const failed = results.find((result) => result.status === "rejected");
      if (failed !== undefined) throw failed.reason;
    }
    const count = [...opened.values()].reduce((sum, file) => sum + file.tensors.size, 0);
    const table: Table<WeightInfo> =
      count <= MANY ? new Map() : new (await import("./shard-table.ts")).ShardTable(opened);
    return await finishInTurns(gather({ folder, files, opened, index, table }), signal);
  } catch (error) {
    await Promise.all([...opened.values()].map((file) => file.close()));
    throw error;
  }
}

async function openShard(
  folder: ModelFolder,
  file: string,
  isShard: boolean,
  signal?: AbortSignal,
): Promise<SafetensorsFile> {
  if (isShard && !(await folder.has(file))) {
    const refusal = await refusalOf(folder, file);
    signal?.throwIfAborted();
    throw refusal ?? new FormatError(INDEX, `names the shard ${file}, which is not in ${folder.name}`);
  }
  const source = await folder.open(file);
  try {
    return await openSafetensors(source, signal);
  } catch (error) {
    await source.close();
    throw error;
  }
}

function* gather({
  folder,
  files,
  opened,
  index,
  table: tensors,
}: {
  readonly folder: ModelFolder;
  readonly files: readonly string[];
  readonly opened: ReadonlyMap<string, SafetensorsFile>;
  readonly index: WeightMap | null;
  readonly table: Table<WeightInfo>;
}): Work<Checkpoint> {
  let totalByteLength = 0;
  for (const [file, { tensors: own }] of opened) {
    for (const info of own.values()) {
      const other = tensors.get(info.name);
      if (other !== undefined) {
        throw new FormatError(folder.name, `tensor ${quote(info.name)} is in two shards, ${other.file} and ${file}`, {
          tensor: info.name,
        });
      }
      tensors.set(info.name, { ...info, file });
      totalByteLength += info.byteLength;
      if (tensors.size % NAMES_PER_PAUSE === 0) yield;
    }
  }
  let count = 0;
  for (const [name, file] of index?.places ?? []) {
    if (++count % NAMES_PER_PAUSE === 0) yield;
    const found = tensors.get(name)?.file;
    if (found === file) continue;
    const where = found === undefined ? "is in no shard" : `is in ${found}`;
    throw new FormatError(INDEX, `says that tensor ${quote(name)} is in ${file}, but it ${where}`, { tensor: name });
  }

  function holder(name: string): SafetensorsFile {
    const file = opened.get(tensors.get(name)?.file ?? "");
    if (file === undefined) {
      throw new FormatError(folder.name, `has no tensor ${quote(name)} among its ${tensors.size}`, { tensor: name });
    }
    return file;
  }

  return {
    tensors,
    files,
    totalByteLength,
    metadata: new Map([...opened].map(([file, { metadata }]) => [file, metadata])),
    async readBytes(name, options) {
      return holder(name).readBytes(name, options);
    },
    readSpan(names, signal, into) {
      const [first, ...others] = names.map(holder);
      return others.some((file) => file !== first) ? null : first!.readSpan(names, signal, into);
    },
    async readTensor(name, signal) {
      return holder(name).readTensor(name, signal);
    },
    async close() {
      await Promise.all([...opened.values()].map((file) => file.close()));
    },
  };
}

/** What an index says. */
interface WeightMap {
  /** tensors and their files */
  readonly places: Iterable<readonly [name: string, file: string]>;
  readonly files: ReadonlySet<string>;
}

/** The index's map from tensor to file. */
async function readIndex(folder: ModelFolder, signal?: AbortSignal): Promise<WeightMap> {
  const json = await readLargeJson(folder, INDEX, MAX_INDEX_BYTES, signal, (path) => path === "weight_map");
  const map = typeof json === "object" && json !== null && "weight_map" in json ? json.weight_map : undefined;
  if (typeof map !== "object" || map === null || Array.isArray(map)) {
    throw new FormatError(INDEX, 'has no "weight_map" object from tensor names to files');
  }
  return finishInTurns(readWeightMap(map instanceof LargeObject ? map.members : Object.entries(map)), signal);
}

function* readWeightMap(places: Iterable<readonly [string, unknown]>): Work<WeightMap> {
  /** names that were looked at already: few files hold many tensors */
  const files = new Set<string>();
  let count = 0;
  for (const [name, file] of places) {
    if (++count % NAMES_PER_PAUSE === 0) yield;
    if (typeof file !== "string") {
      throw new FormatError(INDEX, `puts tensor ${quote(name)} into ${JSON.stringify(file)}; wanted a file name`, {
        tensor: name,
      });
    }
    if (!files.has(file)) checkShardName(name, file);
    files.add(file);
  }
  if (count === 0) throw new FormatError(INDEX, 'its "weight_map" names no tensor');
  return { places: places as WeightMap["places"], files };
}

function checkShardName(name: string, file: string): void {
  try {
    checkFileName(INDEX, file);
  } catch (cause) {
    throw new FormatError(
      INDEX,
      `puts tensor ${quote(name)} into ${quote(file)}, which is not a file inside the folder`,
      { tensor: name, cause },
    );
  }
}
