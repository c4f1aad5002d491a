// The JavaScript client against a real service and one that is busy at first: clients.mjs SERVER BUSY TOKEN. Started by test_clients.py.
import assert from 'node:assert/strict';
import { Peel, PeelError } from '../../clients/js/peel-client.js';

const [server, busy, token] = process.argv.slice(2);
const peel = new Peel(server, { lang: 'en', client: 'user-17' });

const found = await peel.search('cat', { limit: 1, animated: false });
assert.equal(found.results[0].filename, 'cat.png');
assert.equal(found.results[0].query_id, found.query_id);
const image = await fetch(found.results[0].thumbnail);
assert.equal(image.headers.get('Content-Type'), 'image/webp');
assert.deepEqual((await peel.suggest('kit')).map(s => s.text), ['kitten']);

assert.equal((await peel.sticker('sun & rain, 100%.png')).keywords.length, 3);
assert.ok((await peel.similar('cat.png', { limit: 2 })).results.every(sticker => sticker.url.startsWith(server)));
assert.equal((await peel.random({ limit: 2 })).results.length, 2);
for (const part of [(await peel.trending()).queries, await peel.categories({ lang: 'de' }), await peel.packs()]) assert.ok(Array.isArray(part));

const all = [];
for await (const sticker of peel.pages('cat dog cake car', { limit: 2 })) all.push(sticker.filename);
assert.ok(all.length > 2, String(all));
assert.equal(new Set(all).size, all.length);

assert.deepEqual(await peel.feedback({ query_id: found.query_id, positive: ['cat.png', 'nowhere.png'] }), ['nowhere.png']);
peel.tell('impression', found.results[0]);
peel.tell('share', found.results[0]);
await peel.flush();
await peel.flush(); // nothing waits

await assert.rejects(peel.search(''), error => error instanceof PeelError && error.status === 400 && !error.temporary && error.message === 'Please provide a query.');
const gone = AbortSignal.abort(new Error('not wanted any more'));
await assert.rejects(peel.search('cat', { signal: gone }), /not wanted/);
await assert.rejects(new Peel('http://127.0.0.1:9', { retries: 0 }).search('cat'), error => error.status === 0 && error.temporary);

const staff = new Peel(server, { token });
const dot = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><circle cx="4" cy="4" r="4"/></svg>';
assert.equal((await staff.upload('js dot.svg', new TextEncoder().encode(dot), { title: 'Dot', keywords: { en: ['point'] } })).title, 'Dot');
assert.deepEqual((await staff.sticker('js dot.svg')).keywords, ['point']);
await staff.upload('js dot 2.svg', new TextEncoder().encode(dot), { pack: 'js dots/more', author: 'Ann' });
const page = await peel.pack('js dots/more', { limit: 1 });
assert.deepEqual([page.results[0].url.startsWith(server), page.pack.authors, page.next], [true, ['Ann'], undefined]);
await staff.remove('js dot 2.svg');
await staff.remove('js dot.svg');
await assert.rejects(staff.sticker('js dot.svg'), error => error.status === 404);
await assert.rejects(peel.remove('cat.png'), error => error.status === 401);

// Busy once: asked again after the pause that it wants, with the same key. Busy for an hour: the app decides.
const waits = new Peel(busy);
const began = performance.now();
assert.deepEqual(await waits.feedback({ query: 'cat', positive: ['cat.png'] }), []);
assert.ok(performance.now() - began >= 1000);
await assert.rejects(waits.search('hour'), error => error.status === 503 && error.retryAfterMs === 3600000);
console.log('done');
