/** What a loader has done, from its own log: it keeps no other record, and knows nothing of tasks. */
export type LoaderWord =
  | { did: 'start'; version: string; onTrial: boolean }
  | { did: 'go back'; from: string; to: string; why: string }
  | { did: 'see the end'; how: string };

/** A loader that writes its own log puts the time before its words. */
const started = /^(?:\S+ )?mega_client: started (\S+), pid \d+(.*)$/;
const wentBack = /^(?:\S+ )?mega_client: going back from (\S+) to (\S+): (.*)$/;
const ended = /^(?:\S+ )?mega_client: agent \d+ ended: (.*)$/;

export function readLoaderLog(text: string): LoaderWord[] {
  return text.split('\n').flatMap((line): LoaderWord[] => {
    const start = started.exec(line);
    if (start) return [{ did: 'start', version: start[1]!, onTrial: start[2]!.includes('on trial') }];
    const back = wentBack.exec(line);
    if (back) return [{ did: 'go back', from: back[1]!, to: back[2]!, why: back[3]! }];
    const end = ended.exec(line);
    return end ? [{ did: 'see the end', how: end[1]! }] : [];
  });
}
