import { expect, it } from "vitest";
import { parseConfig } from "../../loaders/index.ts";
import { TINY } from "../../tests/support/tiny-model.ts";
import { ReferenceDevice } from "../devices/reference/reference-device.ts";
import { resolveKeeping } from "./keeping.ts";
import { CachedSequence } from "./sequence.ts";
import { CacheStore } from "./store.ts";

const config = parseConfig({ ...TINY });

it("a sequence is as long and as open as its keys in the store", () => {
  const store = new CacheStore(new ReferenceDevice(), { ...config, isPerLayer: false, maxSlots: 10 });
  const sequence = new CachedSequence(store.open(), resolveKeeping(config));
  expect([sequence.length, sequence.isOpen, sequence.promptLength]).toEqual([0, true, 0]);
  store.append([{ sequence: sequence.stored, anchors: [false, false] }]);
  expect(sequence.length).toBe(2);
  store.close(sequence.stored);
  expect(sequence.isOpen).toBe(false);
  store.dispose();
});

it("a closed sequence takes no tokens and has no forks", () => {
  const store = new CacheStore(new ReferenceDevice(), { ...config, isPerLayer: false, maxSlots: 10 });
  const sequence = store.open();
  store.append([{ sequence, anchors: [false] }]);
  store.close(sequence);
  expect(() => store.append([{ sequence, anchors: [false] }])).toThrow("this sequence is closed");
  expect(() => store.fork(sequence)).toThrow("this sequence is closed");
  store.close(sequence);
  expect(store.bytes().live).toBe(0);
  store.dispose();
});
