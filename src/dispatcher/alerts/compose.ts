import { ALERT_KINDS, type AlertKind } from '../../lib/alerts.ts';
import { clean } from '../../lib/clean.ts';
import { escapeHtml } from '../../lib/html.ts';
import type { Section } from '../store/alert-mails.ts';

const TITLES: Record<AlertKind, [one: string, many: string]> = {
  job_paused: ['job paused', 'jobs paused'],
  job_failed: ['job failed', 'jobs failed'],
  job_finished: ['job finished', 'jobs finished'],
  schedule_missed: ['schedule missed its time', 'schedules missed their time'],
  quarantined: ['version quarantined', 'versions quarantined'],
  host_lost: ['host lost', 'hosts lost'],
  host_back: ['host back', 'hosts back'],
  expiring: ['thing is about to expire', 'things are about to expire'],
  trouble: ['thing in trouble', 'things in trouble'],
};

export type Told = {
  sections: Section[];
  /** They waited, as more mails would have gone than an hour is to have. */
  heldBack: number;
  maxPerHour: number;
  /** No mail could be sent for so long that they are only counted. */
  givenUp: number;
};

export type Written = { subject: string; text: string; html: string };

/** One mail of many alerts: pure. What hosts and people wrote stays text in it, and makes no line of its own. */
export function compose({ sections, heldBack, maxPerHour, givenUp }: Told): Written {
  const sorted = sections.toSorted((a, b) => ALERT_KINDS.indexOf(a.kind) - ALERT_KINDS.indexOf(b.kind));
  const notes = [
    ...(heldBack > 0
      ? [`${heldBack} of these were held back for a while: at most ${maxPerHour} mails go in an hour.`]
      : []),
    ...(givenUp > 0
      ? [`${givenUp} earlier alerts are in no mail, since none could be sent for too long.`]
      : []),
    'All of them, with their times: mega alert list',
  ];
  return {
    subject: `mega: ${subjectOf(sorted, givenUp)}`,
    text: [...sorted.map(textOf), ...notes.map((one) => `${one}\n`)].join('\n'),
    html: [...sorted.map(htmlOf), ...notes.map((one) => `<p>${escapeHtml(one)}</p>\n`)].join(''),
  };
}

/** `3 hosts lost`. */
export function titleOf({ kind, count }: Pick<Section, 'kind' | 'count'>): string {
  const [one, many] = TITLES[kind];
  return `${count} ${count === 1 ? one : many}`;
}

/** Of a single alert it says whom it is about. */
function subjectOf(sections: Section[], givenUp: number): string {
  const titles = sections.map((section) => {
    const [only] = section.first;
    return section.count === 1 && only
      ? `${TITLES[section.kind][0]}: ${clean(only.about)}`
      : titleOf(section);
  });
  return titles.join(', ') || `${givenUp} alerts that could not be mailed`;
}

const more = ({ count, first }: Section) =>
  count > first.length ? `and ${count - first.length} more` : undefined;

function textOf(section: Section): string {
  const lines = section.first.map(({ about, text }) => `  ${clean(about)}: ${clean(text)}`);
  const rest = more(section);
  return `${[titleOf(section), ...lines, ...(rest ? [`  ${rest}`] : [])].join('\n')}\n`;
}

function htmlOf(section: Section): string {
  const item = (html: string) => `<li>${html}</li>\n`;
  const items = section.first.map(({ about, text }) =>
    item(`<b>${escapeHtml(clean(about))}</b>: ${escapeHtml(clean(text))}`),
  );
  const rest = more(section);
  const list = [...items, ...(rest ? [item(rest)] : [])].join('');
  return `<h3>${titleOf(section)}</h3>\n<ul>\n${list}</ul>\n`;
}
