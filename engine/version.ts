/** kedge's version, as package.json has it: what was measured with one says nothing of another. */
export const VERSION = "0.1.0";
