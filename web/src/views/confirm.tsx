import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { useArmed } from '../state/clicks';
import { useWords } from '../state/context';
import { Refusals } from './notice';

interface Question {
  title: string;
  /** What will happen, and to what. */
  children: ComponentChildren;
  /** The words on the button that does it. */
  yes: string;
  no: string;
  /** Why it cannot be done any more; null as long as it can. */
  over: string | null;
  busy: boolean;
  refusals: readonly string[];
  /** Whether it worked; the question is then answered. */
  act: () => Promise<boolean>;
  danger?: boolean;
}

interface Props extends Question {
  /** The words on the button that asks. */
  label: string;
  /** Whether the button is there. It keeps its place all the same, so that no other one takes it. */
  there: boolean;
  disabled?: boolean;
}

/** A button that acts only after a second, deliberate press somewhere else. */
export function Confirm({ label, there, disabled = false, ...question }: Props) {
  const opener = useRef<HTMLButtonElement>(null);
  const [open, setOpen] = useState(false);
  const close = (): void => {
    setOpen(false);
    opener.current?.focus();
    // A button that is gone meanwhile, or rests, takes no focus.
    if (document.activeElement !== opener.current) document.querySelector('main')?.focus();
  };
  return (
    <>
      <button
        ref={opener}
        type="button"
        class={`${question.danger ? 'danger' : ''} ${there ? '' : 'absent'}`}
        disabled={disabled || question.busy}
        onClick={() => setOpen(true)}
      >
        {label}
      </button>
      {open && <Box {...question} from={opener.current as HTMLElement} close={close} />}
    </>
  );
}

function Box({ from, close, ...question }: Question & { from: HTMLElement; close: () => void }) {
  const { title, children, yes, no, over, busy, refusals, act, danger } = question;
  const box = useRef<HTMLDialogElement>(null);
  const head = useRef<HTMLHeadingElement>(null);
  const armed = useArmed();
  useEffect(() => {
    const dialog = box.current as HTMLDialogElement;
    dialog.showModal();
    keepClear(dialog, from.getBoundingClientRect());
    // Not on a button: a second press of Enter must do nothing.
    head.current?.focus();
  }, []);
  const go = async (): Promise<void> => {
    if (await act()) box.current?.close();
  };
  return (
    <dialog ref={box} aria-labelledby="question" onClose={close}>
      <h2 id="question" ref={head} tabIndex={-1}>
        {title}
      </h2>
      {children}
      {over !== null && <p role="status">{over}</p>}
      <Refusals of={refusals} />
      <div class="answers">
        <button type="button" onClick={() => box.current?.close()}>
          {no}
        </button>
        <button type="button" class={danger ? 'danger' : 'main'} disabled={!armed || busy || over !== null} onClick={() => void go()}>
          {yes}
        </button>
      </div>
    </dialog>
  );
}

/** Moves a dialog until none of its buttons covers the place of the button that opened it. */
function keepClear(dialog: HTMLDialogElement, from: DOMRect): void {
  for (const place of ['', 'high', 'low']) {
    dialog.className = place;
    const buttons = [...dialog.querySelectorAll('button')].map((button) => button.getBoundingClientRect());
    if (!buttons.some((at) => at.left < from.right && at.right > from.left && at.top < from.bottom && at.bottom > from.top)) return;
  }
}

/** The servers that something is about to be done to, all of them. */
export function Names({ of }: { of: readonly string[] }) {
  const words = useWords().servers;
  return (
    <p class="names" tabIndex={of.length > 20 ? 0 : undefined}>
      {words.count(of.length)} · <strong>{of.join(', ')}</strong>
    </p>
  );
}
