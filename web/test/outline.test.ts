import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JobEventsSubscription } from '../src/generated/operations';
import { Outline } from '../src/log/outline';
import { Rows } from '../src/log/rows';

type Event = JobEventsSubscription['jobEvents']['events'][number];
const at = '2026-11-26T00:00:00+00:00';
const task = (line: number, name = `task at ${line}`): Event => ({
  __typename: 'TaskStartedEvent', at, task: name, logLine: line,
});
const result = (line: number, host: string, status: 'OK' | 'FAILED' | 'UNREACHABLE' | 'IGNORED' = 'OK'): Event => ({
  __typename: 'HostTaskEvent', at, host, task: 'a task', status, message: 'why', logLine: line,
});

/** Lines 1 to 4 come before; two tasks on two hosts; the recap from line 15 on. */
function outline(): Outline {
  const made = new Outline();
  made.add([task(5), result(7, 'a'), result(8, 'b', 'FAILED'), task(10), result(12, 'a', 'IGNORED')]);
  made.add([result(13, 'b', 'UNREACHABLE')]);
  made.recap(15);
  return made;
}

function shown(rows: Rows, lineCount = 18): number[] {
  return Array.from({ length: rows.count(lineCount) }, (_, row) => rows.lineAt(row));
}
const none: ReadonlySet<number> = new Set();

test('everything is shown at first', () => {
  const rows = outline().rows(1, { host: null, folded: none });
  assert.deepEqual(shown(rows), Array.from({ length: 18 }, (_, index) => index + 1));
});

test('one host is shown with the heads of tasks and the recap', () => {
  const rows = outline().rows(1, { host: 'a', folded: none });
  assert.deepEqual(shown(rows), [1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 15, 16, 17, 18]);
});

test('a folded task leaves its first line', () => {
  const rows = outline().rows(1, { host: null, folded: new Set([0]) });
  assert.deepEqual(shown(rows), [1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 16, 17, 18]);
  const both = outline().rows(1, { host: 'b', folded: new Set([1]) });
  assert.deepEqual(shown(both), [1, 2, 3, 4, 5, 6, 8, 9, 10, 15, 16, 17, 18]);
});

test('a log that begins in its middle has no rows before', () => {
  assert.deepEqual(shown(outline().rows(11, { host: 'a', folded: none })), [11, 12, 15, 16, 17, 18]);
});

test('the end grows', () => {
  const rows = outline().rows(1, { host: 'a', folded: none });
  assert.equal(rows.count(20), 16);
  assert.equal(rows.count(6), 6);
  assert.equal(rows.count(0), 0);
});

test('a row and its line name each other', () => {
  const rows = outline().rows(1, { host: 'a', folded: none });
  for (const line of shown(rows)) {
    assert.equal(rows.lineAt(rows.rowOf(line)), line);
    assert.ok(shown(rows).includes(line));
  }
  // A hidden line is found at the last one before it.
  assert.equal(rows.lineAt(rows.rowOf(8)), 7);
  assert.equal(shown(rows).includes(8), false);
});

test('a result on the line of another belongs to nobody alone', () => {
  const made = new Outline();
  made.add([task(1), result(2, 'a'), result(2, 'b')]);
  assert.deepEqual(shown(made.rows(1, { host: 'c', folded: none }), 3), [1, 2, 3]);
});

test('a line belongs to a result with all its lines', () => {
  const made = outline();
  assert.deepEqual([6, 7, 9, 12, 14].map((line) => made.resultAt(line)), [
    { first: 6, stop: 7 }, { first: 7, stop: 8 }, { first: 8, stop: 10 }, { first: 12, stop: 13 }, { first: 13, stop: 15 },
  ]);
  assert.deepEqual([4, 5, 7, 9, 10, 13, 15].map((line) => made.hostAt(line)), [null, null, 'a', 'b', null, 'b', null]);
  assert.equal(made.timeOf(4), null);
  assert.equal(made.timeOf(9), Date.parse(at));
});

test('failures and tasks are told with their lines', () => {
  const made = outline();
  assert.deepEqual(made.failures.map(({ line, host }) => [line, host]), [[8, 'b'], [13, 'b']]);
  assert.deepEqual(made.tasks.map(({ line, name }) => [line, name]), [[5, 'task at 5'], [10, 'task at 10']]);
  assert.deepEqual([4, 5, 9, 10, 99].map((line) => made.taskAt(line)), [-1, 0, 0, 1, 1]);
  assert.deepEqual([5, 6, 10].map((line) => made.taskOn(line)), [0, -1, 1]);
});
