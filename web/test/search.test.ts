import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Search } from '../src/log/search';
import { LogStore } from '../src/log/store';
import { chunksOf, numbered } from './chunks';

const rest = async (): Promise<void> => {};
const never = (): Promise<null> => assert.fail('nothing is to be read again');

test('every line that holds the text, once, and as the log grows', async () => {
  const store = new LogStore();
  const text = 'Alpha beta\nnothing\nALPHA alpha\nalp';
  for (const chunk of chunksOf(text, 9)) store.append(chunk);
  const search = new Search(store, 'alpha');
  await search.advance(never, rest);
  assert.deepEqual(search.lines, [1, 3]);
  await search.advance(never, rest);
  assert.deepEqual(search.lines, [1, 3]);
  store.append({ after: String(text.length), cursor: '99', firstLine: 4, text: 'ha\nalpha\n', emittedAt: '', end: false });
  await search.advance(never, rest);
  assert.deepEqual(search.lines, [1, 3, 4, 5]);
});

test('a pattern is no pattern', async () => {
  const store = new LogStore();
  for (const chunk of chunksOf('a.b\naxb\n(a|b)*\n', 100)) store.append(chunk);
  for (const [text, lines] of [['a.b', [1]], ['(a|b)*', [3]]] as const) {
    const search = new Search(store, text);
    await search.advance(never, rest);
    assert.deepEqual(search.lines, lines);
  }
});

test('what was let go is read again, and not kept', async () => {
  const text = numbered(50_000, ' padding');
  const store = new LogStore(200_000);
  for (const chunk of chunksOf(text, 65_536)) store.append(chunk);
  const starts = new Map<string, number>();
  let at = 0;
  for (const segment of store.segments) {
    starts.set(segment.after, at);
    at += segment.chars;
  }
  const search = new Search(store, 'line 7777');
  await search.advance(async (segment) => {
    const from = starts.get(segment.after) as number;
    return text.slice(from, from + segment.chars);
  }, rest);
  assert.deepEqual(search.lines, [7777]);
  const all = new Search(store, 'LINE 4');
  await all.advance(async (segment) => {
    const from = starts.get(segment.after) as number;
    return text.slice(from, from + segment.chars);
  }, rest);
  assert.equal(all.lines.length, 11_111);
  assert.ok(store.segments.some((segment) => segment.text === null));
});

test('a search that is stopped finds nothing more', async () => {
  const store = new LogStore();
  for (const chunk of chunksOf(numbered(50_000), 65_536)) store.append(chunk);
  const search = new Search(store, 'line');
  let turns = 0;
  await search.advance(never, async () => {
    turns += 1;
    search.stop();
  });
  assert.equal(turns, 1);
  assert.ok(search.lines.length < 20_000);
});

test('what cannot be read again is told', async () => {
  const store = new LogStore(200_000);
  for (const chunk of chunksOf(numbered(50_000, ' padding'), 65_536)) store.append(chunk);
  const search = new Search(store, 'line 50000 ');
  await search.advance(async () => null, rest);
  assert.deepEqual([search.lines, search.partial], [[50_000], true]);
});
