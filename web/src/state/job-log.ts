import type { RefObject } from 'preact';
import { useEffect, useMemo, useReducer, useRef, useState } from 'preact/hooks';
import { Follower } from '../log/follower';
import type { Choice } from '../log/outline';
import type { Rows } from '../log/rows';
import type { Search } from '../log/search';
import { LogView, READER } from '../log/view';
import { usePlaycast } from './context';
import { href } from './route';
import { useSearch } from './search';

/** How often what stands around the log is drawn while it grows; the rows themselves follow each frame. */
const AROUND_MS = 500;

/** The log of a job on the screen: what follows it, what draws it, and what the reader chose. */
export interface JobLog {
  follower: Follower;
  view: LogView | null;
  follow: boolean;
  folded: ReadonlySet<number>;
  fold: (folded: ReadonlySet<number>) => void;
  /** The line that is pointed at. */
  line: number | null;
  goTo: (line: number) => void;
  /** The same, and open what is behind the line. */
  show: (line: number) => void;
  search: Search | null;
  searching: boolean;
  /** The lines that hold the text, where the reader looks. */
  finds: readonly number[];
  find: (step: 1 | -1) => void;
  /** How many failures there are where the reader looks. */
  failures: number;
  fail: (step: 1 | -1) => void;
  /** Point at the next shown line, or the one before. */
  walk: (step: 1 | -1) => void;
  /** Open what is behind a line: fold its task, or show it as a whole. */
  open: (line: number) => void;
  opened: number | null;
  close: () => void;
}

export interface Wanted {
  job: { id: string; number: number; logBytes: number; status: string };
  /** Whether a long log is read from its start. */
  all: boolean;
  readAll: () => void;
  line: number | null;
  host: string | null;
  /** Show the lines of all hosts again. */
  anyHost: () => void;
  text: string;
  /** Whether each line is shown with the time when it came. */
  times: boolean;
  /** What people call the hosts that have another name in the log. */
  names: ReadonlyMap<string, string>;
}

export function useJobLog(room: RefObject<HTMLDivElement | null>, wanted: Wanted): JobLog {
  const { host } = wanted;
  const [outlined, outline] = useReducer((turn: number, _: void) => turn + 1, 0);
  const [folded, fold] = useState<ReadonlySet<number>>(new Set());
  const [opened, setOpened] = useState<number | null>(null);
  const [line, setLine] = useState(wanted.line);
  const { follower, view, follow, grown } = useFollower(room, wanted, outline);
  const found = useSearch(follower, wanted.text, grown);
  const rows = useRows(follower, outlined, { host, folded });
  useMarks(view, rows, follower, { ...wanted, line, folded, outlined, search: found.search });

  const goTo = useGoTo(view, follower, wanted, folded, fold, setLine);
  const show = (one: number): void => {
    setOpened(one);
    goTo(one);
  };
  const { outline: told, store } = follower;
  const failures = told.failures.map((failure) => failure.line).filter((one) => isShown(follower, one, host));
  const finds = found.search?.lines.filter((one) => isShown(follower, one, host)) ?? [];
  useLanding(follower, wanted, goTo, show);
  const shown = { follower, view: view.current, follow, folded, fold, line, goTo, show, finds, failures: failures.length, opened };
  return {
    ...found,
    ...shown,
    find: (by) => step(finds, line, by, goTo),
    fail: (by) => step(failures, line, by, show),
    walk: (by) => {
      const last = rows.count(store.lineCount) - 1;
      const row = line === null ? (view.current?.firstSeen ?? 0) : rows.rowOf(line) + by;
      if (last >= 0) goTo(rows.lineAt(Math.min(Math.max(0, row), last)));
    },
    open: (one) => {
      const task = told.taskOn(one);
      if (task >= 0) fold(toggled(folded, task));
      // The panel may take room from the log; who follows goes on.
      else if (follow) setOpened(one);
      else show(one);
    },
    close: () => setOpened(null),
  };
}

/** Whether a line is shown while only those of one host are, or of any. */
function isShown({ outline }: Follower, line: number, host: string | null): boolean {
  return host === null || [host, null].includes(outline.hostAt(line));
}

/** Goes to the next of some lines, or the one before, and round at the end. */
function step(lines: readonly number[], line: number | null, by: 1 | -1, go: (line: number) => void): void {
  const from = line ?? (by === 1 ? 0 : Infinity);
  const next = by === 1 ? lines.find((one) => one > from) : lines.findLast((one) => one < from);
  const to = next ?? lines.at(by === 1 ? 0 : -1);
  if (to !== undefined) go(to);
}

function toggled(folded: ReadonlySet<number>, task: number): ReadonlySet<number> {
  const next = new Set(folded);
  if (!next.delete(task)) next.add(task);
  return next;
}

/** What brings the log in, and what draws it in its room. */
function useFollower(room: RefObject<HTMLDivElement | null>, { job, all, line: first }: Wanted, outlined: () => void) {
  const { socket } = usePlaycast();
  const [, changed] = useReducer((turn: number, _: void) => turn + 1, 0);
  const [follow, setFollow] = useState(first === null);
  const view = useRef<LogView | null>(null);
  const grown = useRef(() => {});
  const follower = useMemo(() => {
    let timer = 0;
    const each = (): void => {
      timer = 0;
      changed();
      grown.current();
    };
    const grow = (): void => {
      view.current?.grow();
      timer ||= window.setTimeout(each, AROUND_MS);
    };
    return new Follower(socket.client, job.id, { grown: grow, filled: () => view.current?.draw(), outlined, changed });
  }, [all]);

  useEffect(() => {
    const drawn = new LogView(room.current as HTMLDivElement, follower.store, {
      missing: (missing) => void follower.bring(missing),
      followed: setFollow,
      href: (one) => href.line(job.number, one),
    });
    drawn.follow = follow;
    view.current = drawn;
    void follower.start(job.logBytes, all || first !== null);
    return () => {
      follower.close();
      drawn.close();
      view.current = null;
    };
  }, [follower]);
  return { follower, view, follow, grown };
}

/** The lines that the reader has not left out. */
function useRows(follower: Follower, outlined: number, { host, folded }: Choice): Rows {
  return useMemo(
    () => follower.outline.rows(follower.store.firstLine, { host, folded }),
    [follower, outlined, host, folded, follower.store.firstLine],
  );
}

interface Shown extends Wanted, Choice {
  line: number | null;
  outlined: number;
  search: Search | null;
}

/** Draws the rows anew when others are shown, or are marked in another way. */
function useMarks(view: RefObject<LogView | null>, rows: Rows, follower: Follower, shown: Shown): void {
  const { locale } = usePlaycast();
  const { line, folded, outlined, search, times, names } = shown;
  useEffect(() => {
    const failed = new Set(follower.outline.failures.map((failure) => failure.line));
    view.current?.change(rows, {
      line,
      pattern: search?.pattern ?? null,
      failed: (one) => failed.has(one),
      fold: (one) => {
        const task = follower.outline.taskOn(one);
        return task < 0 ? null : folded.has(task) ? 'closed' : 'open';
      },
      time: times ? clock(follower, locale) : null,
      names,
    });
  }, [rows, line, search, outlined, times, locale, names]);
}

/** Points at a line and brings it into sight, whatever hides it. */
function useGoTo(
  view: RefObject<LogView | null>,
  follower: Follower,
  { host, anyHost, readAll }: Wanted,
  folded: ReadonlySet<number>,
  fold: (folded: ReadonlySet<number>) => void,
  setLine: (line: number) => void,
): (line: number) => void {
  const later = useRef<number | null>(null);
  const goTo = (next: number): void => {
    setLine(next);
    if (next < follower.store.firstLine) {
      later.current = next;
      return readAll();
    }
    const task = follower.outline.taskAt(next);
    if (folded.has(task)) fold(new Set([...folded].filter((one) => one !== task)));
    if (!isShown(follower, next, host)) anyHost();
    return view.current?.goTo(next);
  };
  useEffect(() => {
    if (later.current === null || follower.store.firstLine > later.current || follower.store.lineCount < later.current) return;
    goTo(later.current);
    later.current = null;
  });
  return goTo;
}

/** Where the reader comes in: at the line of a link, or at the first failure of a job that has failed. Either may come later than the page. */
function useLanding(follower: Follower, { job, line }: Wanted, goTo: (line: number) => void, show: (line: number) => void): void {
  const waiting = useRef<number | 'failure' | null>(null);
  useEffect(() => void (waiting.current = line ?? (job.status === 'ERROR' ? 'failure' : null)), [line]);
  useEffect(() => {
    // Whoever has begun to read is left alone.
    const leave = (): void => void (waiting.current === 'failure' && (waiting.current = null));
    for (const kind of READER) addEventListener(kind, leave, { once: true });
    return () => {
      for (const kind of READER) removeEventListener(kind, leave);
    };
  }, []);
  useEffect(() => {
    const { store, outline } = follower;
    const failing = waiting.current === 'failure';
    const target = waiting.current === 'failure' ? outline.failures[0]?.line : waiting.current;
    if (target == null || store.lineCount < target || (failing && store.firstLine > target)) return;
    waiting.current = null;
    (failing ? show : goTo)(target);
  });
}

/** The time of day of a line, as the reader's language writes it. */
function clock(follower: Follower, locale: string): (line: number) => string {
  const format = new Intl.DateTimeFormat(locale, { timeStyle: 'medium' });
  return (line) => {
    // What is read again comes in larger pieces with one time each; events keep their own.
    const at = follower.outline.timeOf(line) ?? follower.store.timeOf(line);
    return at === null ? '' : format.format(at);
  };
}
