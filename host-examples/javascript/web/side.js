// One side of the page: a document that was pasted, or a file.
import { byId } from './dom.js';

/**
 * @typedef {{ name: string, bytes: Uint8Array<ArrayBuffer> }} Given
 * @typedef {ReturnType<typeof side>} Side
 */

/** How long to wait for more typing, in milliseconds. */
const PAUSE = 250;
/** A longer text is kept as a file, which nobody edits by hand. */
const EDITED = 256 * 2 ** 10;

/**
 * @param {'have' | 'want'} name
 * @param {{ changed: () => void, dropped: (files: File[]) => void }} on
 */
export function side(name, { changed, dropped }) {
  const area = /** @type {HTMLTextAreaElement} */ (byId(`${name}-text`));
  const input = /** @type {HTMLInputElement} */ (byId(`${name}-file`));
  const [place, chip] = [byId(name), byId(`${name}-name`)];
  /** @type {Given | undefined} */
  let file;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let waiting;
  const set = (/** @type {Given | undefined} */ given) => {
    clearTimeout(waiting);
    const text = given && textOf(given.bytes);
    file = given && text === undefined ? given : undefined;
    area.value = text ?? '';
    area.hidden = file !== undefined;
    chip.hidden = file === undefined;
    chip.textContent = file ? `${file.name} (${(file.bytes.length / 1024).toFixed(1)} KiB)` : '';
  };
  const clear = () => set(undefined);
  const isEmpty = () => !file && area.value.trim() === '';
  area.addEventListener('input', () => {
    clearTimeout(waiting);
    waiting = setTimeout(changed, PAUSE);
  });
  input.addEventListener('change', () => {
    dropped([...(input.files ?? [])]);
    input.value = '';
  });
  byId(`${name}-clear`).addEventListener('click', () => {
    clear();
    area.focus();
    changed();
  });
  place.addEventListener('dragover', () => place.classList.add('over'));
  place.addEventListener('dragleave', () => place.classList.remove('over'));
  place.addEventListener('drop', (event) => {
    event.preventDefault();
    event.stopPropagation();
    place.classList.remove('over');
    document.body.classList.remove('over');
    const { files, ...data } = { files: [...(event.dataTransfer?.files ?? [])], text: event.dataTransfer?.getData('text') };
    if (files.length > 0) dropped(files);
    else if (data.text) {
      set({ name: '', bytes: new TextEncoder().encode(data.text) });
      changed();
    }
  });
  return {
    set,
    clear,
    isEmpty,
    bytes: () => file?.bytes ?? new TextEncoder().encode(area.value),
    /** @returns {Given | undefined} */
    get: () => file ?? (isEmpty() ? undefined : { name: '', bytes: new TextEncoder().encode(area.value) }),
    /** @param {string | undefined} kind */
    tell: (kind) => (byId(`${name}-kind`).textContent = kind ?? ''),
  };
}

/**
 * The text of what can be edited.
 * @param {Uint8Array<ArrayBuffer>} bytes
 */
function textOf(bytes) {
  if (bytes.length > EDITED || bytes.includes(0)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
