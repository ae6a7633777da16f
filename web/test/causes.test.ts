import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beyond, causes } from '../src/log/causes';
import type { Failure } from '../src/log/outline';

const NAMES: Record<string, string> = { 'srv-1': 'web-01', 'srv-2': 'web-02', 'srv-3': 'alpha', 'srv-4': 'beta', 'srv-5': 'two words', 'srv-6': 'other words' };
const HOSTS = Object.keys(NAMES);
const nameOf = (host: string): string => NAMES[host] ?? host;
let line = 0;
const failure = (host: string, message: string | null, task = 'Check', away = false): Failure => ({ line: (line += 1), host, task, away, message });
const grouped = (failures: readonly Failure[]): string[][] =>
  causes(failures, HOSTS, nameOf).map((cause) => cause.failures.map(({ host }) => host));

test('messages that differ in names, addresses and numbers have one cause', () => {
  const alike = [
    ['web-01: /srv is 96 % full', 'web-02: /srv is 7 % full'],
    ['no route to 192.0.2.11 port 22', 'no route to 192.0.2.250 port 2222'],
    ['no route to fe80::1:22', 'no route to fe80::a2:22'],
    ['srv-1 refused it', 'web-02 refused it'],
    ['exit code 1 after 0.25 s at 2026-11-30T07:57:58Z', 'exit code 137 after 12 s at 2026-12-01T17:00:00Z'],
    ['Task failed: Module failed: it broke', 'it broke'],
    [null, ''],
  ] as const;
  for (const [one, other] of alike) assert.deepEqual(grouped([failure('srv-1', one), failure('srv-2', other)]), [['srv-1', 'srv-2']], String(one));
  // Names without a digit, and of several words.
  assert.deepEqual(grouped([failure('srv-3', 'alpha is full'), failure('srv-4', 'beta is full')]), [['srv-3', 'srv-4']]);
  assert.deepEqual(grouped([failure('srv-5', '“two words” is full'), failure('srv-6', '“other words” is full')]), [['srv-5', 'srv-6']]);
  // A name is no part of another word.
  assert.deepEqual(grouped([failure('srv-3', 'alphabetical'), failure('srv-4', 'betabetical')]), [['srv-3'], ['srv-4']]);
});

test('other words, another task and an unreachable host are other causes, the most frequent first', () => {
  const failures = [
    failure('srv-1', 'disk full'),
    failure('srv-2', 'no memory'),
    failure('srv-3', 'no memory'),
    failure('srv-4', 'no memory', 'Other'),
    failure('srv-5', 'no memory', 'Check', true),
  ];
  assert.deepEqual(grouped(failures), [['srv-2', 'srv-3'], ['srv-1'], ['srv-4'], ['srv-5']]);
});

test('what was said has the names that people know', () => {
  const [cause] = causes([failure('srv-1', 'Task failed: Action failed: srv-1: not on srv-1, srv-10 or xsrv-1')], HOSTS, nameOf);
  assert.equal(cause?.failures[0]?.said, 'web-01: not on web-01, srv-10 or xsrv-1');
});

test('a job says once what its failures say', () => {
  const disk = causes(['srv-1', 'srv-2', 'srv-3'].map((host) => failure(host, `${nameOf(host)}: no\nroom; really`)), HOSTS, nameOf);
  assert.equal(beyond('failed on web-01 at "Check": web-01: no room; really; failed on web-02, alpha and 5 more at "Check": web-02: no ro…', disk), null);
  assert.equal(beyond('failed on web-01 at "Check": web-01: no room; 2 more for other reasons; the log was cut', disk), '2 more for other reasons; the log was cut');
  assert.equal(beyond('failed on web-01 at "Check": web-01: no room; 2 more for other reasons', disk), null);
  // What they do not say stays: another task, other words, advice, servers that were not reached.
  for (const said of [
    'failed on web-01 at "Other": web-01: no room',
    'failed on web-01 at "Check": no memory',
    'failed on web-01 at "Check": web-01: no room; really: free some',
    'could not reach web-01: connection refused; check host, port and firewall',
    'canceled',
  ]) {
    assert.equal(beyond(said, disk), said);
    assert.equal(beyond(said, []), said);
  }
  assert.equal(beyond(null, disk), null);
});
