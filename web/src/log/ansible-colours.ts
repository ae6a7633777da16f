import type { Piece } from './ansi';

// What ansible would colour on a terminal. Its log is no terminal, so most logs come plain.
const COLOURS: readonly [RegExp, string][] = [
  [/^ok: \[/, 'c2'],
  [/^changed: \[/, 'c3'],
  [/^(fatal|failed): \[|^\[?ERROR|^ERROR!/, 'c1'],
  [/^(skipping|included): /, 'c6'],
  [/^\.\.\.ignoring/, 'c6'],
  [/^\[(WARNING|DEPRECATION WARNING)\]/, 'c5'],
  [/^(PLAYBOOK|PLAY RECAP|PLAY|TASK|RUNNING HANDLER|HANDLER)\b.*\*\*/, 'bold'],
];
const RECAP = /^\S+\s+: ok=\d+ +changed=(\d+) +unreachable=(\d+) +failed=(\d+)/;

/** The pieces of a line, coloured as ansible would if it has no colours of its own. */
export function coloured(pieces: Piece[]): Piece[] {
  const [only, ...others] = pieces;
  if (only === undefined || others.length > 0 || only.look !== '') return pieces;
  const recap = RECAP.exec(only.text);
  if (recap !== null) return [{ text: only.text, look: recap[2] !== '0' || recap[3] !== '0' ? 'c1' : recap[1] !== '0' ? 'c3' : 'c2' }];
  const colour = COLOURS.find(([pattern]) => pattern.test(only.text));
  return colour === undefined ? pieces : [{ text: only.text, look: colour[1] }];
}
