/** A run of text in one look. `look` holds names of classes, or nothing. */
export interface Piece {
  text: string;
  look: string;
}

// CSI … final byte, and OSC … terminator: whatever they ask for, they are no text.
// oxlint-disable-next-line no-control-regex
const SEQUENCE = /\x1b(?:\[([0-9;:]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])/g;
const PLAIN = { colour: '', bold: false, faint: false, underlined: false };
type Look = typeof PLAIN;

/** A line in pieces of one look each. Each line starts plain, as ansible writes them. */
export function pieces(line: string): Piece[] {
  if (!line.includes('\x1b')) return [{ text: line, look: '' }];
  const found: Piece[] = [];
  let look: Look = PLAIN;
  let from = 0;
  const push = (to: number): void => {
    if (to > from) found.push({ text: line.slice(from, to), look: names(look) });
  };
  for (const match of line.matchAll(SEQUENCE)) {
    push(match.index);
    from = match.index + match[0].length;
    if (match[2] === 'm') look = styled(look, match[1] ?? '');
  }
  push(line.length);
  return found;
}

/** A line as it is read. */
export function plain(line: string): string {
  return line.includes('\x1b') ? line.replace(SEQUENCE, '') : line;
}

function styled(before: Look, codes: string): Look {
  let look = before;
  const list = codes.split(/[;:]/).map(Number);
  for (let at = 0; at < list.length; at += 1) {
    const code = list[at] as number;
    if (code === 0) look = PLAIN;
    else if (code === 1) look = { ...look, bold: true };
    else if (code === 2) look = { ...look, faint: true };
    else if (code === 22) look = { ...look, bold: false, faint: false };
    else if (code === 4) look = { ...look, underlined: true };
    else if (code === 24) look = { ...look, underlined: false };
    else if (code >= 30 && code <= 37) look = { ...look, colour: `c${code - 30}` };
    else if (code >= 90 && code <= 97) look = { ...look, colour: `c${code - 82}` };
    else if (code === 39) look = { ...look, colour: '' };
    else if (code === 38 || code === 48) {
      // 256 colours and true colours have arguments; only the first sixteen are ours.
      const short = list[at + 1] === 5;
      const number = list[at + 2] ?? 16;
      if (code === 38) look = { ...look, colour: short && number < 16 ? `c${number}` : '' };
      at += short ? 2 : 4;
    }
  }
  return look;
}

function names(look: Look): string {
  return [look.colour, look.bold && 'bold', look.faint && 'faint', look.underlined && 'underlined']
    .filter(Boolean)
    .join(' ');
}
