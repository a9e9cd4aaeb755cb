// The languages that programs are written in.

/** What a program is written in. */
export type Language = "javascript" | "python";
