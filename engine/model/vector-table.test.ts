import { expect, it } from "vitest";
import { ReferenceDevice } from "../devices/reference/reference-device.ts";
import { VectorTable } from "./vector-table.ts";

const DIM = 3;
const vectors = (...firsts: number[]) => Float32Array.from(firsts.flatMap((first) => [first, first + 1, first + 2]));

it("holds blocks while anybody holds them, and one row when nobody does", async () => {
  const device = new ReferenceDevice();
  const table = new VectorTable(device, DIM);
  const rows = async (begin: number, count: number) => [
    ...(await device.read({ tensor: table.tensor, begin: begin * DIM, end: (begin + count) * DIM })),
  ];
  const empty = device.memory().activations;
  const one = table.add(vectors(10));
  const two = table.add(vectors(20, 30));
  expect([one.count, two.count]).toEqual([1, 2]);
  expect(await rows(two.begin, 2)).toEqual([20, 21, 22, 30, 31, 32]);
  table.retain(two);
  table.release(two);
  table.release(one);
  expect(await rows(two.begin, 2)).toEqual([20, 21, 22, 30, 31, 32]);
  const three = table.add(vectors(40));
  expect(three.begin + three.count <= two.begin || two.begin + two.count <= three.begin).toBe(true);
  table.release(two);
  table.release(three);
  expect(table.rowCount).toBe(1);
  expect(device.memory().activations).toBe(empty);
  table.dispose();
});

it("refuses what is not whole vectors", () => {
  const table = new VectorTable(new ReferenceDevice(), DIM);
  expect(() => table.add(new Float32Array(4))).toThrow("vectors of 4 numbers were given; each has 3");
  expect(() => table.add(new Float32Array(0))).toThrow("vectors of 0 numbers were given; each has 3");
});
