// The characters by which byte-level BPE writes bytes (from GPT-2): printable Latin-1 stands for itself, the other bytes follow
// from U+0100 on in order.

/** [256] byte -> character */
const CHARACTER_OF_BYTE: readonly string[] = (() => {
  let others = 0;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(isPrintable ? byte : 256 + others++);
  });
})();

/** The last character that stands for a byte. */
const LAST_CHARACTER = 0x143;

/** [0x144] code of a character -> byte, -1 where it stands for none */
const BYTE_OF_CHARACTER: Int16Array = (() => {
  const bytes = new Int16Array(LAST_CHARACTER + 1).fill(-1);
  for (const [byte, character] of CHARACTER_OF_BYTE.entries()) bytes[character.charCodeAt(0)] = byte;
  return bytes;
})();

const UNIT_OF_BYTE = Uint16Array.from(CHARACTER_OF_BYTE, (character) => character.charCodeAt(0));
/** Code units that become a string at a time. */
const UNITS_AT_ONCE = 8192;

const utf8 = new TextEncoder();

/** Text with each byte of its UTF-8 written as a character. */
export function byteCharacters(text: string): string {
  let made = "";
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80) {
      for (const byte of utf8.encode(text.slice(i))) made += CHARACTER_OF_BYTE[byte]!;
      return made;
    }
    made += CHARACTER_OF_BYTE[unit]!;
  }
  return made;
}

/** The same for a text of some thousand characters: a string that grew character by character would be copied when it is read. */
export function manyByteCharacters(text: string): string {
  const bytes = utf8.encode(text);
  const units = new Uint16Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) units[i] = UNIT_OF_BYTE[bytes[i]!]!;
  let made = "";
  for (let i = 0; i < units.length; i += UNITS_AT_ONCE) {
    made += String.fromCharCode.apply(null, units.subarray(i, i + UNITS_AT_ONCE) as never);
  }
  return made;
}

/** The bytes that a byte-level token writes, or undefined if it has a character outside of that alphabet. */
export function bytesOfCharacters(token: string): Uint8Array | undefined {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const unit = token.charCodeAt(i);
    const byte = unit <= LAST_CHARACTER ? BYTE_OF_CHARACTER[unit]! : -1;
    if (byte < 0) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}
