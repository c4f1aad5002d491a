// <peel-picker>: a sticker picker for any page, drawn in a shadow root.
//
//     <script type="module" src="https://stickers.example/peel-picker.js"></script>
//     <peel-picker></peel-picker>
//     document.querySelector('peel-picker').addEventListener('sticker', event => send(event.detail.url));
//
// docs/WIDGET.md has its attributes, events and CSS variables. Text from outside is only ever set as text, styles come
// from a constructed style sheet, and nothing is evaluated, so that it works under the strictest page policy. A part
// whose route this server does not have (404) is not shown.
import { Peel } from './peel-client.js';
import { Shelf, Suggestions, make, random, set, step, store, toPng, watchImpressions } from './peel-parts.js';

const HOME = new URL('.', import.meta.url).href; // where this script is served
const PAGE = 30, SUGGESTIONS = 6, TRENDS = 5, RECENTS = 48, FAVOURITES = 300, VIEWS = 12;
const TYPE_MS = 350, HOVER_MS = 150, SKELETONS = 12;

const PATHS = {
  search: 'M21 21l-4.3-4.3M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14z',
  home: 'M3 17l6-6 4 4 8-8M15 7h6v6',
  recent: 'M12 7v5l3 2M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z',
  favourites: 'M12 20.5l-7.2-7.3a4.8 4.8 0 0 1 6.8-6.8l.4.4.4-.4a4.8 4.8 0 0 1 6.8 6.8z',
  similar: 'M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM16.5 13.5v6M13.5 16.5h6',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  back: 'M15 5l-7 7 7 7',
};
function icon(name) {
  const ns = 'http://www.w3.org/2000/svg', svg = document.createElementNS(ns, 'svg'), path = document.createElementNS(ns, 'path');
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return set(svg, { viewBox: '0 0 24 24', 'aria-hidden': 'true', class: 'icon i-' + name });
}

const KEPT = ['filename', 'title', 'alt', 'url', 'thumbnail', 'author', 'license', 'source', 'pack', 'mime', 'width', 'height', 'animated', 'rating'];

const SHEET = `
:host { display: block; inline-size: 22.5rem; max-inline-size: 100%; block-size: 27rem; max-block-size: 100%; }
.picker { --bg: var(--peel-background, light-dark(#fff, #221e1b)); --ink: var(--peel-text, light-dark(#231f1b, #f5f0ea));
  --soft: var(--peel-muted, light-dark(#6a6058, #b5aa9f)); --line: var(--peel-border, light-dark(#e6e0d8, #38322d));
  --box: var(--peel-hover, light-dark(#f4f1ec, #322c27)); --accent: var(--peel-accent, light-dark(#b23a0a, #ffa066));
  --edge: var(--peel-edge, light-dark(#8b8178, #857a70)); --rim: var(--peel-rim, light-dark(transparent, #fff)); --cell: var(--peel-size, 4.75rem); --round: var(--peel-radius, .875rem); }
:host([theme=light]) { color-scheme: light; }
:host([theme=dark]) { color-scheme: dark; }
:host([hidden]) { display: none; }
@supports not (color: light-dark(#000, #fff)) {
  .picker { --bg: var(--peel-background, #fff); --ink: var(--peel-text, #231f1b); --soft: var(--peel-muted, #6a6058); --line: var(--peel-border, #e6e0d8);
    --box: var(--peel-hover, #f4f1ec); --accent: var(--peel-accent, #b23a0a); --edge: var(--peel-edge, #8b8178); }
}
*, ::before, ::after { box-sizing: border-box; }
[hidden] { display: none !important; }
.picker { display: flex; flex-direction: column; block-size: 100%; overflow: hidden; background: var(--bg); color: var(--ink); border: 1px solid var(--line);
  border-radius: var(--round); font: var(--peel-font, 400 .9375rem/1.4 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif); text-align: start; }
button, input { font: inherit; color: inherit; margin: 0; }
button { cursor: pointer; background: none; border: 0; padding: 0; border-radius: .5rem; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: -2px; }
.icon { inline-size: 1.25rem; block-size: 1.25rem; flex: none; fill: none; stroke: currentColor; stroke-width: 1.75; stroke-linecap: round; stroke-linejoin: round; }
[dir=rtl] .i-back { transform: scaleX(-1); }
.sr { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.search { position: relative; margin: .625rem .625rem .375rem; }
.search > .icon { position: absolute; inset-block-start: .625rem; inset-inline-start: .75rem; color: var(--soft); pointer-events: none; }
input { unicode-bidi: plaintext; text-align: start; inline-size: 100%; block-size: 2.5rem; padding-inline: 2.5rem .75rem; background: var(--bg); border: 1px solid var(--edge);
  border-radius: 2rem; font-size: max(1em, 16px); appearance: none; }
input::placeholder { color: var(--soft); opacity: 1; }
.suggestions { display: flex; flex: none; gap: .375rem; margin: 0; padding: .375rem .625rem; list-style: none; overflow-x: auto; scrollbar-width: none; border-block-end: 1px solid var(--line); }
.suggestions li { flex: none; padding: .25rem .75rem; border: 1px solid var(--line); border-radius: 2rem; white-space: nowrap; cursor: pointer; }
.suggestions li:hover, .suggestions [aria-selected=true] { background: var(--box); }
.suggestions [aria-selected=true] { box-shadow: inset 0 0 0 2px var(--accent); }
.tabs { display: flex; gap: .125rem; overflow-x: auto; scrollbar-width: none; padding: 0 .625rem; border-block-end: 1px solid var(--line); flex: none; }
[role=tab] { display: flex; align-items: center; min-inline-size: 2.5rem; justify-content: center; block-size: 2.5rem; padding-inline: .5rem; color: var(--soft); border-radius: .5rem .5rem 0 0; white-space: nowrap; border-block-end: 2px solid transparent; }
[role=tab]:hover { background: var(--box); }
[role=tab][aria-selected=true] { color: var(--accent); border-color: var(--accent); }
.body { flex: 1; min-block-size: 0; overflow: hidden auto; overscroll-behavior: contain; padding: .5rem .625rem; overflow-anchor: none; position: relative; }
.body p { margin: .25rem .25rem .5rem; color: var(--soft); overflow-wrap: anywhere; }
.body .nothing { padding: 1.5rem .75rem; text-align: center; }
.bar { display: flex; align-items: center; gap: .25rem; margin-block-end: .375rem; }
.bar span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.bar button, .foot button { display: grid; place-items: center; inline-size: 2.25rem; block-size: 2.25rem; flex: none; }
.bar button:hover, .foot button:hover { background: var(--box); }
.chips { display: flex; gap: .375rem; overflow-x: auto; scrollbar-width: none; margin: 0 -.625rem .25rem; padding: .125rem .625rem .375rem; }
.chips button, .again { display: flex; align-items: center; gap: .375rem; flex: none; block-size: 2rem; padding-inline: .75rem; border: 1px solid var(--line); border-radius: 2rem; white-space: nowrap; }
.chips img { inline-size: 1.25rem; block-size: 1.25rem; object-fit: contain; margin-inline-start: -.25rem; }
.chips button:hover, .again:hover { background: var(--box); }
.again { display: inline-flex; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--cell)), 1fr)); gap: .25rem; }
[role=row] { display: contents; }
.cell { aspect-ratio: 1; }
.cell button { display: block; inline-size: 100%; block-size: 100%; padding: 7%; border-radius: .75rem; -webkit-touch-callout: none; touch-action: manipulation; }
.cell button:hover, .cell button:focus-visible { background: var(--box); }
.cell img { display: block; inline-size: 100%; block-size: 100%; object-fit: contain; filter: drop-shadow(0 0 1px var(--rim)) drop-shadow(0 0 1px var(--rim)); }
.waits { border-radius: .75rem; background: var(--box); }
.end { block-size: 1px; }
.foot { display: flex; align-items: center; gap: .125rem; min-block-size: 3.25rem; padding: .375rem .625rem; border-block-start: 1px solid var(--line); flex: none; }
.foot > div { flex: 1; min-inline-size: 0; line-height: 1.3; }
.foot > div > * { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.credit { color: var(--soft); font-size: .8125em; }
.credit a { color: inherit; }
.foot [aria-pressed=true] .icon { fill: var(--accent); stroke: var(--accent); }
@media (prefers-reduced-motion: no-preference) {
  .cell img { transition: transform .12s; }
  .cell button:hover img { transform: scale(1.08); }
}
@media (forced-colors: active) { [role=tab][aria-selected=true], .suggestions [aria-selected=true] { forced-color-adjust: none; background: Highlight; color: HighlightText; } }
`;
let sheet;

class PeelPicker extends HTMLElement {
  static observedAttributes = ['lang', 'server', 'rating', 'pack', 'client'];

  #root = this.attachShadow({ mode: 'open' });
  #peel; #texts; #name; // what is kept in this browser is kept under this name
  #tab = 'home'; #query = ''; #similar = null; // what is shown
  #tabs = []; #views = new Map(); #view; #active; #categories = []; #trends = [];
  #timers = {}; #asked = {}; #started = 0;
  #still = matchMedia('(prefers-reduced-motion: reduce)');
  #seen; #ends; #sizes; #suggestions;

  constructor() {
    super();
    sheet ??= (() => { const s = new CSSStyleSheet(); s.replaceSync(SHEET); return s; })();
    this.#root.adoptedStyleSheets = [sheet];
  }

  connectedCallback() {
    if (!this.#view) return this.#restart();
    this.#observe(); // it was moved, or is back: everything is where it was
    this.#drawView();
    this.#body.scrollTop = this.#view.top;
  }
  disconnectedCallback() {
    for (const observer of [this.#seen, this.#ends, this.#sizes]) observer?.disconnect();
    this.#abort();
    this.#peel?.flush().catch(() => {});
  }
  attributeChangedCallback(name, before, after) {
    if (this.isConnected && before !== after) this.#restart();
  }

  /** Puts the cursor into the search box. */
  focus(options) { this.#box?.focus(options); }

  /** For pages that send a sticker only later: tells that it was sent after all. See the event `sticker`. */
  sent(sticker) { this.#tell('share', sticker); }

  // ---- start ----

  get #language() {
    const tag = this.closest('[lang]')?.lang || navigator.language;
    try { return Intl.getCanonicalLocales(tag)[0].split('-').slice(0, 2).join('-'); } catch { return 'en'; } // whatever a page says
  }
  get #filter() { return { rating: this.getAttribute('rating') || undefined, pack: this.#tab.startsWith('pack:') ? this.#tab.slice(5) : this.getAttribute('pack') || undefined }; }

  async #restart() {
    const mine = ++this.#started, server = new URL(this.getAttribute('server') || HOME, document.baseURI);
    this.#abort();
    this.#name = 'peel-picker ' + server.origin;
    let client = this.getAttribute('client') || store.read(this.#name + ' client', '');
    if (!client) store.write(this.#name + ' client', client = random());
    this.#peel = new Peel(server, { lang: this.#language, client });
    this.#views.clear();
    this.#view = this.#active = undefined;
    this.#tab = 'home';
    this.#query = '';
    this.#similar = null;
    this.#missing.clear();
    this.#trends = [];
    this.#categories = [];
    try {
      const answer = await fetch(this.#peel.address('/peel-picker.json?' + new URLSearchParams({ lang: this.#language })), { credentials: 'omit' });
      if (!answer.ok) throw new Error(`peel-picker.json: status ${answer.status}`);
      this.#texts = await answer.json();
    } catch (error) {
      if (mine === this.#started) this.dispatchEvent(new CustomEvent('error', { detail: error }));
      return;
    }
    if (mine !== this.#started) return;
    this.#draw();
    this.#show();
    const [categories, packs] = await Promise.allSettled([this.#peel.categories(), this.hasAttribute('pack') ? [] : this.#peel.packs()]);
    if (mine !== this.#started) return;
    this.#categories = categories.value || [];
    for (const pack of packs.value || []) this.#addTab('pack:' + pack.name, pack.name);
    this.#drawChips();
    this.#selectTab();
  }

  #abort() {
    this.#suggestions?.stop();
    for (const name of Object.keys(this.#timers)) clearTimeout(this.#timers[name]);
    for (const name of Object.keys(this.#asked)) this.#asked[name].abort();
  }
  /** One request of a kind at a time: a new one ends the last. */
  #ask(kind) {
    this.#asked[kind]?.abort();
    return (this.#asked[kind] = new AbortController()).signal;
  }

  // ---- drawing ----

  #frame; #box; #tablist; #body; #bar; #chips; #note; #grid; #nothing; #end; #foot; #live;

  #draw() {
    const t = this.#texts;
    this.#box = set(make('input', '', { type: 'search', maxLength: 255, autocomplete: 'off', autocapitalize: 'none', spellcheck: false, enterKeyHint: 'search', placeholder: t.placeholder, value: this.#query }),
      { 'aria-label': t.search, part: 'search' });
    const list = make('ul', 'suggestions', { id: 'list' }); // in a row that covers nothing: nothing moves when somebody goes on to the stickers
    this.#suggestions = new Suggestions(this.#box, list, t.suggestions, (prefix, signal) => this.#suggest(prefix, signal), text => this.#search(text.trim()));
    this.#tablist = set(make('div', 'tabs'), { role: 'tablist', 'aria-label': t.sections, part: 'tabs' });
    this.#bar = make('div', 'bar', { hidden: true });
    this.#chips = set(make('div', 'chips', { hidden: true }), { role: 'group', 'aria-label': t.categories });
    this.#note = make('p', '', { hidden: true });
    this.#grid = set(make('div', 'grid'), { role: 'grid', 'aria-label': t.label });
    this.#nothing = make('div', 'nothing', { hidden: true });
    this.#end = make('div', 'end');
    this.#body = set(make('div', 'body', { id: 'panel' }, this.#bar, this.#chips, this.#note, this.#grid, this.#nothing, this.#end), { role: 'tabpanel', part: 'body' });
    this.#foot = set(make('div', 'foot'), { part: 'foot' });
    this.#live = set(make('p', 'sr'), { role: 'status' });
    this.#frame = set(make('div', 'picker', { dir: t.dir, lang: t.lang }, make('div', 'search', {}, icon('search'), this.#box), this.#tablist, list, this.#body, this.#foot, this.#live),
      { role: 'region', 'aria-label': t.label, part: 'picker' });
    this.#tabs = [];
    for (const name of ['home', 'recent', 'favourites']) this.#addTab(name, t[name], icon(name));
    this.#listen();
    this.#observe();
    this.#root.replaceChildren(this.#frame);
    this.#drawFoot();
  }

  #addTab(name, label, ...picture) {
    const tab = set(make('button', '', { type: 'button', id: 'tab-' + this.#tabs.length, title: label, tabIndex: -1 }, ...(picture.length ? picture : [label])),
      { role: 'tab', 'aria-label': label, 'aria-controls': 'panel', 'aria-selected': 'false' });
    tab.addEventListener('click', () => this.#open(name));
    this.#tabs.push({ name, tab });
    this.#tablist.append(tab);
  }
  #selectTab() {
    for (const { name, tab } of this.#tabs) {
      const selected = name === this.#tab;
      tab.setAttribute('aria-selected', String(selected));
      tab.tabIndex = selected ? 0 : -1;
      if (selected) this.#body.setAttribute('aria-labelledby', tab.id);
    }
  }

  #drawChips() {
    const chip = (name, query, picture) => {
      const button = make('button', '', { type: 'button' }, ...(picture ? [picture] : []), make('bdi', '', {}, name));
      button.addEventListener('click', () => { this.#box.value = query; this.#search(query); });
      return button;
    };
    const cover = ({ cover: path }) => path && make('img', '', { src: this.#peel.address(path), alt: '', loading: 'lazy', crossOrigin: 'anonymous', width: 20, height: 20 });
    this.#chips.replaceChildren(...this.#trends.map(query => chip(query, query, icon('home'))), ...this.#categories.map(c => chip(c.name, c.query, cover(c))));
    this.#chips.hidden = !this.#chips.firstChild || this.#tab !== 'home' || this.#query !== '' || this.#similar !== null;
  }

  #drawFoot() {
    const t = this.#texts, sticker = this.#active?.sticker;
    if (!sticker) return this.#foot.replaceChildren(make('div', '', {}, make('span', 'credit', {}, t.hint)));
    const credit = make('span', 'credit'), by = [sticker.author, sticker.license].filter(Boolean).join(' · ');
    if (/^https?:\/\//.test(sticker.source || '')) credit.append(make('a', '', { href: sticker.source, target: '_blank', rel: 'noopener noreferrer' }, by || new URL(sticker.source).host));
    else credit.append(by);
    const button = (name, label, act) => {
      const b = set(make('button', '', { type: 'button', title: label }, icon(name)), { 'aria-label': `${label}: ${sticker.alt || sticker.title}` });
      b.addEventListener('click', act);
      return b;
    };
    const favourite = button('favourites', t.favourite, () => this.#favour(sticker));
    favourite.setAttribute('aria-pressed', String(this.#shelf('favourites').has(sticker.filename)));
    const had = this.#root.activeElement?.parentNode === this.#foot ? [...this.#foot.children].indexOf(this.#root.activeElement) : -1;
    this.#foot.replaceChildren(make('div', '', {}, make('bdi', '', {}, sticker.alt || sticker.title), credit), favourite);
    if (!this.#missing.has('similar')) this.#foot.append(button('similar', t.similar, () => this.#openSimilar(sticker)));
    if (navigator.clipboard) this.#foot.append(button('copy', t.copy, () => this.#copy(sticker)));
    if (had >= 0) this.#foot.children[had]?.focus();
  }

  #say(text) { this.#live.textContent = text; }

  // ---- views: what a tab, a search or a sticker shows; they keep their stickers and their place ----

  #missing = new Set(); // routes that this server does not have
  async #try(name, ask) {
    try {
      return await ask();
    } catch (error) {
      if (error.status !== 404) throw error;
      this.#missing.add(name);
      return { results: [] };
    }
  }

  /** Where the stickers of what is to be shown come from: a function of the offset that answers like a search, with
   * `next` where there are more, or `endless` where it goes on until nothing new comes. */
  #source() {
    const peel = this.#peel, filter = this.#filter, query = this.#query;
    if (this.#similar) {
      const { filename } = this.#similar;
      return (offset, signal) => this.#try('similar', () => peel.similar(filename, { ...filter, limit: PAGE, offset, signal }));
    }
    if (this.#tab === 'recent' || this.#tab === 'favourites') return async () => ({ results: this.#shelf(this.#tab).items });
    if (this.#tab.startsWith('pack:') && !query) {
      let next;
      return async (_, signal) => {
        const found = await this.#try('pack', () => peel.pack(filter.pack, { rating: filter.rating, limit: PAGE, cursor: next, signal }));
        ({ next } = found);
        return found;
      };
    }
    if (query) return (offset, signal) => peel.search(query, { ...filter, limit: PAGE, offset, signal });
    return async (_, signal) => {
      const asked = { ...filter, limit: PAGE, signal };
      const found = this.#missing.has('trending') ? { results: [] } : await this.#try('trending', () => peel.trending(asked));
      if (found.results.length || this.#missing.has('random')) return found;
      return { queries: found.queries, ...await this.#try('random', () => peel.random(asked)), endless: true };
    };
  }

  #open(tab) {
    if (tab === 'recent' || tab === 'favourites') this.#views.delete(tab + ' '); // they may have changed
    else if (this.#tab === tab && !this.#similar) this.#query = this.#box.value = '';
    if (tab === 'recent' || tab === 'favourites') this.#query = this.#box.value = '';
    this.#similar = null;
    this.#tab = tab;
    this.#show();
  }
  #search(query, typing = false) {
    clearTimeout(this.#timers.type);
    if (!typing) this.#suggestions.close();
    if (query === this.#query && !this.#similar) return;
    this.#query = query;
    this.#similar = null;
    if (this.#tab === 'recent' || this.#tab === 'favourites') this.#tab = 'home';
    this.#show();
  }
  #openSimilar(sticker) {
    this.#similar = sticker;
    this.#show().then(() => this.#cells()[0]?.focus());
  }
  #back() {
    const was = this.#similar;
    this.#similar = null;
    this.#show();
    (this.#cells().find(cell => cell.sticker.filename === was.filename) || this.#box).focus();
  }

  /** Shows what was chosen, at the place where it was left. */
  #show() {
    const key = this.#similar ? 'similar ' + this.#similar.filename : this.#tab + ' ' + this.#query;
    let view = this.#views.get(key);
    if (!view) {
      view = { stickers: [], rows: [], ended: false, top: 0, source: this.#source(), names: new Set() };
      this.#views.set(key, view);
      if (this.#views.size > VIEWS) this.#views.delete(this.#views.keys().next().value);
    }
    this.#view = view;
    this.#active = undefined;
    this.#drawFoot();
    this.#selectTab();
    this.#drawChips();
    this.#bar.hidden = !this.#similar;
    if (this.#similar) {
      const back = set(make('button', '', { type: 'button', title: this.#texts.back }, icon('back')), { 'aria-label': this.#texts.back });
      back.addEventListener('click', () => this.#back());
      this.#bar.replaceChildren(back, make('span', '', {}, this.#texts.similar + ': ', make('bdi', '', {}, this.#similar.alt || this.#similar.title)));
    }
    const { top } = view; // which drawing may change
    this.#drawView();
    this.#body.scrollTop = view.top = top;
    return view.stickers.length || view.ended ? Promise.resolve() : this.#more(view);
  }

  /** The next stickers of a view. */
  async #more(view) {
    if (view.busy || view.ended) return;
    view.busy = true;
    const first = !view.stickers.length, signal = this.#ask('more');
    if (first) this.#skeleton();
    try {
      const found = await view.source(view.offset || 0, signal);
      view.offset = (view.offset || 0) + found.results.length;
      const fresh = found.results.filter(sticker => !view.names.has(sticker.filename));
      view.ended = found.endless ? !fresh.length : !found.results.length || !(found.next || found.total > view.offset);
      for (const sticker of fresh) view.names.add(sticker.filename);
      view.stickers.push(...fresh);
      view.note = found.degraded ? this.#texts.degraded : found.corrected ? this.#texts.corrected.replace('{query}', () => found.corrected) : '';
      view.failed = false;
      if (found.queries) {
        this.#trends = found.queries.slice(0, TRENDS);
        this.#drawChips();
      }
      if (view !== this.#view) return;
      this.#drawView();
      if (first && found.total !== undefined) this.#say(this.#texts.found.replace('{count}', () => found.total.toLocaleString(this.#texts.lang)));
      else if (!first) this.#say(this.#texts.more);
    } catch (error) {
      if (signal.aborted) return;
      view.failed = true;
      if (view !== this.#view) return;
      this.#drawView();
      this.#say(this.#texts.unavailable);
    } finally {
      view.busy = false;
      if (view === this.#view && signal.aborted && this.isConnected && !view.stickers.length) this.#more(view);
      else if (view === this.#view) this.#watchEnd();
    }
  }

  #skeleton() {
    this.#nothing.hidden = this.#note.hidden = true;
    this.#grid.hidden = false;
    this.#grid.removeAttribute('role');
    this.#grid.setAttribute('aria-hidden', 'true');
    this.#grid.replaceChildren(...Array.from({ length: SKELETONS }, () => make('div', 'cell waits')));
  }

  #drawView() {
    const view = this.#view, t = this.#texts;
    this.#grid.removeAttribute('aria-hidden');
    this.#grid.setAttribute('role', 'grid');
    this.#grid.hidden = !view.stickers.length;
    this.#arrange();
    this.#note.hidden = !view.note;
    this.#note.textContent = view.note || '';
    const nothing = !view.stickers.length && (view.ended || view.failed);
    this.#nothing.hidden = !nothing && !view.failed;
    if (view.failed) {
      const again = make('button', 'again', { type: 'button' }, t.retry);
      again.addEventListener('click', () => { view.failed = false; this.#more(view); });
      this.#nothing.replaceChildren(make('p', '', {}, t.unavailable), again);
    } else if (nothing) {
      const why = this.#tab === 'recent' ? t.noRecent : this.#tab === 'favourites' ? t.noFavourites : this.#query ? t.none.replace('{query}', () => this.#query) : t.start;
      this.#nothing.replaceChildren(make('p', '', {}, why));
    }
    this.#watchEnd();
  }

  // ---- the grid: rows of as many stickers as fit ----

  #cells() { return this.#view.rows.flatMap(row => [...row.querySelectorAll('button')]); }

  #arrange() {
    const view = this.#view, had = this.#root.activeElement, cells = view.rows.flatMap(row => [...row.children]), columns = this.#columns();
    const again = columns !== view.columns;
    if (again) Object.assign(view, { rows: [], columns });
    for (let i = again ? 0 : cells.length; i < view.stickers.length; i++) {
      if (i % columns === 0) view.rows.push(set(make('div', ''), { role: 'row' }));
      view.rows.at(-1).append(cells[i] || this.#cell(view.stickers[i]));
    }
    if (again || this.#grid.firstChild !== view.rows[0]) this.#grid.replaceChildren(...view.rows);
    else this.#grid.append(...view.rows.filter(row => !row.isConnected));
    const buttons = this.#cells();
    if (buttons.length && !buttons.some(button => button.tabIndex === 0)) buttons[0].tabIndex = 0;
    if (again && buttons.includes(had)) had.focus({ preventScroll: true });
    for (const button of buttons) if (button.sticker.query_id && !button.seen) this.#seen.observe(button);
  }
  #columns() { return Math.max(1, getComputedStyle(this.#grid).gridTemplateColumns.split(' ').length); }

  #cell(sticker) {
    const img = make('img', '', { crossOrigin: 'anonymous', loading: 'lazy', decoding: 'async', alt: '', width: 128, height: 128, draggable: false, src: this.#picture(sticker) });
    const button = set(make('button', '', { type: 'button', tabIndex: -1, draggable: true, title: sticker.alt || sticker.title }, img), { 'aria-label': sticker.alt || sticker.title || sticker.filename, part: 'sticker' });
    button.sticker = sticker;
    const cell = set(make('div', 'cell waits', {}, button), { role: 'gridcell' });
    img.addEventListener('load', () => cell.classList.remove('waits'), { once: true });
    return cell;
  }
  /** Animated stickers move only while somebody looks at one, and not at all where motion is not wanted. */
  #picture(sticker, moves = false) {
    if (!sticker.animated) return sticker.thumbnail;
    if (moves && !this.#still.matches) return sticker.url;
    return sticker.thumbnail + (sticker.thumbnail.includes('?') ? '&' : '?') + 'still=1';
  }

  #activate(button) {
    if (button === this.#active) return;
    if (this.#active?.sticker.animated) this.#active.firstChild.src = this.#picture(this.#active.sticker);
    this.#active = button;
    if (button.sticker.animated) button.firstChild.src = this.#picture(button.sticker, true);
    this.#drawFoot();
  }

  // ---- what people do ----

  #tell(action, sticker) { if (this.getAttribute('events') !== 'off') this.#peel.tell(action, sticker); }

  #shelf(name) {
    const base = this.#peel.address('/media/');
    return new Shelf(`${this.#name} ${name}`, s => s.filename,
      s => s && typeof s.filename === 'string' && [s.url, s.thumbnail].every(url => typeof url === 'string' && url.startsWith(base)));
  }
  #keep(name, sticker, most) {
    this.#shelf(name).add(Object.fromEntries(KEPT.filter(member => sticker[member] !== undefined).map(member => [member, sticker[member]])), most);
  }

  #choose(sticker) {
    this.#keep('recent', sticker, RECENTS);
    this.#tell('click', sticker);
    const { query_id, ...detail } = sticker;
    const event = new CustomEvent('sticker', { detail: { ...detail, query: this.#query, query_id }, bubbles: true, composed: true, cancelable: true });
    if (this.dispatchEvent(event)) this.#tell('share', sticker); // a page that prevents it calls sent() if it sends it later
  }

  #favour(sticker) {
    const was = this.#shelf('favourites').has(sticker.filename);
    if (was) this.#shelf('favourites').remove(sticker.filename);
    else {
      this.#keep('favourites', sticker, FAVOURITES);
      this.#tell('favourite', sticker);
    }
    this.#say(was ? this.#texts.favouriteRemoved : this.#texts.favouriteAdded);
    this.#drawFoot();
  }

  async #copy(sticker) {
    const png = async () => {
      const img = await new Promise((done, fail) => {
        const i = make('img', '', { crossOrigin: 'anonymous', onload: () => done(i), onerror: fail, src: sticker.url });
      });
      return toPng(img);
    };
    try {
      await navigator.clipboard.write([new ClipboardItem({ 'image/png': png() })]).catch(() => navigator.clipboard.writeText(sticker.url));
      this.#tell('copy', sticker);
      this.#say(this.#texts.copied);
    } catch {
      this.#say(this.#texts.copyFailed);
    }
  }

  #drag(event, sticker) {
    const data = event.dataTransfer, elsewhere = document.implementation.createHTMLDocument(''); // where images are not loaded
    const img = Object.assign(elsewhere.createElement('img'), { src: sticker.url, alt: sticker.alt || sticker.title });
    data.effectAllowed = 'copy';
    data.setData('text/uri-list', sticker.url);
    data.setData('text/plain', sticker.url);
    data.setData('text/html', img.outerHTML);
    data.setData('DownloadURL', `${sticker.mime || 'application/octet-stream'}:${sticker.filename}:${sticker.url}`);
    const picture = event.target.querySelector('img');
    if (picture.complete) data.setDragImage(picture, picture.width / 2, picture.height / 2);
  }

  async #suggest(prefix, signal) {
    if (this.#missing.has('suggest')) return [];
    const { results } = await this.#try('suggest', async () => ({ results: await this.#peel.suggest(prefix, { limit: SUGGESTIONS, signal }) }));
    return results.map(suggestion => suggestion.text);
  }

  // ---- listening ----

  #listen() {
    this.#box.addEventListener('input', () => {
      const query = this.#box.value.trim();
      clearTimeout(this.#timers.type);
      this.#suggestions.suggest(query);
      this.#timers.type = setTimeout(() => this.#search(query, true), query ? TYPE_MS : 0);
    });
    const cellOf = event => event.target.closest?.('.cell button');
    this.#grid.addEventListener('click', event => { const cell = cellOf(event); if (cell) this.#choose(cell.sticker); });
    this.#grid.addEventListener('focusin', event => {
      const cell = cellOf(event);
      if (!cell) return;
      for (const other of this.#cells()) other.tabIndex = other === cell ? 0 : -1;
      this.#activate(cell);
    });
    this.#grid.addEventListener('pointerover', event => {
      const cell = cellOf(event);
      clearTimeout(this.#timers.hover); // on the way to the foot the pointer passes others
      if (cell && event.pointerType === 'mouse') this.#timers.hover = setTimeout(() => { if (cell.isConnected && !this.#foot.contains(this.#root.activeElement)) this.#activate(cell); }, this.#active ? HOVER_MS : 0);
    });
    this.#grid.addEventListener('pointerleave', () => clearTimeout(this.#timers.hover));
    this.#grid.addEventListener('contextmenu', event => { // a long press, too: what can be done with it
      const cell = cellOf(event);
      if (!cell) return;
      event.preventDefault();
      this.#activate(cell);
      this.#foot.querySelector('button')?.focus();
    });
    this.#grid.addEventListener('dragstart', event => { const cell = cellOf(event); if (cell) this.#drag(event, cell.sticker); });
    this.#grid.addEventListener('dragend', event => {
      const cell = cellOf(event);
      if (!cell || event.dataTransfer.dropEffect === 'none') return;
      this.#keep('recent', cell.sticker, RECENTS);
      this.#tell('share', cell.sticker);
    });
    this.#frame.addEventListener('keydown', event => this.#key(event));
    this.#body.addEventListener('scroll', () => { this.#view.top = this.#body.scrollTop; }, { passive: true });
  }
  #observe() {
    this.#seen?.disconnect();
    this.#seen = watchImpressions(button => { button.seen = true; this.#tell('impression', button.sticker); });
    this.#ends?.disconnect();
    this.#ends = new IntersectionObserver(entries => { if (entries.some(e => e.isIntersecting) && !this.#view.failed) this.#more(this.#view); }, { root: this.#body, rootMargin: '300px' });
    this.#sizes?.disconnect();
    this.#sizes = new ResizeObserver(() => {
      if (!this.#view?.rows.length || !this.#grid.clientWidth) return;
      if (this.#view.columns !== this.#columns()) this.#arrange();
      if (!this.#body.scrollTop) this.#body.scrollTop = this.#view.top; // it was hidden
    });
    this.#sizes.observe(this.#grid);
  }
  /** Observed anew, it tells at once whether the end is in view. */
  #watchEnd() {
    this.#ends.unobserve(this.#end);
    if (this.#view.stickers.length && !this.#view.ended && !this.#view.failed) this.#ends.observe(this.#end);
  }

  #key(event) {
    if (event.isComposing) return;
    const target = event.target, taken = target === this.#box ? this.#boxKey(event) : target.closest('[role=tab]') ? this.#tabKey(event, target.closest('[role=tab]'))
      : target.closest('.cell') ? this.#cellKey(event, target.closest('button')) : event.key === 'Escape' && this.#leave(target);
    if (taken) event.preventDefault();
    if (taken || (target === this.#box && event.key !== 'Escape')) event.stopPropagation(); // no business of the page's shortcuts
  }
  /** True where the key was for us; so below. */
  #leave(target) {
    (this.#foot.contains(target) && this.#active?.isConnected ? this.#active : this.#box).focus();
    return true;
  }
  #boxKey(event) {
    const { key } = event;
    if (this.#suggestions.key(event)) return true;
    if (key === 'Enter') this.#search(this.#box.value.trim());
    else if (key === 'Escape' && this.#box.value) { this.#box.value = ''; this.#search(''); }
    else if (key === 'Escape') return !this.dispatchEvent(new CustomEvent('close', { bubbles: true, composed: true, cancelable: true }));
    else if (key === 'ArrowDown') (this.#cells().find(cell => cell.tabIndex === 0) || this.#box).focus();
    else return false;
    return true;
  }
  #tabKey(event, tab) {
    const tabs = this.#tabs.map(t => t.tab), at = tabs.indexOf(tab), forward = this.#texts.dir === 'rtl' ? 'ArrowLeft' : 'ArrowRight';
    const { key } = event, to = { Home: 0, End: tabs.length - 1, [forward]: at + 1, [forward === 'ArrowRight' ? 'ArrowLeft' : 'ArrowRight']: at - 1 }[key];
    if (key === 'Escape') return this.#leave(tab);
    if (key === 'ArrowDown') { (this.#cells().find(cell => cell.tabIndex === 0) || tab).focus(); return true; }
    if (to === undefined) return false;
    const next = this.#tabs[(to + tabs.length) % tabs.length];
    next.tab.focus();
    this.#open(next.name);
    return true;
  }
  #cellKey(event, cell) {
    const cells = this.#cells(), { key } = event, whole = event.ctrlKey || event.metaKey;
    const to = step(key, cells.indexOf(cell), cells.length, this.#view.columns, { rtl: this.#texts.dir === 'rtl', whole });
    if (key === 'Escape') {
      if (this.#similar) this.#back();
      else this.#box.focus();
    } else if (key === 'c' && whole) this.#copy(cell.sticker);
    else if (key === 'f' && !whole && !event.altKey) this.#favour(cell.sticker);
    else if (to !== undefined) (cells[to] || this.#box).focus();
    else return false;
    return true;
  }
}

if (!customElements.get('peel-picker')) customElements.define('peel-picker', PeelPicker);
export { Peel, PeelPicker };
