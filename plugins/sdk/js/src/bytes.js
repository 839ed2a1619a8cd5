// Bytes: from text and back in UTF-8, and pieces made one. The engine inside of a component has no TextEncoder.

const REPLACEMENT = 0xfffd;

// What one call of `String.fromCodePoint` is given: its arguments lie on the stack.
const PIECE_MAX = 4096;

export function encode(text) {
  const bytes = [];
  for (const letter of text) {
    let code = letter.codePointAt(0);
    if (code >= 0xd800 && code <= 0xdfff) code = REPLACEMENT;
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63));
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    else bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
  }
  return Uint8Array.from(bytes);
}

// What is no UTF-8 becomes the replacement character.
export function decode(bytes) {
  let text = "";
  let codes = [];
  for (let at = 0; at < bytes.length; ) {
    const [code, length] = letter(bytes, at);
    codes.push(code);
    at += length;
    if (codes.length === PIECE_MAX) {
      text += String.fromCodePoint(...codes);
      codes = [];
    }
  }
  return text + String.fromCodePoint(...codes);
}

// The letter at a position, and how many bytes it takes.
function letter(bytes, at) {
  const first = bytes[at];
  if (first < 0x80) return [first, 1];
  const length = first >= 0xf0 && first < 0xf5 ? 4 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xc2 && first < 0xe0 ? 2 : 0;
  let code = first & (0xff >> (length + 1));
  for (let next = 1; next < length; next += 1) {
    const byte = bytes[at + next];
    if (byte === undefined || (byte & 0xc0) !== 0x80) return [REPLACEMENT, next];
    code = (code << 6) | (byte & 63);
  }
  const least = [0, 0, 0x80, 0x800, 0x10000][length];
  const isNone = length === 0 || code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff);
  return isNone ? [REPLACEMENT, Math.max(1, length)] : [code, length];
}

// The bytes of what has some: of text not, whose encoding only its author knows.
export function bytesOf(content, what) {
  if (content instanceof Uint8Array) return content;
  if (content instanceof ArrayBuffer) return new Uint8Array(content);
  if (ArrayBuffer.isView(content)) return new Uint8Array(content.buffer, content.byteOffset, content.byteLength);
  throw new TypeError(`the content of ${what} is a Uint8Array, not of type ${typeof content}; encode text with new TextEncoder()`);
}

// Pieces in a row.
export function joined(pieces) {
  if (pieces.length === 1) return pieces[0];
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
