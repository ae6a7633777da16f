import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogStore } from '../src/log/store';
import { chunksOf, numbered } from './chunks';

function filled(text: string, size: number, kept?: number): LogStore {
  const store = new LogStore(kept);
  for (const chunk of chunksOf(text, size)) {
    store.append(chunk);
    // As one does who follows.
    store.line(store.lineCount);
  }
  return store;
}

for (const size of [1, 7, 4096, 70_000, 1_000_000]) {
  test(`every line is found, with chunks of ${size}`, () => {
    const lines = numbered(20_000).slice(0, -1).split('\n');
    const store = filled(lines.join('\n') + '\n', size);
    assert.equal(store.lineCount, 20_000);
    for (const [index, line] of lines.entries()) assert.equal(store.line(index + 1), line);
    assert.equal(store.line(20_001), undefined);
    assert.equal(store.line(0), undefined);
  });
}

test('a last line without its end counts, and grows', () => {
  const store = filled('one\ntw', 100);
  assert.deepEqual([store.lineCount, store.line(2)], [2, 'tw']);
  store.append({ after: '6', cursor: '8', firstLine: 2, text: 'o\n', emittedAt: '', end: false });
  assert.deepEqual([store.lineCount, store.line(2)], [2, 'two']);
  store.append({ after: '8', cursor: '8', firstLine: 3, text: '', emittedAt: '', end: true });
  assert.deepEqual([store.lineCount, store.ended], [2, true]);
});

test('a line may be longer than a segment, and is cut where it is asked to be', () => {
  const long = 'x'.repeat(200_000);
  const store = filled(`a\n${long}\nb\n`, 65_536);
  assert.equal(store.lineCount, 3);
  assert.equal(store.line(2), long);
  assert.equal(store.line(2, 10), 'xxxxxxxxxx');
  assert.equal(store.line(3), 'b');
  assert.ok(store.segments.length > 2);
});

test('windows line ends are no part of a line', () => {
  assert.equal(filled('one\r\ntwo\r\n', 3).line(1), 'one');
});

test('a log may begin in its middle', () => {
  const store = new LogStore();
  for (const chunk of chunksOf(numbered(10), 20, 5_000, 101)) store.append(chunk);
  assert.deepEqual([store.firstLine, store.lineCount], [101, 110]);
  assert.equal(store.line(101), 'line 1');
  assert.equal(store.line(100), undefined);
});

test('the cursor is that of the last chunk', () => {
  assert.equal(new LogStore().cursor, null);
  assert.equal(filled('one\n', 100).cursor, '4');
});

test('the text that is held has a bound, and comes back on demand', () => {
  const text = numbered(100_000, 'é'.repeat(20));
  const store = filled(text, 65_536, 400_000);
  const held = store.segments.reduce((sum, { text: one }) => sum + (one?.length ?? 0), 0);
  assert.ok(held <= 400_000, `${held}`);
  assert.equal(store.lineCount, 100_000);
  assert.equal(store.line(100_000), `line 100000${'é'.repeat(20)}`);
  assert.equal(store.line(1), undefined);

  let at = 0;
  const texts = store.segments.map(({ chars }) => text.slice(at, (at += chars)));
  assert.equal(store.fill(0, 'something else'), false);
  assert.equal(store.line(1), undefined);
  assert.equal(store.fill(0, texts[0] as string), true);
  assert.equal(store.line(1), `line 1${'é'.repeat(20)}`);
  for (const [index, one] of texts.entries()) {
    assert.equal(store.fill(index, one), true);
    const first = store.segments[index]?.firstLine as number;
    assert.equal(store.line(first), `line ${first}${'é'.repeat(20)}`);
    assert.ok(store.segments.reduce((sum, segment) => sum + (segment.text?.length ?? 0), 0) <= 400_000 + 70_000);
  }
});
