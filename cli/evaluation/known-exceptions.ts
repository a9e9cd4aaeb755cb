// Tasks of published sets that their own solutions do not pass, and why, as running all of them has shown. No completion is judged by
// this: it is what `--check-references` says of them.

interface Exceptions {
  readonly why: string;
  readonly ids: readonly string[];
}

const numbered = (prefix: string, numbers: string): string[] => numbers.split(" ").map((number) => prefix + number);

const exceptions: readonly Exceptions[] = [
  { why: "HumanEval+'s test unpacks the number that it returns", ids: ["HumanEval/32"] }, // HumanEval's own test passes
  { why: "its solution returns one value in place of two", ids: ["JavaScript/112"] },
  { why: "its solution finds no digit in 0", ids: ["JavaScript/155"] },
  {
    why: "its solution names parameters otherwise than its prompt",
    ids: numbered(
      "MBJSP/",
      "2 18 26 29 37 50 54 63 65 81 91 94 104 106 110 129 140 156 193 196 197 205 206 213 222 230 237 249 258 259 261 264 272 273 278 281 324 326 333 357 363 366 368 371 376 378 381 393 394 399 400 401 421 424 428 429 438 445 452 470 473 484 492 494 512 513 514 544 546 552 553 560 561 573 580 611 613 614 616 619 621 630 632 637 639 645 651 665 668 691 694 695 697 698 710 713 715 720 726 740 744 749 750 753 757 772 776 780 785 788 791 792 806 808 809 811 825 842 852 858 875 878 888 894 915 916 920 921 936 942 951 954 969 972",
    ),
  },
  { why: "its tests write keys of objects in two pairs of quotes", ids: numbered("MBJSP/", "174 585 653 679 795 939") },
  { why: "its solution sorts by a function that is not its own", ids: ["MBJSP/243"] },
  { why: "its solution draws its answer at random", ids: ["MBJSP/844"] },
];

const reasons: ReadonlyMap<string, string> = new Map(
  exceptions.flatMap(({ why, ids }) => ids.map((id): [string, string] => [id, why])),
);

/** Why a task of a published set is not passed by its own solution; undefined where it is, or nothing is known of it. */
export function knownException(id: string): string | undefined {
  return reasons.get(id);
}
