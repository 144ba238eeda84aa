import { styleText } from 'node:util';
import { clean } from '../../src/cli/text.ts';
import { formatDuration } from '../../src/lib/utils.ts';

/** Where the demo speaks: standard output, or standard error when the other belongs to JSON. */
export type Stream = NodeJS.WriteStream;

/** Lines can be rewritten. Colours are another matter: styleText heeds NO_COLOR and what the stream can do. */
export function isLive(stream: Stream): boolean {
  return stream.isTTY === true && process.env.TERM !== 'dumb';
}

export type Colour = 'green' | 'red' | 'yellow' | 'bold' | 'dim';

export function colour(stream: Stream, name: Colour, text: string): string {
  return styleText(name, text, { stream });
}

const tickMs = 1_000;
const silenceMs = 2_000;

/** Tells that something has begun and how long it took; on a terminal both are one line. */
export class Show {
  readonly stream: Stream;

  constructor(stream: Stream) {
    this.stream = stream;
  }

  say(text = ''): void {
    this.stream.write(`${text}\n`);
  }

  title(text: string): void {
    this.say(`\n${colour(this.stream, 'bold', text)}`);
  }

  /** `note` given to `work` says how far it has come. */
  async step<T>(what: string, work: (note: (text: string) => void) => Promise<T>): Promise<T> {
    const began = performance.now();
    const line = isLive(this.stream) ? this.#liveLine(what, began) : this.#plainLine(what);
    try {
      const result = await work(line.note);
      line.end(colour(this.stream, 'green', 'ok'), formatDuration(performance.now() - began));
      return result;
    } catch (error) {
      line.end(colour(this.stream, 'red', '--'), 'not done');
      throw error;
    }
  }

  /** A log need not hold every note; it must only not fall silent. */
  #plainLine(what: string) {
    this.say(`.. ${what} ...`);
    let saidAt = performance.now();
    return {
      note: (text: string) => {
        if (performance.now() - saidAt < silenceMs) return;
        saidAt = performance.now();
        this.say(`   ${clean(text)}`);
      },
      end: (mark: string, took: string) => this.say(`${mark} ${what} (${took})`),
    };
  }

  #liveLine(what: string, began: number) {
    let noted = '';
    const draw = () => {
      const seconds = Math.round((performance.now() - began) / 1000);
      const text = `.. ${what} ${noted ? `(${noted}) ` : ''}${seconds > 0 ? `${seconds} s ` : ''}`;
      this.stream.write(`\r\x1b[K${text.slice(0, (this.stream.columns || 80) - 1)}`);
    };
    const timer = setInterval(draw, tickMs);
    draw();
    return {
      note: (text: string) => {
        noted = clean(text);
        draw();
      },
      end: (mark: string, took: string) => {
        clearInterval(timer);
        this.stream.write(`\r\x1b[K${mark} ${what} ${colour(this.stream, 'dim', `(${took})`)}\n`);
      },
    };
  }
}
