import type { RefObject } from 'preact';
import { useEffect, useMemo, useReducer, useRef, useState } from 'preact/hooks';
import { Follower } from '../log/follower';
import { Search } from '../log/search';
import { LogView } from '../log/view';
import { usePlaycast } from './playcast';
import { href } from './route';
import { useSettled } from './settled';

/** How often what stands around the log is drawn while it grows; the rows themselves follow each frame. */
const AROUND_MS = 500;
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

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
  search: Search | null;
  searching: boolean;
  find: (step: 1 | -1) => void;
  fail: (step: 1 | -1) => void;
  /** Point at the next shown line, or the one before. */
  walk: (step: 1 | -1) => void;
  /** Open what is behind a line: fold its task, or show it as a whole. */
  open: (line: number) => void;
  opened: number | null;
  close: () => void;
}

interface Wanted {
  job: { id: string; number: number; logBytes: number };
  all: boolean;
  line: number | null;
  host: string | null;
  text: string;
  /** Whether each line is shown with the time when it came. */
  times: boolean;
}

export function useJobLog(room: RefObject<HTMLDivElement | null>, { job, all, line: first, host, text, times }: Wanted): JobLog {
  const { socket, locale } = usePlaycast();
  const [, changed] = useReducer((turn: number, _: void) => turn + 1, 0);
  const [outlined, outline] = useReducer((turn: number, _: void) => turn + 1, 0);
  const [follow, setFollow] = useState(first === null);
  const [line, setLine] = useState(first);
  const [folded, fold] = useState<ReadonlySet<number>>(new Set());
  const [opened, setOpened] = useState<number | null>(null);
  const view = useRef<LogView | null>(null);
  const grown = useRef(() => {});

  const follower = useMemo(() => {
    let timer = 0;
    const each = (): void => {
      timer = 0;
      changed();
      grown.current();
    };
    return new Follower(socket.client, job.id, {
      grown: () => {
        view.current?.grow();
        timer ||= window.setTimeout(each, AROUND_MS);
      },
      filled: () => view.current?.draw(),
      outlined: outline,
      changed,
    });
  }, [all]);

  useEffect(() => {
    const drawn = new LogView(room.current as HTMLDivElement, follower.store, {
      missing: (missing) => void follower.bring(missing),
      followed: setFollow,
      href: (one) => href.line(job.number, one),
    });
    drawn.follow = first === null;
    view.current = drawn;
    void follower.start(job.logBytes, all || first !== null);
    return () => {
      follower.close();
      drawn.close();
      view.current = null;
    };
  }, [follower]);

  const { search, searching } = useSearch(follower, text, grown);
  const failures = follower.outline.failures;
  const rows = useMemo(
    () => follower.outline.rows(follower.store.firstLine, { host, folded }),
    [follower, outlined, host, folded, follower.store.firstLine],
  );
  useEffect(() => {
    const failed = new Set(failures.map((failure) => failure.line));
    view.current?.change(rows, {
      line,
      pattern: search?.pattern ?? null,
      failed: (one) => failed.has(one),
      fold: (one) => {
        const task = follower.outline.taskOn(one);
        return task < 0 ? null : folded.has(task) ? 'closed' : 'open';
      },
      time: times ? clock(follower, locale) : null,
    });
  }, [rows, line, search, outlined, times, locale]);

  const goTo = (next: number): void => {
    const task = follower.outline.taskAt(next);
    if (folded.has(task)) fold(new Set([...folded].filter((one) => one !== task)));
    setLine(next);
    // The rows are changed by then.
    setTimeout(() => view.current?.goTo(next));
  };
  // A line of a link may come later than the page.
  const waiting = useRef(first);
  useEffect(() => void (waiting.current = first), [first]);
  useEffect(() => {
    if (waiting.current === null || follower.store.lineCount < waiting.current) return;
    goTo(waiting.current);
    waiting.current = null;
  });

  const step = (lines: readonly number[], by: 1 | -1): void => {
    const from = line ?? (by === 1 ? 0 : Infinity);
    const next = by === 1 ? lines.find((one) => one > from) : lines.findLast((one) => one < from);
    const found = next ?? lines.at(by === 1 ? 0 : -1);
    if (found !== undefined) goTo(found);
  };
  return {
    follower,
    view: view.current,
    follow,
    folded,
    fold,
    line,
    goTo,
    search,
    searching,
    find: (by) => step(search?.lines ?? [], by),
    fail: (by) => step(failures.map((failure) => failure.line), by),
    walk: (by) => {
      const count = rows.count(follower.store.lineCount);
      const from = line === null ? (view.current?.firstSeen ?? 0) : rows.rowOf(line) + by;
      if (count > 0) goTo(rows.lineAt(Math.min(Math.max(0, from), count - 1)));
    },
    open: (one) => {
      const task = follower.outline.taskOn(one);
      if (task < 0) setOpened(one);
      else fold(toggled(folded, task));
    },
    opened,
    close: () => setOpened(null),
  };
}

function toggled(folded: ReadonlySet<number>, task: number): ReadonlySet<number> {
  const next = new Set(folded);
  if (!next.delete(task)) next.add(task);
  return next;
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

/** The search for a text, which goes on as the log grows. */
function useSearch(follower: Follower, text: string, grown: { current: () => void }) {
  const wanted = useSettled(text);
  const [busy, setBusy] = useState(false);
  const search = useMemo(() => (wanted === '' ? null : new Search(follower.store, wanted)), [follower, wanted]);
  useEffect(() => {
    if (search === null) {
      grown.current = () => {};
      return undefined;
    }
    let running = false;
    const advance = async (): Promise<void> => {
      if (running) return;
      running = true;
      setBusy(true);
      await search.advance(follower.read, pause);
      running = false;
      setBusy(false);
    };
    grown.current = () => void advance();
    void advance();
    return () => search.stop();
  }, [search]);
  return { search, searching: busy };
}
