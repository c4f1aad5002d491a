// A client of Peel for browsers and Node.js: searches, suggestions, votes and events, and uploads with a token.
//
//     import { Peel } from 'peel-client';
//     const peel = new Peel('https://stickers.example');
//     const { results } = await peel.search('birthday cake', { limit: 24 });
//     peel.tell('share', results[0]);
//
// peel-client.d.ts has the types; docs/API.md says what each parameter and member means.

const EVENTS_AT_ONCE = 30; // each carries a receipt of up to 1,500 bytes, and a page that goes away may send 64 KiB
const EVENTS_KEPT = 500, EVENTS_MS = 5000;
const BACKOFF_MS = 250, WAIT_MOST_MS = 30000; // a server that wants a longer pause gets it from the app

/** A new id: of an event, or of a request that must count once. Node.js 18 has no global crypto. */
const id = () => Array.from(globalThis.crypto?.getRandomValues(new Uint8Array(16)) ?? Array.from({ length: 16 }, () => Math.random() * 256),
  byte => Math.floor(byte).toString(16).padStart(2, '0')).join('');

/** Waits, unless the signal ends it. */
const pause = (ms, signal) => new Promise((done, fail) => {
  const stop = () => { clearTimeout(timer); fail(signal.reason); };
  const timer = setTimeout(() => { signal?.removeEventListener('abort', stop); done(); }, ms);
  if (signal?.aborted) stop();
  else signal?.addEventListener('abort', stop, { once: true });
});

/** Seconds, or a date (RFC 9110, section 10.2.3), in milliseconds from now; undefined when it is neither. */
function readRetryAfter(text) {
  if (!text) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

/** The server refused or did not answer: `status` is 0 without an answer, `retryAfterMs` what it asked to wait. */
export class PeelError extends Error {
  constructor(message, status = 0, retryAfterMs = undefined, cause = undefined) {
    super(message, { cause });
    this.name = 'PeelError';
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
  /** Whether the same request may succeed later. */
  get temporary() { return [0, 429, 502, 503, 504].includes(this.status); }
}

export class Peel {
  #base; #options; #told = []; #telling;

  constructor(server, options = {}) {
    this.#base = new URL(server);
    this.#options = { timeoutMs: 5000, retries: 2, ...options };
  }

  // ---- finding ----

  search(query, { signal, ...options } = {}) { return this.#find('/api/search/', { query, ...this.#lang(), ...options }, signal); }

  /** All stickers of a search, page after page, until the caller stops. */
  async *pages(query, { limit = 24, offset = 0, ...options } = {}) {
    for (;;) {
      const found = await this.search(query, { ...options, limit, offset });
      yield* found.results;
      offset += found.results.length;
      if (!found.results.length || offset >= found.total) return;
    }
  }

  async suggest(prefix, { signal, ...options } = {}) {
    return (await this.#ask('GET', '/api/suggest/', { prefix, ...this.#lang(), ...options }, { signal })).suggestions;
  }
  trending({ signal, ...options } = {}) { return this.#find('/api/trending/', { ...this.#lang(), ...options }, signal); }
  random({ signal, ...options } = {}) { return this.#find('/api/random/', { ...this.#lang(), ...options }, signal); }
  similar(filename, { signal, ...options } = {}) {
    return this.#find(`/api/stickers/${encodeURIComponent(filename)}/similar`, { ...this.#lang(), ...options }, signal);
  }
  async sticker(filename, { signal, ...options } = {}) {
    return this.#whole(await this.#ask('GET', `/api/stickers/${encodeURIComponent(filename)}`, { ...this.#lang(), ...options }, { signal }));
  }
  async categories({ signal, ...options } = {}) {
    return (await this.#ask('GET', '/api/categories/', { ...this.#lang(), ...options }, { signal })).categories;
  }
  async packs({ signal, ...options } = {}) { return (await this.#ask('GET', '/api/packs/', { ...this.#lang(), ...options }, { signal })).packs; }

  pack(name, { signal, ...options } = {}) { return this.#find(`/api/packs/${encodeURIComponent(name)}`, { ...this.#lang(), ...options }, signal); }

  /** An address of this server as a whole one: of a sticker, or of what an answer has, such as a category's cover. */
  address(path) { return new URL(path, this.#base).href; }

  // ---- telling ----

  /** Counts votes: entries as POST /api/feedback/ takes them. Returns the stickers that it does not know. */
  async feedback(entries, { signal, keepalive } = {}) {
    const feedback = [].concat(entries).map(entry => ({ ...this.#client('voter'), ...entry }));
    return (await this.#ask('POST', '/api/feedback/', {}, { body: { feedback }, key: id(), keepalive, signal })).failed;
  }

  /** Tells what somebody did with a sticker of an answer: 'impression', 'click', 'copy', 'share', 'favourite', 'report'.
   * Events are sent together, a little later; those without a receipt belong to no search and are not sent. */
  tell(action, sticker, more = {}) {
    if (!sticker.query_id || this.#told.length >= EVENTS_KEPT) return;
    this.#told.push({
      event_id: id(), action_name: action, query_id: sticker.query_id, object_id: sticker.filename, position: sticker.rank,
      timestamp: new Date().toISOString(), ...this.#client('client_id'), ...more,
    });
    if (this.#told.length >= EVENTS_AT_ONCE) this.flush().catch(() => {});
    else this.#later();
  }
  #later() {
    this.#telling ??= setTimeout(() => this.flush().catch(() => {}), EVENTS_MS);
    this.#telling.unref?.(); // Node.js need not stay for it
    globalThis.document?.addEventListener('visibilitychange', this.#hidden);
  }
  #hidden = () => { if (document.visibilityState === 'hidden') this.flush().catch(() => {}); };

  /** Sends the events that wait. Those that could not be sent for now wait for the next time. */
  async flush() {
    clearTimeout(this.#telling);
    this.#telling = undefined;
    globalThis.document?.removeEventListener('visibilitychange', this.#hidden);
    while (this.#told.length) {
      const events = this.#told.splice(0, EVENTS_AT_ONCE);
      try {
        await this.#ask('POST', '/api/events/', {}, { body: { events }, keepalive: true });
      } catch (error) {
        if (error.temporary) this.#told.unshift(...events);
        throw error;
      }
    }
  }

  // ---- writing, with a token ----

  /** Adds a sticker, or replaces its image and what `about` names: as PATCH /api/stickers/<filename> takes it. */
  async upload(filename, image, about, { signal } = {}) {
    const form = new FormData();
    form.append('image', image instanceof Blob ? image : new Blob([image]));
    if (about) form.append('sticker', JSON.stringify(about));
    return this.#whole(await this.#ask('PUT', `/api/stickers/${encodeURIComponent(filename)}`, {}, { form, signal }));
  }
  async remove(filename, { signal } = {}) { await this.#ask('DELETE', `/api/stickers/${encodeURIComponent(filename)}`, {}, { key: id(), signal }); }

  // ---- requests ----

  #lang() { return this.#options.lang ? { lang: this.#options.lang } : {}; }
  #client(name) { return this.#options.client ? { [name]: this.#options.client } : {}; }

  /** A sticker of an answer with whole addresses, and the receipt of the answer. */
  #whole(sticker, query_id) {
    for (const name of ['url', 'thumbnail']) if (sticker[name]) sticker[name] = this.address(sticker[name]);
    return query_id ? { ...sticker, query_id } : sticker;
  }
  async #find(path, params, signal) {
    const found = await this.#ask('GET', path, params, { signal });
    return { ...found, results: found.results.map(sticker => this.#whole(sticker, found.query_id)) };
  }

  /** Asks again what may be asked again: all that we send counts once, by its key or by the events' ids. */
  async #ask(method, path, params, { body, form, key, keepalive, signal }) {
    const url = new URL(this.address(path));
    for (const [name, value] of Object.entries(params)) if (value !== undefined && value !== null) url.searchParams.set(name, value);
    const headers = { Accept: 'application/json' };
    if (body) headers['Content-Type'] = 'application/json';
    if (key) headers['Idempotency-Key'] = key;
    if (this.#options.token) headers.Authorization = 'Token ' + this.#options.token;
    const request = { method, headers, keepalive, body: form ?? (body && JSON.stringify(body)) };
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#once(url, request, signal);
      } catch (error) {
        const wait = error.retryAfterMs ?? BACKOFF_MS * 2 ** attempt * (0.5 + Math.random());
        if (!error.temporary || attempt >= this.#options.retries || wait > WAIT_MOST_MS) throw error;
        await pause(wait, signal);
      }
    }
  }

  async #once(url, request, signal) {
    const { timeoutMs, fetch = globalThis.fetch } = this.#options;
    const control = new AbortController(), stop = () => control.abort(signal.reason);
    const timer = setTimeout(() => control.abort(), timeoutMs);
    if (signal?.aborted) stop();
    signal?.addEventListener('abort', stop);
    try {
      const answer = await fetch(url, { ...request, credentials: 'omit', signal: control.signal });
      const text = await answer.text();
      let said = {};
      try { said = text ? JSON.parse(text) : {}; } catch { if (answer.ok) throw new PeelError(`${url.pathname}: expected JSON`, answer.status); }
      if (answer.ok) return said;
      throw new PeelError(said?.message || `${url.pathname}: status ${answer.status}`, answer.status, readRetryAfter(answer.headers.get('Retry-After')));
    } catch (error) {
      if (error instanceof PeelError || signal?.aborted) throw error;
      const why = control.signal.aborted ? `no answer within ${timeoutMs} ms` : 'no connection';
      throw new PeelError(`${url.origin}${url.pathname}: ${why}`, 0, undefined, error);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
    }
  }
}
