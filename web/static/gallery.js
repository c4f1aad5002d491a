// The gallery with scripts: results while typing, votes without leaving the page, keys for the grid.
// Everything here has a way without scripts; all HTML comes from the server, which escapes it.
'use strict';
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const box = $('#q');
  const results = () => $('#results');
  const say = text => { $('#live').textContent = text; };
  const store = {
    get: name => { try { return JSON.parse(sessionStorage.getItem(name)) || {}; } catch { return {}; } },
    set: (name, value) => { try { sessionStorage.setItem(name, JSON.stringify(value)); } catch { /* private mode */ } },
  };

  // ---- search while typing ----
  // Typed-through prefixes are not counted as searches; the phrase somebody stays with is.
  const TYPE_MS = 160, SETTLE_MS = 1200;
  let typing = 0, settling = 0, asking = null, shown = box.value.trim();
  const counted = new Set(shown && !$('#sticker') ? [shown] : []);

  const address = (q, page = 1) => '/' + (q ? '?q=' + encodeURIComponent(q) + (page > 1 ? '&page=' + page : '') : '');
  const part = (q, page, extra) => '/?part=results&page=' + page + extra + '&q=' + encodeURIComponent(q);

  async function fetchPart(url, signal) {
    const answer = await fetch(url, { signal, headers: { Accept: 'text/html' } });
    if (answer.status >= 500) throw new Error('The server answered ' + answer.status + '.');
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    const fresh = $('#results', page);
    if (!fresh) throw new Error('The answer was not understood.');
    return document.adoptNode(fresh);
  }

  function problem(text, retry) {
    const section = document.createElement('section');
    section.className = 'message';
    section.setAttribute('role', 'alert');
    const p = document.createElement('p');
    p.textContent = text;
    const again = document.createElement('button');
    again.className = 'button';
    again.textContent = 'Try again';
    again.addEventListener('click', retry);
    section.append(p, again);
    results().replaceChildren(section);
  }

  async function show(q, history_) {
    if (!results()) { location.href = address(q); return; }
    if (asking) asking.abort();
    const mine = asking = new AbortController();
    results().setAttribute('aria-busy', 'true');
    try {
      const fresh = await fetchPart(part(q, 1, '&typing=1'), mine.signal);
      results().replaceWith(fresh);
      shown = q;
      document.title = fresh.dataset.title;
      if (history_) history[history_ + 'State'](null, '', address(q));
      scrollTo(0, 0);
      wire();
      say($('#count') ? $('#count').textContent : '');
    } catch (error) {
      if (error.name === 'AbortError') return;
      results().removeAttribute('aria-busy');
      problem('The search could not be reached. ' + (navigator.onLine ? '' : 'You seem to be offline.'), () => show(q, history_));
    } finally {
      if (asking === mine) asking = null;
    }
  }

  // A new entry in the history for the first letter of a phrase, then the same one while it grows.
  let entry = 'push';
  box.addEventListener('input', () => {
    clearTimeout(typing);
    clearTimeout(settling);
    const q = box.value.trim();
    if (!results()) return;
    typing = setTimeout(() => {
      if (q === shown) return;
      show(q, entry);
      entry = 'replace';
    }, TYPE_MS);
    settling = setTimeout(settle, SETTLE_MS);
  });

  function settle() {
    clearTimeout(settling);
    entry = 'push';
    const q = shown;
    if (!q || counted.has(q)) return Promise.resolve();
    counted.add(q);
    return fetch('/?part=count&q=' + encodeURIComponent(q), { keepalive: true }).catch(() => counted.delete(q));
  }

  box.form.addEventListener('submit', async event => {
    if (!results()) return;
    event.preventDefault();
    clearTimeout(typing);
    const q = box.value.trim();
    if (q !== shown) await show(q, entry);
    settle();
  });

  addEventListener('popstate', () => {
    if (!results()) return;
    const q = (new URLSearchParams(location.search).get('q') || '').trim();
    if (q === shown) return;
    box.value = q;
    entry = 'push';
    show(q, null);
  });

  // ---- votes: noted here at once, sent together a little later ----
  const SEND_MS = 6000;
  const key = (q, name) => JSON.stringify([q, name]);
  let votes = store.get('peel.votes'); // key -> {vote, sent}
  let sending = 0, undo = null, gone = false;

  const keep = () => store.set('peel.votes', votes);
  const waiting = () => Object.entries(votes).filter(([, v]) => !v.sent);

  function paint(root) {
    for (const form of $$('form.ballot', root))
      for (const button of $$('.thumbs button', form)) {
        const vote = votes[key(form.dataset.query, button.value)];
        if (vote) button.setAttribute('aria-pressed', String(vote.vote === button.name));
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

  function vote(button) {
    const form = button.form, q = form.dataset.query, name = button.value, k = key(q, name);
    const before = votes[k];
    if (before && before.sent) {
      toast('That one is counted already. Thank you.');
      return later();
    }
    if (!$('#sticker')) settle();
    const back = before && before.vote === button.name;
    if (back) delete votes[k];
    else votes[k] = { vote: button.name, sent: false };
    for (const other of $$('.thumbs button', form))
      if (other.value === name) other.setAttribute('aria-pressed', String(!back && other === button));
    keep();
    if (back) toast('Taken back.');
    else {
      const n = waiting().length;
      toast((button.name === 'positive' ? 'Noted: it fits.' : 'Noted: it does not fit.') + (n > 1 ? ' ' + n + ' votes will be sent together.' : ''),
        () => { vote(button); button.focus(); });
    }
    later();
  }

  // What a browser sends after a page is gone may have 64 KiB, and one request 100 queries: the rest follows.
  const SEND_BYTES = 60000, SEND_QUERIES = 100;
  function send() {
    const byQuery = new Map(), due = [];
    let room = SEND_BYTES;
    for (const [k, v] of waiting()) {
      const [q, name] = JSON.parse(k);
      room -= 3 * k.length + 64;
      if (room < 0 || (byQuery.size === SEND_QUERIES && !byQuery.has(q))) break;
      due.push(k);
      if (!byQuery.has(q)) byQuery.set(q, { query: q, positive: [], negative: [] });
      byQuery.get(q)[v.vote].push(name);
      v.sent = true;
    }
    if (!due.length) return;
    keep();
    // With a key the same votes may be sent twice and count once; randomUUID would want https.
    const once = [...crypto.getRandomValues(new Uint8Array(16))].map(byte => byte.toString(16).padStart(2, '0')).join('');
    const ask = () => fetch('/api/feedback/', {
      method: 'POST',
      keepalive: true,
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': once },
      body: JSON.stringify({ feedback: [...byQuery.values()] }),
    });
    ask().catch(error => { if (gone) throw error; return ask(); }).then(answer => {
      if (!answer.ok) throw new Error();
      if (waiting().length) later();
    }).catch(() => {
      if (gone) return; // the answer is not known
      for (const k of due) delete votes[k];
      keep();
      for (const button of $$('.thumbs button')) button.setAttribute('aria-pressed', 'false');
      paint(document);
      toast('Your votes could not be saved. Please try again later.');
      later();
    });
  }

  document.addEventListener('submit', event => {
    if (!event.target.matches('form.ballot') || !event.submitter) return;
    event.preventDefault();
    vote(event.submitter);
  });
  addEventListener('pagehide', () => { gone = true; settle(); send(); });
  document.addEventListener('visibilitychange', () => { if (document.visibilityState === 'hidden') send(); });

  // ---- more results, in place ----
  const AUTO_PAGES = 4; // then a click asks for more, so that the end of the page can be reached
  const seen = 'IntersectionObserver' in window && new IntersectionObserver(entries => {
    for (const e of entries) if (e.isIntersecting) more(e.target, false);
  }, { rootMargin: '500px' });

  async function more(link, focus) {
    if (link.dataset.busy) return;
    link.dataset.busy = '1';
    if (seen) seen.unobserve(link);
    const page = Number(new URL(link.href).searchParams.get('page')), q = shown;
    try {
      const fresh = await fetchPart(part(q, page, '&typing=1'));
      if (q !== shown) return;
      const cards = $$('.card', fresh);
      $('.grid', results()).append(...cards);
      const pager = $('.pager', fresh), next = pager && $('.more', pager);
      if (next) link.replaceWith(next);
      else link.remove();
      wire(page);
      say(cards.length + ' more stickers');
      if (focus && cards[0]) $('.card-link', cards[0]).focus();
    } catch {
      delete link.dataset.busy;
      toast('More stickers could not be fetched.');
      later();
    }
  }
  document.addEventListener('click', event => {
    const link = event.target.closest('.more');
    if (link && results()) { event.preventDefault(); more(link, event.detail === 0); }
    if (event.target.closest('.card-link')) settle();
  });

  function wire(page = 1) {
    if (!results()) return;
    paint(results());
    const link = $('.more', results());
    if (seen && link && page < AUTO_PAGES) seen.observe(link);
  }

  // ---- keys ----
  function move(link, key_) {
    const links = $$('.card-link', link.closest('.grid')), at = links.indexOf(link);
    if (key_ === 'Home') return links[0];
    if (key_ === 'End') return links[links.length - 1];
    if (key_ === 'ArrowLeft') return links[at - 1];
    if (key_ === 'ArrowRight') return links[at + 1];
    const tops = links.map(l => l.closest('.card').offsetTop), columns = tops.filter(t => t === tops[0]).length;
    if (key_ === 'ArrowUp') return links[at - columns] || box;
    return links[at + columns] || links[links.length - 1];
  }
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const card = event.target.closest('.card');
    if (event.target === box) {
      const first = event.key === 'ArrowDown' && $('.card-link');
      if (first) { event.preventDefault(); first.focus(); settle(); }
      return;
    }
    if (!card) return;
    if (event.key === 'Escape' || event.key === '/') {
      event.preventDefault();
      box.focus();
      box.select();
    } else if (/^(Arrow|Home$|End$)/.test(event.key)) {
      const to = move($('.card-link', card), event.key);
      event.preventDefault();
      if (to) to.focus();
    } else if ('+=-_−'.includes(event.key)) {
      const button = $(event.key === '+' || event.key === '=' ? '[name=positive]' : '[name=negative]', card);
      if (button) { event.preventDefault(); vote(button); }
    }
  });

  // ---- one sticker: copy ----
  const picture = $('#sticker'), copyImage = $('#copy-image'), copyLink = $('#copy-link');
  function toPng() {
    const side = Math.max(picture.naturalWidth, picture.naturalHeight) || 512, grow = Math.max(1, 512 / side);
    const canvas = document.createElement('canvas');
    canvas.width = Math.round((picture.naturalWidth || 512) * grow);
    canvas.height = Math.round((picture.naturalHeight || 512) * grow);
    canvas.getContext('2d').drawImage(picture, 0, 0, canvas.width, canvas.height);
    return new Promise((done, fail) => canvas.toBlob(blob => blob ? done(blob) : fail(new Error()), 'image/png'));
  }
  function offer(button, what, text) {
    button.classList.remove('later');
    button.addEventListener('click', () => {
      what().then(() => toast(text), () => toast('The browser did not allow copying.')).then(later);
    });
  }
  if (picture && navigator.clipboard) {
    offer(copyLink, () => navigator.clipboard.writeText(location.origin + location.pathname), 'Link copied.');
    if (window.ClipboardItem)
      offer(copyImage, () => navigator.clipboard.write([new ClipboardItem({ 'image/png': toPng() })]), 'Image copied.');
  }

  // ---- start ----
  const bar = $('.top');
  const flat = () => bar.classList.toggle('flat', scrollY < 8);
  addEventListener('scroll', flat, { passive: true });
  flat();
  addEventListener('pageshow', () => { gone = false; votes = store.get('peel.votes'); paint(document); });
  paint(document);
  wire(Number(results() && results().dataset.page) || 1);
  if (waiting().length) later();
})();
