import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JobRowFragment, JobStatus, ServerDetailsFragment } from '../src/generated/operations';
import { draftOf, inputOf } from '../src/state/draft';
import { JobList } from '../src/state/job-list';
import { href, parse } from '../src/state/route';
import { ANY, NotJson, type RecipeInput, variablesOf } from '../src/state/values';
import { preferred } from '../src/words/language';

const job = (number: number, status: JobStatus = 'RUNNING', recipeName = 'base'): JobRowFragment => ({
  id: `job-${number}`, number, recipeName, status, failureReason: null, message: null, check: false, requestedBy: 'local',
  createdAt: '', startedAt: null, endedAt: null, duration: null, progress: null, servers: [{ id: 's1', name: 'web' }],
});
const input = (name: string, type: string, choices: unknown[] | null = null): RecipeInput => ({
  name, type, choices, required: false, default: null, description: null, secret: false,
});

test('addresses lead to their places and back', () => {
  assert.deepEqual(parse(''), { view: 'servers', recipe: null });
  assert.deepEqual(parse(href.servers), { view: 'servers', recipe: null });
  assert.deepEqual(parse(href.run('a/b')), { view: 'servers', recipe: 'a/b' });
  assert.deepEqual(parse(href.newServer), { view: 'server', id: null });
  assert.deepEqual(parse(href.server('U2Vy/+=')), { view: 'server', id: 'U2Vy/+=' });
  assert.deepEqual(parse(href.jobs), { view: 'jobs' });
  assert.deepEqual(parse(href.job(12)), { view: 'job', number: 12, line: null });
  assert.deepEqual(parse(href.line(12, 340)), { view: 'job', number: 12, line: 340 });
  assert.deepEqual(parse(href.recipe('a b')), { view: 'recipe', name: 'a b' });
  for (const wrong of ['#/jobs/x', '#/jobs/1/L0', '#/jobs/1/L1/2', '#/jobs/0', '#/else', '#/recipes/a/b', '#/servers/1/2']) {
    assert.deepEqual(parse(wrong), { view: 'nowhere' }, wrong);
  }
  assert.deepEqual(parse('#/recipes/%E0%A4%A'), { view: 'recipe', name: '%E0%A4%A' });
});

test('the fields of a recipe become variables of their types', () => {
  const inputs = [input('word', 'str'), input('count', 'int', [1, 2, 3]), input('on', 'bool'), input('list', 'list')];
  assert.deepEqual(variablesOf(inputs, { word: '7', count: '2', on: 'true', list: '[1]' }), { word: '7', count: 3, on: true, list: [1] });
  assert.deepEqual(variablesOf(inputs, { word: '' }), {});
  assert.throws(() => variablesOf(inputs, { list: 'x' }), new NotJson('list'));
  assert.deepEqual(variablesOf([], { [ANY]: '{"a": 1}' }), { a: 1 });
  assert.deepEqual(variablesOf([], {}), {});
  for (const wrong of ['[1]', 'null', '1', '{']) assert.throws(() => variablesOf([], { [ANY]: wrong }), NotJson, wrong);
});

test('a draft becomes what the API takes', () => {
  const draft = { ...draftOf(null), name: ' web ', host: 'h', user: 'u', tags: 'a, b  c', secret: 'pw', variables: '{"x": 1}' };
  assert.deepEqual(inputOf(draft), {
    name: 'web', host: 'h', port: 22, user: 'u', tags: ['a', 'b', 'c'], credential: { password: 'pw' }, variables: { x: 1 }, strictHostKey: true,
  });
  assert.deepEqual(inputOf({ ...draft, login: 'local' }).credential, { local: true });
  assert.deepEqual(inputOf({ ...draft, login: 'keyFile', secret: ' k ' }).credential, { keyFile: 'k' });
  assert.deepEqual(inputOf({ ...draft, login: 'privateKey', secret: 'KEY\n' }).credential, { privateKey: 'KEY\n' });
  assert.throws(() => inputOf({ ...draft, variables: '{' }), NotJson);
});

test('a page that was read before what was told takes no state back', () => {
  const list = new JobList({}).changed(job(1, 'RUNNING')).changed(job(1, 'SUCCESS')).found([job(1, 'RUNNING'), job(2, 'PENDING')]);
  assert.deepEqual(list.jobs.map(({ number, status }) => [number, status]), [[2, 'PENDING'], [1, 'SUCCESS']]);
  const later = list.changed(job(2, 'RUNNING')).found([{ ...job(2, 'RUNNING'), progress: 0.5 }]);
  assert.deepEqual(later.jobs[0]?.progress, 0.5);
});

test('a known server keeps its credential unless another is given', () => {
  const server: ServerDetailsFragment = {
    id: '1', name: 'web', host: 'h', port: 2222, user: 'u', auth: 'PASSWORD', tags: ['a', 'b'], lockedBy: null, lastJob: null,
    variables: {}, hostKeyFingerprint: null, strictHostKey: false,
  };
  const draft = draftOf(server);
  assert.deepEqual(draft.variables, '');
  assert.deepEqual(inputOf(draft), {
    name: 'web', host: 'h', port: 2222, user: 'u', tags: ['a', 'b'], credential: null, variables: {}, strictHostKey: false,
  });
});

test('a list of jobs takes in what fits and lets go what does not', () => {
  const numbers = (list: JobList): number[] => list.jobs.map(({ number }) => number);
  const list = new JobList({ status: ['RUNNING'] }).found([job(5), job(4)]);
  assert.deepEqual(numbers(list), [5, 4]);
  assert.deepEqual(numbers(list.changed(job(6))), [6, 5, 4]);
  assert.deepEqual(numbers(list.changed(job(5, 'SUCCESS'))), [4]);
  assert.deepEqual(numbers(list.changed(job(7, 'ERROR'))), [5, 4]);
  // Older ones come with their page.
  assert.deepEqual(numbers(list.changed(job(1))), [5, 4]);
  assert.deepEqual(numbers(list.found([job(3), job(2)])), [5, 4, 3, 2]);
  assert.deepEqual(numbers(new JobList({ recipe: 'x' }).changed(job(1))), []);
  assert.deepEqual(numbers(new JobList({ serverId: 's2' }).changed(job(1))), []);
  assert.deepEqual(numbers(new JobList({ serverId: 's1' }).changed(job(1))), [1]);
});

test('the language is the chosen one, then the browser’s, then English', () => {
  assert.equal(preferred('fr', ['en-US']), 'fr');
  assert.equal(preferred(null, ['de-DE', 'fr-CA', 'en']), 'fr');
  assert.equal(preferred('constructor', ['toString']), 'en');
});
