const BLANK = /[\t\n\v\f\r]+/g;
// Terminals obey C0 and C1 controls; the bidirectional ones reorder what stands around them.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
export const CONTROL = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** One line without control characters: a host's words must not move a cursor, or write a mail's header. */
export function clean(text: string): string {
  return text.replace(BLANK, ' ').replace(CONTROL, '\ufffd');
}
