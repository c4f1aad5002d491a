// The gallery with scripts: results and suggestions while typing, votes without leaving the page, keys for the grid,
// favourites. Everything that others do for people has a way without scripts; all HTML comes from the server, which
// escapes it. What is kept (votes, favourites, what was viewed) stays in the browser.
import { Peel } from '/peel-client.js';
import { Shelf, Suggestions, make, random, step, store, toPng, watchImpressions } from '/peel-parts.js';

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const box = $('#q'), texts = $('#texts').dataset;
const results = () => $('#results');
const say = text => { $('#live').textContent = text; };
const peel = new Peel(location.origin, { lang: document.documentElement.lang });
document.documentElement.classList.add('js');

// ---- what is shown: a query and filters ----
const FILTERS = ['pack', 'animated', 'rating'];
const filtersOf = params => FILTERS.map(name => [name, params.get(name) || '']).filter(([, value]) => value);
const chosen = () => {
  const form = results() && $('.filters', results());
  return form ? filtersOf(new FormData(form)) : filtersOf(new URLSearchParams(location.search));
};
const address = (q, filters, page = 1) => {
  if (!q) return '/';
  const params = new URLSearchParams([['q', q], ...filters]);
  if (page > 1) params.set('page', page);
  return '/?' + params;
};
const part = (q, filters, page) => address(q || ' ', filters, page) + '&part=results&typing=1';

// ---- search while typing ----
// Typed-through prefixes are not counted as searches; the phrase somebody stays with is.
const TYPE_MS = 160, SETTLE_MS = 1200, SKELETON_MS = 150;
let typing = 0, settling = 0, asking = null, shown = results() ? results().dataset.query : box.value.trim();
const counted = new Set(shown && results() ? [shown] : []);

async function fetchPart(url, signal) {
  const answer = await fetch(url, { signal, headers: { Accept: 'text/html' } });
  if (answer.status >= 500 || answer.status === 429) throw new Error('The server answered ' + answer.status + '.');
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
  const fresh = $('#results', page) || $('main .message', page);
  if (!fresh) throw new Error('The answer was not understood.');
  return document.adoptNode(fresh);
}

function problem(text, retry) {
  const section = make('section', 'message'), again = make('button', 'button', { textContent: texts.retry });
  section.setAttribute('role', 'alert');
  again.addEventListener('click', retry);
  section.append(make('p', '', { textContent: text }), again);
  results().replaceChildren(section);
}

// Places for cards, where nothing of the kind is on the page yet.
function skeleton() {
  const grid = make('ul', 'grid');
  grid.setAttribute('aria-hidden', 'true');
  for (let i = 0; i < 12; i++) {
    const card = make('li', 'card skeleton');
    card.append(make('span', 'box waits'), make('span', 'line'));
    grid.append(card);
  }
  results().replaceChildren(make('h1', 'sr', { textContent: texts.loading }), grid);
}

async function show(q, filters, history_) {
  if (!results()) { location.href = address(q, filters); return false; }
  if (asking) asking.abort();
  const mine = asking = new AbortController();
  results().setAttribute('aria-busy', 'true');
  const waiting = setTimeout(() => { if (!results().dataset.query && q) skeleton(); }, SKELETON_MS);
  try {
    const fresh = await fetchPart(part(q, filters, 1), mine.signal);
    if (fresh.id !== 'results') {
      results().replaceChildren(fresh);
      results().removeAttribute('aria-busy');
      return false;
    }
    results().replaceWith(fresh);
    shown = q;
    document.title = fresh.dataset.title;
    if (history_) history[history_ + 'State'](null, '', address(q, filters));
    if (history_) scrollTo(0, 0);
    wire();
    say($('#count') ? $('#count').textContent : '');
    return true;
  } catch (error) {
    if (error.name === 'AbortError') return false;
    results().removeAttribute('aria-busy');
    problem(texts.unavailable + (navigator.onLine ? '' : ' ' + texts.offline), () => show(q, filters, history_));
    return false;
  } finally {
    clearTimeout(waiting);
    if (asking === mine) { asking = null; placed = false; }
  }
}

// A new entry in the history for the first letter of a phrase, then the same one while it grows.
let entry = 'push';
// The place is kept before a letter stands in the box: browsers scroll to show it, though the bar is always in view.
box.addEventListener('beforeinput', () => {
  if (entry !== 'push') return;
  keepPlace();
  placed = true;
});
box.addEventListener('input', () => {
  clearTimeout(typing);
  clearTimeout(settling);
  const q = box.value.trim();
  suggestions.suggest(q);
  if (!results()) return;
  typing = setTimeout(() => {
    if (q === shown) { placed = false; return; }
    if (entry === 'push') keepPlace();
    show(q, chosen(), entry);
    entry = 'replace';
  }, TYPE_MS);
  settling = setTimeout(settle, SETTLE_MS);
});

function settle() {
  clearTimeout(settling);
  entry = 'push';
  const q = shown;
  if (!q || !results() || counted.has(q)) return Promise.resolve();
  counted.add(q);
  return fetch('/?part=count&q=' + encodeURIComponent(q), { keepalive: true }).catch(() => counted.delete(q));
}

async function search(q) {
  clearTimeout(typing);
  suggestions.close();
  if (!results()) { location.href = address(q, []); return; }
  keepPlace();
  if (q !== shown) await show(q, chosen(), entry);
  placed = false;
  settle();
}

box.form.addEventListener('submit', event => {
  if (!results()) return;
  event.preventDefault();
  search(box.value.trim());
});

document.addEventListener('change', event => {
  const form = event.target.closest('.filters');
  if (!form) return;
  const name = event.target.name;
  keepPlace();
  show(shown, filtersOf(new FormData(form)), 'push').then(() => { const again = $(`.filters [name=${name}]`); if (again) again.focus(); });
});

// ---- Back and reload come to the same stickers at the same place ----
const PAGES_MAX = 40;
let pages = 1, placing = 0, placed = false; // placed: it is kept until the next results are there
function keepPlace() {
  clearTimeout(placing);
  if (!results() || restoring || placed) return;
  const top = $('.top').getBoundingClientRect().bottom;
  const card = scrollY > 0 && $$('.card', results()).find(c => c.getBoundingClientRect().bottom > top);
  const place = card ? { pages, at: card.dataset.filename, top: card.getBoundingClientRect().top } : { pages };
  history.replaceState(place, '');
}
let restoring = false;
async function restore(place) {
  if (!results() || !place) return;
  restoring = true;
  for (let page = 2; page <= Math.min(place.pages, PAGES_MAX); page++) {
    const link = $('.more', results());
    if (!link || !await more(link, false)) break;
  }
  const card = place.at && $$('.card', results()).find(c => c.dataset.filename === place.at);
  for (let frame = 0; card?.isConnected && frame < 8; frame++) { // what comes into view takes the height that it really has
    scrollBy({ top: card.getBoundingClientRect().top - place.top, behavior: 'instant' });
    await new Promise(done => { requestAnimationFrame(done); setTimeout(done, 100); });
  }
  restoring = false;
}
addEventListener('scroll', () => {
  clearTimeout(placing);
  placing = setTimeout(keepPlace, 200);
}, { passive: true });
if (results()) history.scrollRestoration = 'manual';

addEventListener('popstate', async event => {
  if (!results()) return;
  const params = new URLSearchParams(location.search), q = (params.get('q') || '').trim();
  clearTimeout(placing);
  box.value = q;
  suggestions.close();
  entry = 'push';
  if (await show(q, filtersOf(params), null)) restore(event.state);
});

// ---- suggestions ----
const SUGGESTIONS = 6;
const list = make('ul', 'suggestions', { id: 'suggestions' });
box.form.append(list);
const suggestions = new Suggestions(box, list, texts.suggestions,
  async (prefix, signal) => (await peel.suggest(prefix, { limit: SUGGESTIONS, signal })).map(suggestion => suggestion.text),
  text => search(text.trim()));
box.addEventListener('blur', () => suggestions.close());

// ---- votes: shown at once, sent together a little later; they can be changed and taken back at any time ----
const SEND_MS = 6000, VOTES_MAX = 500;
const key = (q, name) => JSON.stringify([q, name]);
let votes = store.read('peel.votes', {}); // key -> {vote, sent}: "positive", "negative" or null
let sending = 0, undo = null, gone = false;
const voter = () => {
  let id = store.read('peel.voter', '');
  if (!/^[0-9a-f]{32}$/.test(id)) store.write('peel.voter', id = random());
  return id;
};

const keep = () => {
  const names = Object.keys(votes);
  for (const name of names.slice(0, Math.max(0, names.length - VOTES_MAX)))
    if (votes[name].vote === votes[name].sent) delete votes[name];
  store.write('peel.votes', votes);
};
const waiting = () => Object.entries(votes).filter(([, v]) => v.vote !== v.sent);

function paint(root) {
  for (const form of $$('form.ballot', root))
    for (const button of $$('.thumbs button', form)) {
      const vote = votes[key(form.dataset.query, button.value)];
      if (vote) button.setAttribute('aria-pressed', String(vote.vote === button.dataset.vote));
    }
}

function toast(text, onUndo) {
  const bar = $('#toast');
  $('p', bar).textContent = text;
  bar.classList.toggle('plain', !onUndo);
  bar.hidden = false;
  undo = onUndo;
}
function untoast() {
  $('#toast').hidden = true;
  undo = null;
}
$('#toast button').addEventListener('click', () => { if (undo) undo(); });

function later() {
  clearTimeout(sending);
  sending = setTimeout(() => {
    if ($('#toast').matches(':hover, :focus-within')) return later(); // still thinking
    untoast();
    send();
  }, SEND_MS);
}

function setVote(button, to) {
  const form = button.form, k = key(form.dataset.query, button.value);
  const before = votes[k] || { vote: null, sent: null };
  delete votes[k]; // the latest stand last
  votes[k] = { vote: to, sent: before.sent };
  for (const other of $$('.thumbs button', form))
    if (other.value === button.value) other.setAttribute('aria-pressed', String(other.dataset.vote === to));
  keep();
  later();
}
function vote(button) {
  const before = (votes[key(button.form.dataset.query, button.value)] || { vote: null }).vote;
  const to = button.getAttribute('aria-pressed') === 'true' ? null : button.dataset.vote;
  settle();
  setVote(button, to);
  toast(to ? texts[to] : texts.takenBack, () => { setVote(button, before); untoast(); button.focus(); });
}

// What a browser sends after a page is gone may have 64 KiB, and one request 100 queries: the rest follows.
const SEND_BYTES = 60000, SEND_QUERIES = 100;
function send() {
  const byQuery = new Map(), due = [];
  let room = SEND_BYTES;
  for (const [k, v] of waiting()) {
    const [q, name] = JSON.parse(k);
    room -= 3 * k.length + 128;
    if (room < 0 || (byQuery.size === SEND_QUERIES && !byQuery.has(q))) break;
    due.push([k, v.sent]);
    if (!byQuery.has(q)) byQuery.set(q, { query: q, voter: voter(), positive: [], negative: [], withdrawn: [] });
    byQuery.get(q)[v.vote || 'withdrawn'].push(name);
    v.sent = v.vote;
  }
  if (!due.length) return;
  keep();
  peel.feedback([...byQuery.values()], { keepalive: true }).then(() => {
    if (waiting().length) later();
  }).catch(() => {
    if (gone) return; // the answer is not known
    for (const [k, sent] of due) votes[k] = { vote: sent, sent };
    keep();
    paint(document);
    toast(texts.votesFailed);
    later();
  });
}

document.addEventListener('submit', event => {
  if (!event.target.matches('form.ballot') || !event.submitter) return;
  event.preventDefault();
  vote(event.submitter);
});
addEventListener('pagehide', () => { gone = true; keepPlace(); settle(); send(); sendTold(); });
document.addEventListener('visibilitychange', () => { if (document.visibilityState === 'hidden') { send(); sendTold(); } });

// ---- what is done with the stickers of a search, told with its receipt: learning from it needs what was shown ----
const tell = (action, filename, query_id) => { if (query_id) peel.tell(action, { filename, query_id }, { client_id: voter() }); };
const sendTold = () => { peel.flush().catch(() => {}); };
const viewed = watchImpressions(card => tell('impression', card.dataset.filename, card.receipt));
function follow() {
  for (const grid of $$('.grid[data-receipt]'))
    for (const card of $$('.card', grid)) {
      if (card.receipt) continue;
      card.receipt = grid.dataset.receipt;
      viewed.observe(card);
    }
}
// The page of a sticker belongs to the search that led to it.
const from = store.read('peel.from', {}, 'sessionStorage');
const receiptOf = card => card.receipt || (from.f === card.dataset.filename ? from.r : '');

// ---- more results, in place ----
const AUTO_PAGES = 4; // then a click asks for more, so that the end of the page can be reached
const seen = new IntersectionObserver(entries => {
  for (const e of entries) if (e.isIntersecting) more(e.target, false);
}, { rootMargin: '500px' });

async function more(link, focus) {
  if (link.dataset.busy) return false;
  link.dataset.busy = '1';
  seen.unobserve(link);
  const params = new URL(link.href).searchParams, page = Number(params.get('page')), q = shown;
  try {
    const fresh = await fetchPart(part(q, filtersOf(params), page));
    if (q !== shown || !link.isConnected) return false;
    const cards = $$('.card', fresh), grid = $('.grid', fresh);
    for (const card of cards) {
      card.receipt = grid.dataset.receipt;
      viewed.observe(card);
    }
    $('.grid', results()).append(...cards);
    const next = $('.pager .more', fresh);
    if (next) link.replaceWith(next);
    else link.remove();
    wire(page);
    if (!restoring) say(texts.more);
    if (focus && cards[0]) $('.card-link', cards[0]).focus();
    keepPlace();
    return true;
  } catch {
    delete link.dataset.busy;
    toast(texts.moreFailed);
    later();
    return false;
  }
}
document.addEventListener('click', event => {
  const link = event.target.closest('.more');
  if (link && results()) { event.preventDefault(); more(link, event.detail === 0); }
  const card = event.target.closest('.card-link') && event.target.closest('.card');
  if (card) {
    keepPlace();
    settle();
    tell('click', card.dataset.filename, card.receipt);
    store.write('peel.from', { f: card.dataset.filename, r: card.receipt }, 'sessionStorage');
  }
  const language = event.target.closest('.languages a'); // of the page as it is now
  if (language) {
    const params = new URLSearchParams(location.search);
    params.set('lang', language.lang);
    language.search = '?' + params;
  }
});

// A box whose picture is on its way shows that.
const settled = event => { if (event.target.closest) { const b = event.target.closest('.box'); if (b) b.classList.remove('waits'); } };
document.addEventListener('load', settled, true);
document.addEventListener('error', settled, true);

function wire(page = 1) {
  pages = page;
  for (const img of $$('.box img:not([data-wired])')) {
    img.dataset.wired = '';
    if (!img.complete) img.closest('.box').classList.add('waits');
  }
  // One stop of the Tab key for each card; its votes have keys of their own.
  for (const button of $$('.card .thumbs button')) button.tabIndex = -1;
  for (const link of $$('.ballot .card-link')) link.setAttribute('aria-keyshortcuts', '+ -');
  if (!results()) return;
  follow();
  paint(results());
  const link = $('.more', results());
  if (link && page < AUTO_PAGES) seen.observe(link);
  if (!results().dataset.query) shelves();
}

// ---- favourites, and what was viewed last ----
const FAVOURITES_MAX = 200, RECENT_MAX = 12;
const sane = item => item && typeof item.f === 'string' && typeof item.t === 'string' && /^\/media\/[^/]/.test(item.u);
const favourites = new Shelf('peel.favourites', item => item.f, sane), recent = new Shelf('peel.recent', item => item.f, sane);
const sheet = $('.sheet');
const itemOf = card => sheet && card === sheet ? { f: sheet.dataset.filename, t: sheet.dataset.title, u: sheet.dataset.thumbnail }
  : { f: card.dataset.filename, t: $('.card-title', card).textContent, u: $('img', card).getAttribute('src') };
function favour(card) {
  const item = itemOf(card), was = favourites.has(item.f);
  if (was) favourites.remove(item.f);
  else {
    favourites.add(item, FAVOURITES_MAX);
    tell('favourite', item.f, receiptOf(card));
  }
  toast(was ? texts.favouriteRemoved : texts.favouriteAdded, () => { favour(card); untoast(); });
  later();
  paintFavourite();
  if (results() && !results().dataset.query) shelves();
}
function paintFavourite() {
  if (sheet) $('#favourite').setAttribute('aria-pressed', String(favourites.has(sheet.dataset.filename)));
}

function drawShelf(shelf, title) {
  const { items } = shelf, id = shelf.name.replace('.', '-');
  const old = $('#' + id);
  if (old) old.closest('.shelf').remove();
  if (!items.length) return;
  const section = make('section', 'shelf'), head = make('h2', '', { textContent: title }), clear = make('button', 'quiet', { textContent: texts.clear }), grid = make('ul', 'grid');
  head.id = id;
  clear.setAttribute('aria-label', texts.clear + ': ' + title);
  clear.addEventListener('click', () => { shelf.clear(); section.remove(); });
  grid.setAttribute('aria-labelledby', id);
  for (const item of items.slice(0, 24)) {
    const card = make('li', 'card'), link = make('a', 'card-link'), frame = make('span', 'box'), img = make('img'), text = make('span', 'card-title', { textContent: item.t });
    card.dataset.filename = item.f;
    link.href = '/sticker/' + encodeURIComponent(item.f);
    Object.assign(img, { src: item.u, alt: '', width: 256, height: 256, loading: 'lazy', decoding: 'async' });
    text.dir = 'auto';
    frame.append(img);
    link.append(frame, text);
    card.append(link);
    grid.append(card);
  }
  const row = make('div', 'shelf-head');
  row.append(head, clear);
  section.append(row, grid);
  results().append(section);
}
function shelves() {
  drawShelf(favourites, texts.favourites);
  drawShelf(recent, texts.recent);
}

// ---- keys ----
function move(link, key) {
  const links = $$('.card-link', link.closest('.grid')), tops = links.map(l => l.closest('.card').offsetTop);
  const columns = tops.filter(top => top === tops[0]).length;
  return links[step(key, links.indexOf(link), links.length, columns, { rtl: document.documentElement.dir === 'rtl', whole: true })] || box;
}
function boxKey(event) {
  if (suggestions.key(event)) {
    event.preventDefault();
  } else if (event.key === 'ArrowDown') {
    const first = $('.card-link');
    if (first) { event.preventDefault(); first.focus(); settle(); }
  }
}
document.addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target === box) return boxKey(event);
  if (event.target.closest('input, textarea, select, [contenteditable]')) return;
  const card = event.target.closest('.card');
  if (event.key === '/' || (event.key === 'Escape' && card)) {
    event.preventDefault();
    box.focus();
    box.select();
  } else if (event.key === 'f' && (card || sheet)) {
    if (!card || !card.matches('.example')) favour(card || sheet);
  } else if (card && /^(Arrow|Home$|End$)/.test(event.key)) {
    const to = move($('.card-link', card), event.key);
    event.preventDefault();
    if (to) to.focus();
  } else if (card && '+=-_−'.includes(event.key)) {
    const button = $(event.key === '+' || event.key === '=' ? '[data-vote=positive]' : '[data-vote=negative]', card);
    if (button) { event.preventDefault(); vote(button); }
  }
});

// ---- one sticker: favourite, copy, share, save ----
const picture = $('#sticker');
function offer(button, what, action, text) {
  if (!button) return;
  button.classList.remove('later');
  button.addEventListener('click', () => {
    what().then(done => {
      if (done !== false) tell(action, sheet.dataset.filename, receiptOf(sheet));
      if (text) toast(text);
    }, () => toast(texts.copyFailed)).then(later);
  });
}
const here = () => location.origin + location.pathname;
async function savePng() {
  const link = make('a'), button = $('#save-png');
  link.href = URL.createObjectURL(await toPng(picture));
  link.download = button.dataset.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
async function share() {
  const data = { title: sheet.dataset.title, url: here() };
  try {
    const file = new File([await toPng(picture)], sheet.dataset.filename.replace(/\.\w+$/, '') + '.png', { type: 'image/png' });
    if (navigator.canShare && navigator.canShare({ files: [file] })) data.files = [file];
  } catch { /* the link alone */ }
  return navigator.share(data).then(() => true, error => {
    if (error.name !== 'AbortError') throw error;
    return false;
  });
}
if (picture) {
  $('#favourite').classList.remove('later');
  $('#favourite').addEventListener('click', () => favour(sheet));
  paintFavourite();
  recent.add(itemOf(sheet), RECENT_MAX);
  offer($('#save-png'), savePng, 'copy');
  if (navigator.clipboard) {
    offer($('#copy-link'), () => navigator.clipboard.writeText(here()), 'share', texts.linkCopied);
    if (window.ClipboardItem)
      offer($('#copy-image'), () => navigator.clipboard.write([new ClipboardItem({ 'image/png': toPng(picture) })]), 'copy', texts.imageCopied);
  }
  if (navigator.share) {
    $('#share').hidden = false;
    offer($('#share'), share, 'share');
  }
}

// ---- start ----
const bar = $('.top');
const flat = () => bar.classList.toggle('flat', scrollY < 8);
addEventListener('scroll', flat, { passive: true });
addEventListener('pageshow', () => { gone = false; votes = store.read('peel.votes', {}); paint(document); paintFavourite(); });
paint(document);
const first = Number(results() && results().dataset.page) || 1;
wire(first);
if (first === 1) restore(history.state);
flat();
if (waiting().length) later();
