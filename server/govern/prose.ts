// Small words that sentences can't do without and that names of models, services and codes rarely hold. Words that names
// do hold (en, de, on, no, it, do, not, all, more) are left out or count only together with others.
const SMALL_WORDS = new Set(
  (
    'the a an is are was were be been am to of and or in for with that this these those as at by from but if so than then there here ' +
    'i me my mine you your yours we us our he him his she her they them their its who whom what which when where why how ' +
    'can could will would shall should may might must do does did has have had not please tell give write explain ' +
    'der die das den dem ein eine und ist sind war nicht ich du er sie wir ihr mir mich mit von zu auf für wie was warum bitte ' +
    'le la les un une et est sont je tu il elle nous vous mon ma mes votre pour avec dans que qui quoi comment pourquoi ' +
    'el los las y es son yo mi tu su por para con como qué cómo porque favor ' +
    'il lo gli uno una e è sono io per che come perché ' +
    'o os as um uma é são eu meu minha com não você'
  ).split(' '),
);

/** Words by which somebody speaks or asks; in a slug they give a question away. */
const SPEAKING_WORDS = new Set(
  'i me my mine you your yours we our what which when where why how who please tell give write explain can could would should ich mir mich mein wie warum bitte je mon comment pourquoi qué cómo'.split(
    ' ',
  ),
);

const WORD = /^[("'“‘¿¡[]*([\p{L}][\p{L}'’]*)[)"'”’\].,;:!?…]*$/u;
const SENTENCE_END = /[\p{L}\d)"'”’][.!?…]["'”’)]?(?:\s|$)/u;
const NON_LATIN_RUN =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Hangul}]{6,}|[\p{Script=Cyrillic}\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Devanagari}\p{Script=Greek}]{2,}[\s,]+[\p{Script=Cyrillic}\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Devanagari}\p{Script=Greek}]+/u;

/**
 * How many words make a sentence: where a code is expected few do; a name that people gave to a step (`fetch user profile
 * from cache`) may have some.
 */
export type Expectation = 'code' | 'name';

/**
 * Whether a text reads like a sentence or a piece of one rather than like a name or a code. It looks at words between
 * blanks (or the parts of a slug), at small words and at punctuation; text in a script without blanks counts from six
 * characters on. Looks at the first 1,000 characters.
 */
export function isProse(text: string, expected: Expectation = 'code'): boolean {
  const start = text.length > 1000 ? text.slice(0, 1000) : text;
  // Most values are plain codes: one look at the characters tells that none of the searches below can find anything.
  let blanks = 0;
  let separators = 0;
  let isAscii = true;
  for (let i = 0; i < start.length; i++) {
    const kind = CHARACTER_KIND[Math.min(start.charCodeAt(i), 128)];
    if (kind === BLANK) blanks++;
    else if (kind === SEPARATOR) separators++;
    else if (kind === BEYOND_ASCII) isAscii = false;
  }
  if (blanks >= 2 || !isAscii) {
    if (isSentence(start.split(/\s+/).filter(isNotEmpty), start, expected)) return true;
    if (!isAscii && NON_LATIN_RUN.test(start)) return true;
  }
  return separators >= 3 && isSlugOfWords(start);
}

const BLANK = 1;
const SEPARATOR = 2;
const BEYOND_ASCII = 3;

/** By character code; 128 stands for everything beyond ASCII. */
const CHARACTER_KIND = new Uint8Array(129);
for (const blank of ' \t\n\r\f\v') CHARACTER_KIND[blank.charCodeAt(0)] = BLANK;
for (const separator of '_-+./%') CHARACTER_KIND[separator.charCodeAt(0)] = SEPARATOR;
CHARACTER_KIND[128] = BEYOND_ASCII;

function isNotEmpty(part: string): boolean {
  return part !== '';
}

function isSentence(parts: readonly string[], text: string, expected: Expectation): boolean {
  if (parts.length < 3) return false;
  let words = 0;
  let small = 0;
  let lower = 0;
  for (const part of parts) {
    const word = WORD.exec(part)?.[1];
    if (word === undefined) continue;
    words++;
    if (SMALL_WORDS.has(word.toLowerCase())) small++;
    else if (word.length > 1 && word[0] === word[0].toLowerCase()) lower++;
  }
  // Command lines and key=value lists have blanks too, but few of their parts are words.
  if (words < 3 || words < parts.length * 0.5) return false;
  if (small >= 2) return true;
  if (small === 1 && lower >= 1 && words >= (expected === 'code' ? 3 : 7)) return true;
  if (lower >= (expected === 'code' ? 4 : 7)) return true;
  return SENTENCE_END.test(text) && lower >= 2;
}

/** `how_do_i_reset_my_password`, `tell%20me%20about` and their like. */
function isSlugOfWords(text: string): boolean {
  const parts = text.toLowerCase().split(/[_\-+./]|%20/);
  if (parts.length < 4) return false;
  let small = 0;
  let speaking = 0;
  for (const part of parts) {
    if (SMALL_WORDS.has(part)) small++;
    if (SPEAKING_WORDS.has(part)) speaking++;
  }
  if (speaking >= 2 || (speaking >= 1 && small >= 2 && parts.length >= 5)) return true;
  // Names are long at times, but they aren't made of small words; sentences of any language are to a third.
  return parts.length >= 8 && small >= 3 && small * 4 >= parts.length;
}
