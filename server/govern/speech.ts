// Words by which a person speaks of themselves. Programs say "you" and "please" to their operators, but hardly ever "my".
const FIRST_PERSON = new Set(
  (
    "i i'm i've i'd i'll me my mine myself im " +
    'ich mir mich mein meine meinen meinem meiner ' +
    "je j'ai moi mon ma mes " +
    'yo mi mis conmigo mío mía ' +
    'io mio mia miei mie ' +
    'eu meu minha meus minhas comigo'
  ).split(' '),
);

/** Words by which somebody is spoken to, or asked for something. */
const ASKING = new Set(
  (
    'you your yours please tell give write explain describe summarize summarise translate rewrite help teach show ' +
    'what why how who when where which can could would should does do did am ' +
    'du dir dich dein deine sie bitte sag sage erkläre erklär erzähl schreib schreibe hilf warum wieso wie was wer kannst könntest soll darf ' +
    'tu vous votre ton ta tes dis dites explique expliquez aide aidez pourquoi comment quoi quel quelle peux pouvez est-ce ' +
    'tú usted por qué cómo cuál quién puedes puedo ayuda ayúdame explica dime escribe ' +
    'tuo tua perché come cosa puoi posso aiutami spiega dimmi ' +
    'você seu sua porquê como qual pode posso ajude explique diga'
  ).split(' '),
);

const MIN_WORDS = 5;
const WORDS = /[\p{L}][\p{L}'’]*(?:-ce)?/gu;
/** Logs of C++ programs begin with the letter of their level, and `I/O` is no person. */
const LEVEL_LETTER = /^(?:\S*\d\S*\s+)+I(?=[\s\d/])|^I(?=\s?\d)|\bI\/O\b|\bI(?=\s+[a-z]+\/)/g;
/** Names such as `my_bucket`, `my-app`, `my.cnf` and `/my/path` are no words. */
const COMPOUND = /\b[A-Za-z\d]+(?:[_./\\@-][A-Za-z\d]+)+\b/g;

/**
 * Whether a text is what a person says to somebody, rather than what a program reports: it speaks in the first person, and
 * asks or addresses somebody. This is all that tells a prompt that stands in a line with no field around it from a
 * message; what is said without `I` or `my` isn't seen.
 */
export function speaks(text: string): boolean {
  const start = text.length > 4000 ? text.slice(0, 4000) : text;
  // One search rules most lines out.
  if (!HINT.test(start)) return false;
  let first = 0;
  let asking = 0;
  let words = 0;
  const plain = start.replace(LEVEL_LETTER, ' ').replace(COMPOUND, (name) => (/-ce$/i.test(name) ? name : ' '));
  for (const [found] of plain.matchAll(WORDS)) {
    const word = found.toLowerCase().replaceAll('’', "'").replace(/'s$/, '');
    words++;
    if (FIRST_PERSON.has(word)) first++;
    else if (ASKING.has(word)) asking++;
  }
  if (first === 0 || words < MIN_WORDS) return false;
  return asking >= 1 || first >= 3 || start.includes('?');
}

/** The same words for a quick look; `\b` is quick, and takes a letter beyond ASCII for the end of a word. */
const HINT = new RegExp(`\\b(?:${[...FIRST_PERSON].map((word) => word.replace(/['í].*/, '')).join('|')})\\b`, 'i');
/** A word of a sentence; what stands before the first one is the time, level and source of a line. */
const PLAIN_WORD = /(?:^|\s)\p{Ll}[\p{L}'’]{2,}(?=[\s,.!?:;]|$)/u;

/** The text without what is said in it: what stands before the first word of it stays, then comes the mark. */
export function cutSpeech(text: string, mark: string): string {
  const firstWord = text.search(PLAIN_WORD);
  const head = `${text.slice(0, Math.max(0, firstWord))} `;
  // A capital begins the sentence; times, levels and sources end with a sign or a number.
  const end = Math.max(head.lastIndexOf(': '), head.lastIndexOf('] '), head.lastIndexOf('- '));
  return end < 0 ? mark : `${head.slice(0, end + 1)} ${mark}`;
}
