/**
 * Whether a text fits a pattern, in which `*` is any number of characters and `?` is one. In time proportional to both
 * lengths, whatever is asked: patterns come from outside, and as a regular expression some would run for ever.
 */
export function matchesGlob(text: string, pattern: string): boolean {
  let [at, want] = [0, 0];
  let star = -1;
  let resumeAt = 0;
  while (at < text.length) {
    if (pattern[want] === '*') {
      star = want++;
      resumeAt = at;
    } else if (want < pattern.length && (pattern[want] === '?' || pattern[want] === text[at])) {
      at++;
      want++;
    } else if (star >= 0) {
      want = star + 1; // the latest star takes one character more
      at = ++resumeAt;
    } else return false;
  }
  while (pattern[want] === '*') want++;
  return want === pattern.length;
}

export const isGlob = (pattern: string) => /[*?]/.test(pattern);
