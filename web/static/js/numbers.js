// Normalises typed numbers: permit numbers, receipt numbers and live codes share an alphabet, digits and
// capitals without I, L, O and U; the first two also have a check character (domain/permit_number.py).
export const PERMIT_LENGTH = 12;
const RECEIPT_LENGTH = 16;
const CODE_LENGTH = 26;
const ALPHABET = /^[0-9A-HJKMNP-TV-Z]+$/;
const ISO_7064 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const BETWEEN = /[\s\p{Pd}\p{Cf}\u2212.·・。]/gu;
const ADDRESS = /^https?:\/\/[^/\s?#]+\/v\/([^/\s?#]+)$/i;

/** Removes separators, and reads O, I and L as the digits that they resemble. */
export const normalised = (typed) => typed.normalize("NFKC").replace(BETWEEN, "").toUpperCase().replace(/O/g, "0").replace(/[IL]/g, "1");

/** ISO/IEC 7064, hybrid system MOD 37,36. */
export function checkCharacter(body) {
  let product = 36;
  for (const character of body) product = (((product + ISO_7064.indexOf(character)) % 36 || 36) * 2) % 37;
  return ISO_7064[(37 - product) % 36];
}

/** Whether a normalised text is a valid permit number; the permit itself may not exist. */
export const isPermitNumber = (number) => isOf(PERMIT_LENGTH, number);
export const isReceiptNumber = (number) => isOf(RECEIPT_LENGTH, number);

/** Returns the live code in an address, or the text itself. */
export const codeIn = (value) => normalised(ADDRESS.exec(value.trim())?.[1] ?? value);

/** Recognises a scanned text by its form: {code} or {permitNumber}; null if it is neither. */
export function oursIn(value) {
  const bare = ADDRESS.exec(value)?.[1] ?? value;
  if (!/^[0-9A-Za-z]+$/.test(bare)) return null;
  const upper = bare.toUpperCase();
  if (upper.length === CODE_LENGTH && ALPHABET.test(upper)) return { code: upper };
  return bare === value && isPermitNumber(upper) ? { permitNumber: upper } : null;
}

/** Decodes an untrusted part of an address. */
export function unescaped(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const isOf = (length, number) => number.length === length && ALPHABET.test(number) && checkCharacter(number.slice(0, -1)) === number.at(-1);
