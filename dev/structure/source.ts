/**
 * Reads TypeScript just far enough to tell code from comments, strings, templates and regular expressions.
 *
 * The rules need no syntax tree, only the certainty that a word they find is code. Every view made here keeps
 * the length and the line ends of the text, so that an offset in one is the same place in all of them.
 */

export interface SourceFile {
  /** Relative to the root of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Template {
  /** The word before the opening backtick; empty when there is none. */
  readonly tag: string;
  readonly start: number;
  /** The literal parts; between two of them stands one `${…}`. */
  readonly parts: Span[];
}

export interface Source {
  readonly file: SourceFile;
  /** Comments are blank, the rest is as written. */
  readonly bare: string;
  /** As `bare`, and what stands inside strings, templates and regular expressions is blank too. */
  readonly code: string;
  /** What stands between the quotes of '…' and "…". */
  readonly strings: readonly Span[];
  readonly templates: readonly Template[];
}

const known = new WeakMap<SourceFile, Source>();

/** Each file is scanned once, however many rules ask. */
export function source(file: SourceFile): Source {
  const before = known.get(file);
  if (before !== undefined) return before;
  const made = new Scanner(file).scan();
  known.set(file, made);
  return made;
}

export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let i = text.indexOf('\n'); i !== -1 && i < offset; i = text.indexOf('\n', i + 1)) line++;
  return line;
}

/** The offsets at which a pattern begins in code; the match itself may run on into a string. */
export function* inCode(src: Source, pattern: RegExp): Generator<RegExpMatchArray & { index: number }> {
  for (const match of src.bare.matchAll(pattern)) {
    if (src.code.startsWith(match[0].slice(0, 1), match.index))
      yield match as RegExpMatchArray & { index: number };
  }
}

const wordBeforeRegex =
  /(?:^|[^\w$.])(?:return|typeof|case|in|of|delete|void|throw|new|await|yield|else|do)$/;

class Scanner {
  private readonly text: string;
  private readonly file: SourceFile;
  private readonly comments: Span[] = [];
  private readonly hidden: Span[] = [];
  private readonly strings: Span[] = [];
  private readonly templates: Template[] = [];
  /** The templates whose `${…}` we are inside of, with the braces open within it. */
  private readonly inside: { readonly template: Template; braces: number }[] = [];
  private at = 0;
  /** Where the last piece of code ended that was neither blank nor comment: tells a division from a pattern. */
  private lastCode = 0;

  constructor(file: SourceFile) {
    this.file = file;
    this.text = file.text;
  }

  scan(): Source {
    if (this.text.startsWith('#!')) this.comment(this.lineEnd());
    while (this.at < this.text.length) this.step();
    const bare = blank(this.text, this.comments);
    return {
      file: this.file,
      bare,
      code: blank(bare, this.hidden),
      strings: this.strings,
      templates: this.templates,
    };
  }

  private step(): void {
    const { text, at } = this;
    const char = text[at]!;
    if (text.startsWith('//', at)) this.comment(this.lineEnd());
    else if (text.startsWith('/*', at)) this.comment(this.commentEnd());
    else if (char === "'" || char === '"') this.string(char);
    else if (char === '`') this.openTemplate();
    else if (char === '/' && this.regexMayStand()) this.regex();
    else if (char === '{' || char === '}') this.brace(char);
    else {
      this.at++;
      if (char.trim() !== '') this.lastCode = this.at;
    }
  }

  private commentEnd(): number {
    const close = this.text.indexOf('*/', this.at + 2);
    return close === -1 ? this.text.length : close + 2;
  }

  private lineEnd(): number {
    const end = this.text.indexOf('\n', this.at);
    return end === -1 ? this.text.length : end;
  }

  private comment(end: number): void {
    this.comments.push({ start: this.at, end });
    this.at = end;
  }

  private string(quote: string): void {
    const start = this.at + 1;
    let end = start;
    while (end < this.text.length && this.text[end] !== quote && this.text[end] !== '\n')
      end += this.text[end] === '\\' ? 2 : 1;
    this.hide({ start, end });
    this.strings.push({ start, end });
    this.moveTo(end + 1);
  }

  private openTemplate(): void {
    const before = this.text.slice(Math.max(0, this.at - 200), this.at);
    // The tag may carry type arguments: sql<HostRow>`…`.
    const tag = /([\w$]+)\s*(?:<[^`;()=]*>)?\s*$/.exec(before)?.[1] ?? '';
    const template: Template = { tag, start: this.at, parts: [] };
    this.templates.push(template);
    this.templatePart(template);
  }

  private templatePart(template: Template): void {
    const { text } = this;
    const start = this.at + 1;
    let end = start;
    while (end < text.length && text[end] !== '`' && !text.startsWith('${', end))
      end += text[end] === '\\' ? 2 : 1;
    const part = { start, end: Math.min(end, text.length) };
    template.parts.push(part);
    this.hide(part);
    if (text.startsWith('${', end)) {
      this.inside.push({ template, braces: 0 });
      this.moveTo(end + 2);
    } else this.moveTo(end + 1);
  }

  private brace(char: '{' | '}'): void {
    const innermost = this.inside.at(-1);
    if (innermost !== undefined && char === '}' && innermost.braces === 0) {
      this.inside.pop();
      this.templatePart(innermost.template);
      return;
    }
    if (innermost !== undefined) innermost.braces += char === '{' ? 1 : -1;
    this.moveTo(this.at + 1);
  }

  private regexMayStand(): boolean {
    const before = this.text.slice(Math.max(0, this.lastCode - 12), this.lastCode);
    return (
      before === '' ||
      /(?:[(,=:[!&|?{;*%~^<>]|(?<!\+)\+|(?<!-)-)$/.test(before) ||
      wordBeforeRegex.test(before)
    );
  }

  private regex(): void {
    const body = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\//y;
    body.lastIndex = this.at;
    const match = body.exec(this.text);
    const length = match?.[0].length ?? 1;
    if (match !== null) this.hide({ start: this.at + 1, end: this.at + length - 1 });
    this.moveTo(this.at + length);
  }

  private hide(span: Span): void {
    this.hidden.push(span);
  }

  private moveTo(at: number): void {
    this.at = at;
    this.lastCode = at;
  }
}

function blank(text: string, spans: readonly Span[]): string {
  const out: string[] = [];
  let from = 0;
  for (const { start, end } of spans) {
    out.push(text.slice(from, start), text.slice(start, end).replace(/[^\n]/g, ' '));
    from = end;
  }
  out.push(text.slice(from));
  return out.join('');
}
