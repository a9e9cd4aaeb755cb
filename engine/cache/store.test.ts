// The store against a naive one: sequences as plain lists of tokens. After each of a thousand random operations the contents of
// every key, read through its slot, are those of the naive store, and slots are shared and freed as they should be.

import { afterEach, describe, expect, test } from "vitest";
import { seededRandom } from "../../kernels/index.ts";
import { DeviceError, type Device, type Tensor } from "../devices/device.ts";
import { ReferenceDevice } from "../devices/reference/reference-device.ts";
import { CacheStore } from "./store.ts";
import type { StoredSequence } from "./stored-sequence.ts";

const SHAPE = { layers: 3, kvHeads: 2, headDim: 2, maxSlots: 100_000 };
const SLOT_NUMBERS = 2 * SHAPE.kvHeads * SHAPE.headDim;

/** A key as the naive store knows it: a number of its own, its position and its mark. */
interface NaiveKey {
  readonly id: number;
  readonly position: number;
  readonly mark: number;
}
interface Pair {
  readonly stored: StoredSequence;
  /** by list */
  readonly naive: NaiveKey[][];
  length: number;
  segment: number;
}

let device: Device;
afterEach(() => device.dispose());

async function makeStore(isPerLayer: boolean, maxSlots = SHAPE.maxSlots): Promise<CacheStore> {
  device = new ReferenceDevice();
  const store = new CacheStore(device, { ...SHAPE, isPerLayer, maxSlots });
  await store.prepare();
  return store;
}

/** Puts each new key's number into its slots, as a step would store keys and values. */
function append(store: CacheStore, pairs: readonly Pair[], anchors: readonly boolean[][], nextId: () => number): void {
  const plan = store.append(pairs.map(({ stored }, i) => ({ sequence: stored, anchors: anchors[i]! })));
  store.confirm(pairs.map(({ stored }, i) => ({ sequence: stored, tokens: anchors[i]!.length })));
  const rows = anchors.flat().length;
  for (const write of plan.writes) device.write(write);
  let row = 0;
  for (const [i, pair] of pairs.entries()) {
    for (const isAnchor of anchors[i]!) {
      const key = { id: nextId(), position: pair.length++, mark: pair.segment * 2 + Number(isAnchor) };
      if (isAnchor) pair.segment++;
      for (const [list, naive] of pair.naive.entries()) {
        naive.push(key);
        const slot = plan.slots[list * rows + row]!;
        for (const cache of cachesOf(store, list)) {
          device.write({
            tensor: cache,
            data: new Float32Array(SLOT_NUMBERS).fill(key.id),
            offset: slot * SLOT_NUMBERS,
          });
        }
      }
      row++;
    }
  }
}

function cachesOf(store: CacheStore, list: number): readonly Tensor[] {
  return store.pools[list]!.caches;
}

async function check(store: CacheStore, pairs: readonly Pair[]): Promise<void> {
  const entries = (await device.read({ tensor: store.entries, begin: 0, end: store.entries.length })) as Uint32Array;
  for (const [list, pool] of store.pools.entries()) {
    const contents = await Promise.all(
      pool.caches.map((tensor) => device.read({ tensor, begin: 0, end: tensor.length })),
    );
    const slotsOf = new Map<number, number>();
    for (const { stored, naive, length, segment } of pairs) {
      const held = stored.lists[list]!;
      expect([stored.length, stored.segment]).toEqual([length, segment]);
      expect([...held.positions()]).toEqual(naive[list]!.map(({ position }) => position));
      expect([...held.marks()]).toEqual(naive[list]!.map(({ mark }) => mark));
      for (const [key, { id }] of naive[list]!.entries()) {
        const slot = held.slot(key);
        for (const numbers of contents) {
          const inSlot = numbers.subarray(slot * SLOT_NUMBERS, (slot + 1) * SLOT_NUMBERS);
          expect([...inSlot]).toEqual(Array(SLOT_NUMBERS).fill(id));
        }
        // Two keys never share a slot unless they are the same key.
        expect(slotsOf.get(slot) ?? id).toBe(id);
        slotsOf.set(slot, id);
        if (key < held.changedFrom) {
          const at = (held.base + key) * 4;
          expect([...entries.subarray(at, at + 4)]).toEqual([
            slot,
            naive[list]![key]!.position,
            naive[list]![key]!.mark,
            0,
          ]);
        }
      }
    }
    expect(pool.live).toBe(slotsOf.size);
    expect(pool.slotCount).toBeLessThanOrEqual(Math.max(64, 2 * pool.live + 64));
    for (const cache of pool.caches) expect(cache.length).toBe(pool.slotCount * SLOT_NUMBERS);
  }
  const { live, allocated, peak } = store.bytes();
  const buffers = store.caches.reduce((sum, cache) => sum + cache.length * 4, 0);
  expect(allocated).toBe(buffers);
  expect(live).toBeLessThanOrEqual(allocated);
  expect(peak).toBeGreaterThanOrEqual(live);
}

describe.each([
  ["one list for all layers", false],
  ["a list for each layer", true],
])("%s", (_, isPerLayer) => {
  test.each([1, 2])("a thousand random operations are those of a naive store (seed %i)", async (seed) => {
    const store = await makeStore(isPerLayer);
    const random = seededRandom(seed);
    const pairs: Pair[] = [];
    let id = 0;
    const pick = () => pairs[random.integer(pairs.length)]!;
    for (let operation = 0; operation < 1000; operation++) {
      const kind = random.integer(12);
      if (pairs.length === 0 || (kind === 0 && pairs.length < 8)) {
        pairs.push({ stored: store.open(), naive: store.pools.map(() => []), length: 0, segment: 0 });
      } else if (kind === 1 && pairs.length < 8) {
        const from = pick();
        pairs.push({ ...from, stored: store.fork(from.stored), naive: from.naive.map((keys) => [...keys]) });
      } else if (kind === 2) {
        const [closed] = pairs.splice(random.integer(pairs.length), 1);
        store.close(closed!.stored);
        store.close(closed!.stored);
      } else if (kind < 6) {
        const pair = pick();
        const list = random.integer(store.pools.length);
        const keeps = random.integer(4) === 0 ? 20 : 3;
        const keep = pair.naive[list]!.map((_key, key) => key).filter(() => random.integer(keeps) > 0);
        store.evict(pair.stored, list, keep);
        pair.naive[list] = keep.map((key) => pair.naive[list]![key]!);
      } else {
        const some = pairs.filter(() => random.integer(2) === 0);
        const anchors = some.map(() => Array.from({ length: 1 + random.integer(20) }, () => random.integer(5) === 0));
        if (some.length > 0 && random.integer(3) === 0) {
          // a step that fails leaves no trace
          store.append(some.map(({ stored }, i) => ({ sequence: stored, anchors: anchors[i]! })));
          for (const { stored } of some) store.undo(stored);
        }
        if (some.length > 0) append(store, some, anchors, () => ++id);
      }
      if (operation % 50 === 49) await check(store, pairs);
    }
    for (const { stored } of pairs) store.close(stored);
    await check(store, []);
    expect(store.bytes().live).toBe(0);
  });
});

test("the peak is the most that has been alive, not what was reserved", async () => {
  const store = await makeStore(false);
  const slotBytes = SHAPE.layers * SLOT_NUMBERS * 4;
  const first = store.open();
  store.append([{ sequence: first, anchors: Array<boolean>(10).fill(false) }]);
  expect(store.bytes()).toMatchObject({ live: 0, peak: 0 });
  store.confirm([{ sequence: first, tokens: 10 }]);
  store.evict(first, 0, [9]);
  const second = store.open();
  store.append([{ sequence: second, anchors: Array<boolean>(5).fill(false) }]);
  store.confirm([{ sequence: second, tokens: 5 }]);
  expect(store.bytes()).toEqual({ live: 6 * slotBytes, allocated: 64 * slotBytes, peak: 10 * slotBytes });
});

test("running out of room is said before anything is changed", async () => {
  const store = await makeStore(true, 12);
  const sequence = store.open();
  store.append([{ sequence, anchors: Array<boolean>(10).fill(false) }]);
  const before = store.bytes();
  expect(() => store.append([{ sequence, anchors: [false, true, false] }])).toThrow(
    "the cache needs 13 slots, but may have 12",
  );
  expect(store.bytes()).toEqual(before);
  expect(sequence.length).toBe(10);
  expect(sequence.lists.map(({ length }) => length)).toEqual([10, 10, 10]);
  store.append([{ sequence, anchors: [false, true] }]);
  expect(sequence.length).toBe(12);
});

test("a sequence stays as it was where the device has no memory for its keys", async () => {
  const store = await makeStore(true);
  const sequence = store.open();
  store.append([{ sequence, anchors: [true, false] }]);
  store.confirm([{ sequence, tokens: 2 }]);
  const resize = device.resize.bind(device);
  const part = { sequence, anchors: Array<boolean>(500).fill(true) };
  // Each attempt comes one piece of memory further.
  let refused = 0;
  let left = 0;
  device.resize = (tensor, length) => {
    if (left-- === 0) throw new DeviceError("out-of-memory", "no room");
    resize(tensor, length);
  };
  while (sequence.length === 2) {
    left = 1;
    try {
      store.append([part]);
    } catch (error) {
      expect(error).toBeInstanceOf(DeviceError);
      refused++;
      expect(sequence).toMatchObject({ length: 2, segment: 1, ahead: 0 });
      expect(sequence.lists.map(({ length }) => length)).toEqual(store.pools.map(() => 2));
    }
  }
  expect(refused).toBeGreaterThan(2);
  expect(sequence.length).toBe(502);
});

test.each([true, false])(
  "keeps each layer's cache near its weights, or near that of whose anchors it reads (%s)",
  async (isPerLayer) => {
    device = new ReferenceDevice();
    const near: (string | undefined)[] = [];
    const create = device.createTensor.bind(device);
    device.createTensor = (label, type, length, role, options) => {
      if (role === "cache") near.push(options?.near?.label);
      return create(label, type, length, role, options);
    };
    const weights = [0, 1, 2, 3].map((i) => ({
      label: `weights ${i}`,
      rows: 1,
      columns: 1,
      format: "f32" as const,
      byteLength: 4,
    }));
    const anchors = {
      layerMap: new Map([
        [2, 0],
        [3, 2],
      ]),
    };
    const store = new CacheStore(device, { ...SHAPE, layers: 4, isPerLayer, near: weights, anchors });
    expect(near).toEqual(["weights 0", "weights 1", "blocks.0.attn.cache", "blocks.0.attn.cache"]);
    expect(store.caches.map(({ label }) => label)).toEqual([0, 1, 2, 3].map((i) => `blocks.${i}.attn.cache`));
    store.dispose();
  },
);
