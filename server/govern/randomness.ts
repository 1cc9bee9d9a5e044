// Pairs of letters by their frequency in English text, technical words and model names, the most frequent first. Letters
// drawn by chance hit one of the first half in a quarter of all cases, and any of them in half of all cases.
const PAIRS = (
  'th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de hi ri ro ic ne ea ra ce li ch ll be ma si om ur ' +
  'ca el ta la ns di fo ho pe ec pr no ct us ac ot il tr ly nc et ut ss so rs un lo wa ge ie wh ee wi em ad ol rt po we na ul ni ts mo ow pa im mi ai sh ir su id os iv ia am fi ci vi pl ig tu ev ld ry mp fe bl ab gh ty op wo sa ay ex ke fr oo av ag if ap gr od bo sp rd do uc bu ei ov by rm ep tt oc fa ef cu rn sc gi da yo cr cl du ga qu ue ff ba ey ls va um pp ua up lu go ht ru ug ds lt pi rc rr eg au ck ew mu br bi pt ak pu ui rg ib tl ny ki rk ys ob mm fu ph og ms ye ud mb ip ub oi rl gu dr hr cc tw ft wn nu af hu nn eo vo rv nf xp gn sm fl iz ok nl my gl aw ju oa eq sy sl ps jo lf nv je nk kn gs dy hy ze ks xt bs ik dd pm xc xl gp vl lm mx hf qw rw kv gg uf fp bf'
).split(' ');
const FREQUENT_PAIRS = 150;

/** By first letter · 26 + second: what the pair says for chance (positive) or for words (negative), in bits or so. */
const PAIR_EVIDENCE = new Float32Array(26 * 26).fill(1.6);
for (const [rank, pair] of PAIRS.entries()) {
  const index = (pair.charCodeAt(0) - 97) * 26 + pair.charCodeAt(1) - 97;
  PAIR_EVIDENCE[index] = rank < FREQUENT_PAIRS ? -1.5 : -0.3;
}

// Words change to capitals at their beginning only, and names hold a digit or two in a row rather than one here and there.
const LETTER_TO_DIGIT = 1.2;
const DIGIT_TO_LETTER = 1.5;
const DIGIT_TO_DIGIT = -0.2;
const TO_CAPITAL = 0.8;
const AFTER_CAPITALS = 0.9;
const AFTER_CAPITAL = -0.4;

/** Real names stay well below it; of 16 letters and digits drawn by chance one in forty does. */
const THRESHOLD = 3;

/**
 * Whether a run of letters and digits (without separators, at least 10 characters) looks drawn by chance rather than
 * made of words: a sum of evidence over its neighbouring characters.
 */
export function looksRandom(run: string): boolean {
  return randomness(run) >= THRESHOLD;
}

/** The sum of evidence that a run was drawn by chance; words and names are below 3, mostly below 0. */
export function randomness(run: string): number {
  let evidence = 0;
  let beforeKind = kindOf(run.charCodeAt(0));
  let beforeLetter = letterOf(run.charCodeAt(0));
  let capitals = beforeKind === UPPER ? 1 : 0;
  let digits = beforeKind === DIGIT ? 1 : 0;
  for (let i = 1; i < run.length; i++) {
    const code = run.charCodeAt(i);
    const kind = kindOf(code);
    const letter = letterOf(code);
    if (kind === DIGIT) {
      digits++;
      evidence += beforeKind === DIGIT ? DIGIT_TO_DIGIT : LETTER_TO_DIGIT;
    } else if (beforeKind === DIGIT) evidence += DIGIT_TO_LETTER;
    else if (kind === UPPER && beforeKind === LOWER) evidence += TO_CAPITAL;
    else {
      if (kind === LOWER && beforeKind === UPPER) evidence += capitals > 1 ? AFTER_CAPITALS : AFTER_CAPITAL;
      evidence += PAIR_EVIDENCE[beforeLetter * 26 + letter];
    }
    capitals = kind === UPPER ? capitals + 1 : 0;
    beforeKind = kind;
    beforeLetter = letter;
  }
  return digits === run.length ? 0 : evidence;
}

const LOWER = 0;
const UPPER = 1;
const DIGIT = 2;

function kindOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return DIGIT;
  return code >= 0x41 && code <= 0x5a ? UPPER : LOWER;
}

function letterOf(code: number): number {
  return ((code | 0x20) - 97) % 26;
}
