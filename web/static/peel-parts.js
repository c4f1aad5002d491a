// What the gallery and <peel-picker> share: suggestions while somebody types, steps through a grid by keys, what was in
// view, a sticker as an image for the clipboard, and lists that stay in the browser. Text is only ever set as text.

export const make = (tag, className, properties, ...children) => {
  const e = Object.assign(document.createElement(tag), properties);
  if (className) e.className = className;
  e.append(...children);
  return e;
};
export const set = (e, attributes) => { for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value); return e; };

// ---- what stays in this browser ----

export const store = {
  read(name, fallback, area = 'localStorage') { try { return JSON.parse(globalThis[area].getItem(name)) ?? fallback; } catch { return fallback; } },
  write(name, value, area = 'localStorage') { try { globalThis[area].setItem(name, JSON.stringify(value)); } catch { /* private mode, or full */ } },
};
export const random = () => [...crypto.getRandomValues(new Uint8Array(16))].map(byte => byte.toString(16).padStart(2, '0')).join('');

/** A list of stickers, the latest first, each once. `idOf` says which sticker an item is, `sane` which items can be ours. */
export class Shelf {
  constructor(name, idOf, sane) { Object.assign(this, { name, idOf, sane }); }
  get items() {
    const all = store.read(this.name, []);
    return Array.isArray(all) ? all.filter(this.sane) : [];
  }
  has(id) { return this.items.some(item => this.idOf(item) === id); }
  add(item, most) { store.write(this.name, [item, ...this.#without(this.idOf(item))].slice(0, most)); }
  remove(id) { store.write(this.name, this.#without(id)); }
  clear() { store.write(this.name, []); }
  #without(id) { return this.items.filter(item => this.idOf(item) !== id); }
}

// ---- suggestions: a combobox with a list, as the ARIA Authoring Practices describe it ----

const SUGGEST_MS = 90;

export class Suggestions {
  #box; #list; #ask; #take; #timer; #asked;

  /** `ask(prefix, signal)` finds texts; `take(text)` is told which one was chosen. The caller puts the list somewhere. */
  constructor(box, list, label, ask, take) {
    this.#box = set(box, { role: 'combobox', 'aria-autocomplete': 'list', 'aria-controls': list.id, 'aria-expanded': 'false' });
    this.#list = set(list, { role: 'listbox', 'aria-label': label });
    this.#ask = ask;
    this.#take = text => { box.value = text; take(text); };
    list.hidden = true;
    list.addEventListener('pointerdown', event => event.preventDefault()); // the box keeps the focus
    list.addEventListener('click', event => { const option = event.target.closest('li'); if (option) this.#take(option.textContent); });
  }

  /** For what stands in the box now. What is there stays until the answer comes. */
  suggest(prefix) {
    this.stop();
    if (!prefix) return this.close();
    this.#timer = setTimeout(async () => {
      const { signal } = this.#asked = new AbortController();
      const texts = await this.#ask(prefix, signal).catch(() => null); // typing goes on without
      if (texts && !signal.aborted && this.#box.value.trim() === prefix && this.#box.getRootNode().activeElement === this.#box)
        this.#offer(texts.filter(text => text.toLowerCase() !== prefix.toLowerCase()));
    }, SUGGEST_MS);
  }
  /** Nothing more comes; what is there stays. */
  stop() {
    clearTimeout(this.#timer);
    this.#asked?.abort();
  }
  close() {
    this.stop();
    this.#offer([]);
  }

  /** A key in the box; true if it was for us. */
  key({ key }) {
    if (this.#list.hidden) return false;
    const options = [...this.#list.children], at = options.findIndex(option => option.getAttribute('aria-selected') === 'true');
    if (key === 'ArrowDown' || key === 'ArrowUp') {
      const to = at + (key === 'ArrowDown' ? 1 : -1);
      this.#select(options, to < -1 ? options.length - 1 : to >= options.length ? -1 : to);
    } else if (key === 'Enter' && at >= 0) this.#take(options[at].textContent);
    else if (key === 'Escape') this.close();
    else return false;
    return true;
  }

  #offer(texts) {
    this.#list.replaceChildren(...texts.map((text, i) => set(make('li', '', { id: `${this.#list.id}-${i}`, dir: 'auto', textContent: text }), { role: 'option' })));
    this.#list.hidden = !texts.length;
    this.#box.setAttribute('aria-expanded', String(!this.#list.hidden));
    this.#select([...this.#list.children], -1);
  }
  /** -1: none, the box. */
  #select(options, to) {
    options.forEach((option, i) => option.setAttribute('aria-selected', String(i === to)));
    if (to < 0) return this.#box.removeAttribute('aria-activedescendant');
    this.#box.setAttribute('aria-activedescendant', options[to].id);
    options[to].scrollIntoView({ block: 'nearest' });
  }
}

// ---- stickers ----

/** Where an arrow, Home or End leads from cell `at` of `n` in rows of `columns`: a cell, or a negative number for what is
 * above the grid; undefined for other keys. `whole`: Home and End are those of the grid, not of the row. */
export function step(key, at, n, columns, { rtl = false, whole = false } = {}) {
  const row = at - at % columns, inside = to => Math.min(Math.max(to, 0), n - 1);
  switch (key) {
    case rtl ? 'ArrowLeft' : 'ArrowRight': return inside(at + 1);
    case rtl ? 'ArrowRight' : 'ArrowLeft': return inside(at - 1);
    case 'ArrowDown': return inside(at + columns);
    case 'ArrowUp': return at - columns;
    case 'Home': return whole ? 0 : row;
    case 'End': return inside(whole ? n : row + columns - 1);
  }
}

const SEEN_MS = 500;

/** An observer for elements of stickers that calls `tell(element)` once for each: an impression is at least half of it in
 * view for half a second. */
export const watchImpressions = tell => {
  const observer = new IntersectionObserver(entries => {
    for (const { target, isIntersecting } of entries) {
      clearTimeout(target.viewing);
      if (isIntersecting) target.viewing = setTimeout(() => { observer.unobserve(target); tell(target); }, SEEN_MS);
    }
  }, { threshold: 0.5 });
  return observer;
};

/** A loaded image as a PNG, at least 512 pixels wide or high. */
export function toPng(img) {
  const side = Math.max(img.naturalWidth, img.naturalHeight) || 512, grow = Math.max(1, 512 / side);
  const canvas = make('canvas', '', { width: Math.round((img.naturalWidth || 512) * grow), height: Math.round((img.naturalHeight || 512) * grow) });
  canvas.getContext('2d').drawImage(img, 0, 0, canvas.width, canvas.height);
  return new Promise((done, fail) => canvas.toBlob(blob => blob ? done(blob) : fail(new Error('no PNG')), 'image/png'));
}
