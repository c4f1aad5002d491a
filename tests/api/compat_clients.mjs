// The unmodified clients of GIPHY and Tenor against a running Peel: node compat_clients.mjs http://127.0.0.1:8000
// Prints what each call gave, as one JSON object.
import { createRequire } from 'node:module';
import http from 'node:http';

const [origin] = process.argv.slice(2);
globalThis.GIPHY_API_URL = `${origin}/giphy/v1/`;
globalThis.GIPHY_PINGBACK_URL = `${origin}/giphy`;
const require = createRequire(new URL('../package.json', import.meta.url));
const load = async (name) => import(require.resolve(name));
const out = {};
const seen = async (name, call) => {
  try {
    const got = await call();
    out[name] = { ids: [got?.data ?? got?.results ?? got].flat().filter((x) => x?.id).map((x) => x.id), got };
  } catch (error) {
    out[name] = { error: error.message, status: error.status };
  }
};

// --- @giphy/js-fetch-api ---
const { GiphyFetch, gifPaginator } = await load('@giphy/js-fetch-api');
const gf = new GiphyFetch('any key');
await seen('fetch.search', () => gf.search('cat', { limit: 1 }));
await seen('fetch.stickers', () => gf.search('cat', { type: 'stickers', lang: 'es' }));
await seen('fetch.channel', () => gf.search('cat', { channel: 'pets' }));
await seen('fetch.trending', () => gf.trending({ limit: 2, rating: 'g' }));
await seen('fetch.random', () => gf.random({ tag: 'dog', rating: 'r' }));
await seen('fetch.random.any', () => gf.random());
await seen('fetch.gif', () => gf.gif('cat.png'));
await seen('fetch.gifs', () => gf.gifs(['dog.png', 'none.png', 'a%20%26%20b%2C%20c.png', 'cat.png']));
await seen('fetch.related', () => gf.related('cat.png', { limit: 3 }));
await seen('fetch.categories', () => gf.categories());
await seen('fetch.subcategories', () => gf.subcategories('animals'));
await seen('fetch.category', () => gf.gifs('animals', 'cat'));
await seen('fetch.emoji', () => gf.emoji({ limit: 2 }));
await seen('fetch.emojiDefaultVariations', () => gf.emojiDefaultVariations({ limit: 2 }));
await seen('fetch.emojiVariations', () => gf.emojiVariations('cat.png'));
await seen('fetch.animate', () => gf.animate('hello'));
await seen('fetch.channels', () => gf.channels('pe'));
await seen('fetch.long', () => gf.search('x'.repeat(51)));
await seen('fetch.none', () => gf.gif('none.png'));
await seen('fetch.paginator', async () => {
  const next = gifPaginator((offset) => gf.search('cat dog cake', { offset, limit: 2, rating: 'r' }));
  await next();
  await next();
  return await next();
});

// --- @giphy/js-analytics ---
const { pingback } = await load('@giphy/js-analytics');
const cat = (await gf.search('kitten')).data[0];
for (const actionType of ['SEEN', 'CLICK', 'SENT', 'HOVER'])
  pingback({ actionType, eventType: 'GIF_SEARCH', userId: 'user 1', attributes: [], analyticsResponsePayload: cat.analytics_response_payload });
await new Promise((resolve) => setTimeout(resolve, 1300)); // it waits a second for more
await fetch(`${cat.analytics.onclick.url}&customer_id=user+2&ts=${Date.now()}`);

// --- tenor-gif-api ---
const { default: TenorClient } = require('tenor-gif-api');
const tenor = new TenorClient('any key', 'a client');
tenor.search.fetchWrapper.baseUrl = `${origin}/tenor/v2`;
const calls = {
  search: () => tenor.search.query({ q: 'cat', limit: 1 }),
  featured: () => tenor.featured.getFeatured({ limit: 2 }),
  categories: () => tenor.categories.getCategories({}),
  suggestions: () => tenor.suggestions.getSuggestions({ q: 'cat' }),
  autocomplete: () => tenor.autocomplete.getAutocomplete({ q: 'kit' }),
  trending: () => tenor.trending.getTrendingTerms({}),
  share: () => tenor.registerShare.registerShare({ id: 'dog.png', q: 'puppy' }),
  posts: () => tenor.posts.getPosts({ ids: 'cat.png,dog.png' }),
  wrong: () => tenor.search.query({ q: '' }),
};
for (const [name, call] of Object.entries(calls)) await seen(`tenor.${name}`, call);

// --- giphy-api, whose host is a constant: its requests are sent here ---
const get = http.get;
http.get = (options, ...more) => get({ ...options, host: new URL(origin).hostname, port: new URL(origin).port, path: `/giphy${options.path}` }, ...more);
const giphy = require('giphy-api')('any key');
await seen('api.search', () => giphy.search({ q: 'cat', limit: 1 }));
await seen('api.stickers', () => giphy.search({ api: 'stickers', q: 'dog', limit: 1 }));
await seen('api.id', () => giphy.id('cat.png'));
await seen('api.ids', () => giphy.id(['cat.png', 'dog.png']));
await seen('api.translate', () => giphy.translate('kitten'));
await seen('api.random', () => giphy.random('puppy'));
await seen('api.trending', () => giphy.trending({ limit: 2 }));
await seen('api.nothing', () => giphy.translate('zzzz qqqq'));

process.stdout.write(JSON.stringify(out), () => process.exit(0));
