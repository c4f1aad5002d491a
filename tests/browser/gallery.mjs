// The gallery in a real browser. Started by test_gallery.py with BASE, TOKEN and SEARCH_PID in the
// environment; ONLY=pattern runs the tests whose name matches it.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { assertAccessible, assertAccessibleInAllLooks, looks, runAll, until } from './lib.mjs';

const base = process.env.BASE, token = process.env.TOKEN, searchPid = Number(process.env.SEARCH_PID || 0);
const attack = '"><img src=x onerror=alert(1)>'; // in titles, words and a filename of the fixtures

let serial = 0;
const phrase = () => `cat ${process.pid} ${++serial}`; // a query that nobody has asked yet; finds the cats

async function analytics(query) {
  const answer = await fetch(`${base}/api/analytics/?query=${encodeURIComponent(query)}`, { headers: { Authorization: 'Token ' + token } });
  return answer.status === 200 ? answer.json() : answer.status;
}
async function scores(query) {
  const known = await analytics(query);
  assert.equal(typeof known, 'object', `"${query}" is unknown (${known})`);
  return known['feedback scores'].map(s => [s.positives, s.negatives]).sort();
}
const list = page => page.locator('#q').evaluate(e => e.value + ' ' + e.getAttribute('aria-expanded'));
const find = async (page, q) => page.goto('/?q=' + encodeURIComponent(q));
const cards = page => page.locator('#results .card');
const up = (page, n) => page.locator('.card [data-vote=positive]').nth(n);
const down = (page, n) => page.locator('.card [data-vote=negative]').nth(n);
const sent = page => page.waitForResponse(r => r.url().endsWith('/api/feedback/') && r.request().method() === 'POST', { timeout: 20000 });
// Votes wait for some seconds, in case of second thoughts. With a clock of its own a page need not.
const soon = page => page.clock.fastForward(6000);

// Whether the page has the colours of its look.
const coloured = page => async look => {
  const dark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).every(c => c < 64));
  return dark === (look === 'dark') ? [] : ['it has the colours of another look'];
};

const tests = [
  ['the start page offers searches, and one click shows what it finds', async page => {
    await page.goto('/');
    assert.equal(await page.title(), 'Peel: a sticker for what you mean');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'q');
    const first = page.locator('.example .card-link, .card-link').first();
    await first.click();
    await page.waitForSelector('#results[data-query]:not([data-query=""]), #sticker');
  }],

  ['what is seen, opened and copied is told with the receipt of the search', async page => {
    const requests = [];
    page.on('request', r => { if (r.url().endsWith('/api/events/')) requests.push(...r.postDataJSON().events); });
    const counts = async () => Object.fromEntries([...(await (await fetch(base + '/metrics')).text())
      .matchAll(/^peel_sticker_events_(?:total{action="(\w+)"}|(failed)_total) (\d+)$/gm)].map(m => [m[1] || m[2], Number(m[3])]));
    const before = await counts(), more = async action => (await counts())[action] - before[action];
    await find(page, phrase());
    const receipt = await page.locator('#results .grid').getAttribute('data-receipt');
    await until('the cards in view were told', async () => await more('impression') > 0);
    await cards(page).first().locator('.card-link').click();
    await page.waitForSelector('#sticker');
    await page.locator('#favourite').click();
    await page.reload(); // what waits is sent when the page goes
    await until('the click and the favourite were told', async () => await more('click') === 1 && await more('favourite') === 1);
    assert.equal(await more('failed'), 0);
    assert.deepEqual([...new Set(requests.map(e => e.query_id))], [receipt]);
    assert.equal(new Set(requests.map(e => e.client_id)).size, 1);
  }],

  ['search while typing: results, address, title and Back', async page => {
    // Its clock stands still but for what is typed: who types on after a second begins another search, with its own Back.
    const then = Date.UTC(2026, 0, 1);
    await page.clock.install({ time: then });
    await page.goto('/');
    await page.clock.pauseAt(then + 3600000);
    await page.locator('#q').pressSequentially('cat');
    await page.clock.runFor(200);
    await page.waitForSelector('#results[data-query="cat"] .card');
    assert.equal(new URL(page.url()).search, '?q=cat');
    assert.equal(await page.title(), 'cat · Peel');
    await page.locator('#q').pressSequentially(' 7');
    await page.clock.runFor(200);
    await page.waitForSelector('#results[data-query="cat 7"]');
    await page.goBack();
    await page.waitForSelector('#results[data-query=""]');
    assert.equal(await page.locator('#q').inputValue(), '');
    await page.goForward();
    await page.waitForSelector('#results[data-query="cat 7"] .card');
    await page.reload();
    assert.equal(await page.locator('#q').inputValue(), 'cat 7');
    assert.ok(await cards(page).count() > 0);
  }],

  ['letters typed on the way are no searches; the phrase somebody stays with is one', async page => {
    const q = phrase();
    await page.goto('/');
    await page.locator('#q').pressSequentially(q, { delay: 200 });
    await page.waitForSelector(`#results[data-query="${q}"]`);
    await until('the search is counted', async () => (await analytics(q)) !== 404);
    await page.locator('#q').press('Enter');
    await page.waitForTimeout(300);
    assert.equal((await analytics(q)).query.usage, 1);
    assert.equal(await analytics(q.slice(0, -2)), 404);
  }],

  ['a vote arrives in the analytics', async page => {
    const q = phrase();
    await page.clock.install();
    await find(page, q);
    const answer = sent(page);
    await up(page, 0).click();
    assert.equal(await up(page, 0).getAttribute('aria-pressed'), 'true');
    assert.match(await page.locator('#toast').innerText(), /good match/);
    await soon(page);
    assert.equal((await answer).status(), 200);
    assert.deepEqual(await scores(q), [[1, 0]]);
    await page.reload();
    assert.equal(await up(page, 0).getAttribute('aria-pressed'), 'true');
  }],

  ['suggestions while typing, by keys, by mouse and for screen readers', async page => {
    await page.goto('/');
    const box = page.locator('#q'), options = page.locator('#suggestions li');
    const state = () => box.evaluate(e => [e.getAttribute('role'), e.getAttribute('aria-expanded'), e.getAttribute('aria-controls')]);
    assert.deepEqual(await state(), ['combobox', 'false', 'suggestions']);
    await box.pressSequentially('kit');
    await options.first().waitFor();
    assert.deepEqual(await options.allInnerTexts(), ['kitten']);
    assert.deepEqual(await state(), ['combobox', 'true', 'suggestions']);
    await assertAccessible(page);
    await page.keyboard.press('ArrowDown');
    assert.equal(await box.getAttribute('aria-activedescendant'), 'suggestions-0');
    assert.equal(await options.first().getAttribute('aria-selected'), 'true');
    await page.keyboard.press('ArrowDown'); // beyond the last one is the box again
    assert.equal(await box.getAttribute('aria-activedescendant'), null);
    await page.keyboard.press('ArrowUp');
    await assertAccessible(page);
    await page.keyboard.press('Enter');
    await page.waitForSelector('#results[data-query="kitten"] .card');
    assert.equal(await box.inputValue(), 'kitten');
    assert.deepEqual(await state(), ['combobox', 'false', 'suggestions']);
    await box.fill('kitt');
    await options.first().waitFor();
    await page.keyboard.press('Escape'); // closes the list and keeps the text
    assert.equal(await list(page), 'kitt false');
    await box.fill('kitte');
    await options.first().click();
    await page.waitForSelector('#results[data-query="kitten"]');
    assert.equal(await list(page), 'kitten false');
    await box.fill('anim');
    await options.first().waitFor();
    await page.keyboard.press('Tab');
    assert.equal(await list(page), 'anim false');
  }],

  ['/ goes to the search box from anywhere, and is a character in it', async page => {
    await find(page, 'cat');
    await page.keyboard.press('/');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'q');
    await page.keyboard.press('End');
    await page.keyboard.press('/');
    assert.equal(await page.locator('#q').inputValue(), 'cat/');
    await page.goto('/sticker/cat-01.png');
    await page.locator('.actions button:visible').first().focus();
    await page.keyboard.press('/');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'q');
  }],

  ['one stop of the Tab key for each card, with a ring around all of it', async page => {
    await find(page, 'cat');
    await page.locator('#q').press('ArrowDown');
    for (let i = 0; i < 5; i++) {
      const [at, ring] = await page.evaluate(() => {
        const card = document.activeElement.closest('.card');
        return [[...document.querySelectorAll('.card')].indexOf(card), getComputedStyle(card).outlineStyle + getComputedStyle(card).outlineWidth];
      });
      assert.equal(at, i);
      assert.equal(ring, 'solid3px');
      await page.keyboard.press('Tab');
    }
  }],

  ['Back, Forward and reload come to the same stickers at the same place', async page => {
    await find(page, 'cat');
    await until('all cards', async () => {
      await page.mouse.wheel(0, 2500);
      return await cards(page).count() === 62;
    });
    await cards(page).nth(30).scrollIntoViewIfNeeded();
    await page.waitForTimeout(500);
    // How many cards there are, and where this one is, or the first that can be seen below the bar.
    const place = name => page.evaluate(name => {
      const top = document.querySelector('.top').getBoundingClientRect().bottom, all = [...document.querySelectorAll('.card')];
      const card = all.find(c => name ? c.dataset.filename === name : c.getBoundingClientRect().bottom > top);
      return [all.length, card && card.dataset.filename, card && card.getBoundingClientRect().top];
    }, name);
    const before = await place(), first = await cards(page).first().getAttribute('data-filename');
    assert.notEqual(before[1], first);
    let now;
    const same = async what => {
      await page.waitForTimeout(1000); // as long as the page may still be looking for its place
      await until(what + ': ' + before, async () => {
        now = await place(before[1]);
        return now[0] === before[0] && now[1] === before[1] && Math.abs(now[2] - before[2]) < 4;
      }).catch(error => { throw new Error(error.message + ', but ' + now); });
    };
    await page.reload();
    await same('the place after a reload');
    await page.locator('.card-link').nth(30).evaluate(link => link.focus({ preventScroll: true }));
    await page.keyboard.press('Enter');
    await page.waitForSelector('#sticker');
    await page.goBack();
    await page.waitForSelector('#results[data-query="cat"]');
    await same('the place after Back from a sticker');
    await page.locator('#q').evaluate(box => { box.focus({ preventScroll: true }); box.select(); });
    await page.keyboard.insertText('cat 3');
    await page.waitForSelector('#results[data-query="cat 3"]');
    assert.equal(await page.evaluate(() => scrollY), 0);
    await page.goBack();
    await page.waitForSelector('#results[data-query="cat"]');
    await same('the place after Back from another search');
  }],

  ['filters: chosen at once, kept while typing, in the address, and taken away', async page => {
    await find(page, 'cat');
    await page.locator('[name=pack]').selectOption('north');
    await until('one card', async () => await cards(page).count() === 1);
    assert.equal(new URL(page.url()).search, '?q=cat&pack=north');
    assert.equal(await page.evaluate(() => document.activeElement.name), 'pack');
    await page.locator('#q').fill('cat animal');
    await page.waitForSelector('#results[data-query="cat animal"]');
    assert.equal(new URL(page.url()).search, '?q=cat+animal&pack=north');
    await page.locator('#q').fill('hostile');
    await page.getByText('No stickers match these filters').waitFor();
    await assertAccessibleInAllLooks(page);
    await page.getByRole('link', { name: 'Remove filters' }).click();
    await until('cards', async () => await cards(page).count() > 0);
    await find(page, 'cat');
    await page.locator('[name=rating]').selectOption('g');
    await until('what is for all', async () => !(await page.content()).includes('north.png'));
    await page.goBack();
    await until('all again', async () => (await page.locator('[name=rating]').inputValue()) === '');
  }],

  ['favourites and what was viewed last', async page => {
    await page.goto('/sticker/cat-01.png?q=cat');
    const heart = page.getByRole('button', { name: 'Favourite' });
    assert.equal(await heart.getAttribute('aria-pressed'), 'false');
    await heart.click();
    assert.equal(await heart.getAttribute('aria-pressed'), 'true');
    assert.match(await page.locator('#toast').innerText(), /Added to favourites/);
    await find(page, 'cat');
    await page.locator('.card-link').nth(4).focus();
    await page.keyboard.press('f');
    await page.goto('/');
    const names = id => page.locator(`.shelf:has(#${id}) .card`).evaluateAll(list => list.map(c => c.dataset.filename));
    assert.equal((await names('peel-favourites')).length, 2);
    assert.equal((await names('peel-favourites'))[1], 'cat-01.png');
    assert.deepEqual(await names('peel-recent'), ['cat-01.png']);
    await assertAccessibleInAllLooks(page, coloured(page));
    await page.locator('.shelf:has(#peel-favourites) .card-link').last().click();
    await page.waitForSelector('#sticker');
    await page.keyboard.press('f');
    assert.equal(await heart.getAttribute('aria-pressed'), 'false');
    await page.locator('#toast button').click(); // Undo
    assert.equal(await heart.getAttribute('aria-pressed'), 'true');
    await page.goto('/');
    await page.getByRole('button', { name: 'Clear: Recently viewed' }).press('Enter'); // a click can miss it, as cards above grow when in view
    await until('an empty shelf goes', async () => (await names('peel-recent')).length === 0);
    await page.evaluate(bad => localStorage.setItem('peel.recent', bad),
      JSON.stringify([{ f: 'x', t: '<img src=x onerror=alert(1)>', u: 'https://evil.example/x.png' }, { f: '"><b>', t: '<b>', u: '/media/cat-01.png' }, 7, null]));
    await page.goto('/');
    assert.equal((await names('peel-recent')).length, 1);
    assert.equal(await page.locator('.shelf b').count(), 0);
  }],

  ['share, and save as PNG', async (page, context) => {
    await page.addInitScript(() => {
      globalThis.shared = [];
      navigator.share = data => { globalThis.shared.push([data.title, data.url, (data.files || []).map(f => f.type + f.name)]); return Promise.resolve(); };
      navigator.canShare = () => true;
    });
    await page.goto('/sticker/cat-01.png?q=cat');
    await page.getByRole('button', { name: 'Share' }).click();
    await until('it is shared', () => page.evaluate(() => globalThis.shared.length === 1));
    assert.deepEqual(await page.evaluate(() => globalThis.shared[0]), ['Cat number 1', base + '/sticker/cat-01.png', ['image/pngcat-01.png']]);
    assert.equal(await page.locator('meta[property="og:title"]').getAttribute('content'), 'Cat number 1');
    const link = page.getByRole('link', { name: 'WebP' });
    assert.equal(await link.getAttribute('download'), 'cat-01.webp');
    const oembed = await (await fetch(await page.locator('link[type="application/json+oembed"]').getAttribute('href'))).json();
    assert.equal(oembed.title, 'Cat number 1');
  }],

  ['places for cards while a search takes long', async page => {
    await page.route('**/?*part=results*', async route => { await new Promise(done => setTimeout(done, 1200)); await route.continue(); });
    await page.goto('/');
    await page.locator('#q').fill('cat');
    await page.locator('.skeleton').first().waitFor();
    assert.equal(await page.locator('#results').getAttribute('aria-busy'), 'true');
    await assertAccessible(page);
    await page.waitForSelector('#results[data-query="cat"] .card:not(.skeleton)');
    assert.equal(await page.locator('.skeleton').count(), 0);
  }],

  ['errors are pages', async page => {
    for (const path of ['/nowhere?q=cake', '/sticker/none.png', '/?q=' + 'x'.repeat(256), '/?q=cat&page=999']) {
      await page.goto(path);
      assert.ok(await page.locator('h1').innerText());
      await assertAccessibleInAllLooks(page, coloured(page));
    }
    await page.goto('/nowhere?q=cake');
    assert.equal(await page.locator('#q').inputValue(), 'cake');
    await page.getByRole('link', { name: 'Go to the start page' }).click();
    assert.equal(new URL(page.url()).pathname, '/');
    await page.goto('/?q=cat&page=999');
    assert.match(await page.locator('h1').innerText(), /^No more stickers for “cat”\.$/);
    await page.getByRole('link', { name: 'Previous stickers' }).click();
    assert.ok(await cards(page).count() > 0);
  }, { expectErrors: true }],

  ['nine languages: the switch, and none is too wide for a phone', async page => {
    await page.goto('/?q=cat');
    await page.locator('.languages summary').click();
    const tags = await page.locator('.languages a').evaluateAll(list => list.map(a => a.lang));
    assert.deepEqual([...tags].sort(), ['ar', 'de', 'en', 'es', 'fr', 'ja', 'ko', 'pt', 'zh']);
    await page.locator('#q').fill('kitten');
    await page.waitForSelector('#results[data-query="kitten"]');
    await page.locator('.languages a[lang=de]').click(); // of what is shown now
    await page.waitForSelector('html[lang=de] #results[data-query="kitten"]');
    await page.goto('/'); // it is remembered
    assert.equal(await page.locator('html').getAttribute('lang'), 'de');
    for (const tag of tags) {
      await page.setViewportSize({ width: 320, height: 700 });
      for (const path of [`/?lang=${tag}`, `/?q=cat&lang=${tag}`, `/sticker/cat-01.png?q=cat&lang=${tag}`, `/?q=qqqxyzzy&lang=${tag}`]) {
        await page.goto(path);
        assert.equal(await page.locator('html').getAttribute('lang'), tag);
        assert.equal(await page.locator('html').getAttribute('dir'), tag === 'ar' ? 'rtl' : 'ltr');
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${path} is ${wide} px too wide`);
        for (const text of await page.locator('header, footer, .hello, .summary, .message').allInnerTexts()) assert.doesNotMatch(text, /[{}]/);
      }
    }
    for (const path of ['/?lang=ar', '/?q=cat&lang=ar', '/sticker/cat-01.png?q=cat&lang=ar']) {
      await page.goto(path);
      await assertAccessibleInAllLooks(page, coloured(page));
    }
    await page.goto('/?q=cat&lang=ar'); // arrows go where they point
    await page.locator('#q').press('ArrowDown');
    await page.keyboard.press('ArrowLeft');
    assert.equal(await page.evaluate(() => [...document.querySelectorAll('.card')].indexOf(document.activeElement.closest('.card'))), 1);
  }],

  ['forced colours: states are seen without colour', async page => {
    await find(page, 'cat');
    await up(page, 0).click();
    assert.equal(await up(page, 0).evaluate(e => getComputedStyle(e).outlineStyle), 'solid');
    await page.locator('#q').press('ArrowDown');
    assert.equal(await cards(page).first().evaluate(e => getComputedStyle(e).outlineStyle), 'solid');
    await assertAccessible(page);
  }, { forcedColors: 'active' }],

  ['fingers have 44 pixels', async page => {
    for (const path of ['/', '/?q=cat', '/sticker/cat-01.png?q=cat', '/nowhere']) {
      await page.goto(path);
      await page.locator('.languages summary').click();
      const small = await page.evaluate(() => [...document.querySelectorAll('a, button, summary, select, input:not([type=hidden])')].filter(e => {
        const r = e.getBoundingClientRect(), inline = e.matches('.credits a, .skip');
        return r.width && !inline && getComputedStyle(e).visibility === 'visible' && (r.width < 43.5 || r.height < 43.5);
      }).map(e => e.outerHTML.slice(0, 80)));
      assert.deepEqual(small, [], path);
    }
  }, { ...looks.phone, expectErrors: true }],

  ['several votes go in one request, after Undo without the one taken back', async page => {
    const q = phrase();
    await page.clock.install();
    await find(page, q);
    const requests = [];
    page.on('request', r => { if (r.url().endsWith('/api/feedback/')) requests.push(r.postDataJSON()); });
    const answer = sent(page);
    await up(page, 0).click();
    await down(page, 1).click();
    await up(page, 2).click();
    await page.locator('#toast button').click();
    assert.equal(await up(page, 2).getAttribute('aria-pressed'), 'false');
    await down(page, 0).click(); // a change of mind
    await page.mouse.move(600, 300);
    await soon(page);
    await answer;
    assert.equal(requests.length, 1);
    assert.equal(requests[0].feedback.length, 1);
    assert.equal(requests[0].feedback[0].negative.length, 2);
    assert.deepEqual(await scores(q), [[0, 1], [0, 1]]);
    assert.ok(!('voter' in requests[0]));
    assert.match(requests[0].feedback[0].voter, /^[0-9a-f]{32}$/);
  }],

  ['a vote that was sent is shown, can be changed and taken back, also after a reload', async page => {
    const q = phrase();
    await page.clock.install();
    await find(page, q);
    const steps = [[up, [[1, 0]]], [down, [[0, 1]]], [down, [[0, 0]]], [up, [[1, 0]]]];
    for (const [button, expected] of steps) {
      const answer = sent(page);
      const before = await button(page, 0).getAttribute('aria-pressed');
      await button(page, 0).click();
      assert.equal(await button(page, 0).getAttribute('aria-pressed'), String(before !== 'true'));
      await page.mouse.move(600, 300);
      await soon(page);
      assert.equal((await answer).status(), 200);
      assert.deepEqual(await scores(q), expected);
      await page.reload();
      assert.equal(await button(page, 0).getAttribute('aria-pressed'), String(before !== 'true'));
    }
    await cards(page).first().locator('.card-link').click(); // and on the sticker's own page
    await page.waitForSelector('#sticker');
    assert.equal(await page.getByRole('button', { name: 'Yes' }).getAttribute('aria-pressed'), 'true');
    assert.equal(await page.getByRole('button', { name: 'No', exact: true }).getAttribute('aria-pressed'), 'false');
  }],

  ['leaving the page sends the votes', async page => {
    const q = phrase();
    await find(page, q);
    await up(page, 0).click();
    await page.goto('/api/docs');
    await until('the vote is counted', async () => (await scores(q)).length === 1);
  }],

  ['closing the tab sends the votes, of several searches in one request', async (page, context) => {
    const one = phrase(), two = phrase(), bodies = [];
    context.on('request', r => { if (r.url().endsWith('/api/feedback/')) bodies.push(r.postDataJSON()); });
    await find(page, one);
    await up(page, 0).click();
    await page.locator('#q').fill(two);
    await page.waitForSelector(`#results[data-query="${two}"]`);
    await down(page, 1).click();
    assert.match(await page.locator('#toast').innerText(), /bad match/);
    await page.waitForTimeout(300);
    await page.close({ runBeforeUnload: true });
    await until('both votes are counted', async () => (await scores(one)).length === 1 && (await scores(two)).length === 1);
    assert.deepEqual([await scores(one), await scores(two)], [[[1, 0]], [[0, 1]]]);
    assert.ok(bodies.length <= 1, JSON.stringify(bodies));
  }],

  ['everything by keyboard', async page => {
    const q = phrase();
    await page.clock.install();
    await page.goto('/');
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Shift+Tab');
    assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
    await page.locator('#q').focus();
    await page.keyboard.type(q);
    await page.keyboard.press('Enter');
    await page.waitForSelector(`#results[data-query="${q}"] .card`);
    const at = () => page.evaluate(() => [...document.querySelectorAll('.card')].indexOf(document.activeElement.closest('.card')));
    await page.keyboard.press('ArrowDown');
    assert.equal(await at(), 0);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    assert.equal(await at(), 2);
    await page.keyboard.press('ArrowLeft');
    assert.equal(await at(), 1);
    await page.keyboard.press('ArrowDown');
    const columns = await page.evaluate(() => getComputedStyle(document.querySelector('.grid')).gridTemplateColumns.split(' ').length);
    assert.equal(await at(), 1 + columns);
    await page.keyboard.press('ArrowUp');
    const answer = sent(page);
    await page.keyboard.press('+');
    assert.equal(await up(page, 1).getAttribute('aria-pressed'), 'true');
    await page.keyboard.press('-');
    assert.equal(await down(page, 1).getAttribute('aria-pressed'), 'true');
    await page.keyboard.press('-');
    assert.equal(await down(page, 1).getAttribute('aria-pressed'), 'false');
    await page.keyboard.press('-');
    await soon(page);
    await answer;
    assert.deepEqual(await scores(q), [[0, 1]]);
    await page.keyboard.press('Escape');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'q');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#sticker');
    await page.goBack();
    await page.waitForSelector(`#results[data-query="${q}"]`);
  }],

  ['the focus is always visible', async page => {
    await find(page, 'cat');
    for (let i = 0; i < 12; i++) {
      await page.keyboard.press('Tab');
      const [style, hidden] = await page.evaluate(() => {
        const e = document.activeElement, r = e.getBoundingClientRect(), header = document.querySelector('.top').getBoundingClientRect();
        return [getComputedStyle(e.closest('.card') || e).outlineStyle, r.bottom < header.bottom && !e.closest('.top') && !e.matches('.skip')];
      });
      assert.notEqual(style, 'none');
      assert.equal(hidden, false);
    }
  }],

  ['without scripts: search, pages, one sticker, votes', async page => {
    const q = phrase();
    await page.goto('/');
    await page.locator('#q').fill(q);
    await page.locator('#q').press('Enter');
    await until('24 results', async () => await cards(page).count() === 24);
    await down(page, 3).click();
    assert.match(await page.locator('.noted').innerText(), /bad match/);
    assert.equal(await down(page, 3).getAttribute('aria-pressed'), 'true');
    assert.equal((await analytics(q)).query.usage, 1);
    await page.getByRole('link', { name: 'More stickers' }).click();
    assert.match(page.url(), /page=2/);
    assert.ok(await cards(page).count() > 0);
    await page.getByRole('link', { name: 'Previous stickers' }).click();
    await page.locator('.card-link').first().click();
    await page.getByRole('button', { name: 'Yes' }).click();
    assert.match(await page.locator('.noted').innerText(), /good match/);
    assert.equal(await page.getByRole('button', { name: 'Yes' }).getAttribute('aria-pressed'), 'true');
    assert.deepEqual(await scores(q), [[0, 1], [1, 0]]);
    await page.getByRole('button', { name: 'No', exact: true }).click(); // another opinion
    assert.equal(await page.getByRole('button', { name: 'No', exact: true }).getAttribute('aria-pressed'), 'true');
    await page.getByRole('button', { name: 'No', exact: true }).click(); // none any more
    assert.match(await page.locator('.noted').innerText(), /removed/);
    assert.deepEqual(await scores(q), [[0, 0], [0, 1]]);
    await find(page, 'cat');
    await page.locator('[name=pack]').selectOption('north');
    await page.getByRole('button', { name: 'Apply' }).click();
    await until('1 result', async () => await cards(page).count() === 1);
  }, { javaScriptEnabled: false }],

  ['more results come in place, and the order is the pages\'', async page => {
    await find(page, 'cat');
    await until('more than one page of cards', async () => {
      await page.mouse.wheel(0, 2000);
      return await cards(page).count() > 24;
    });
    const names = await page.$$eval('.card', list => list.map(c => c.dataset.filename));
    assert.equal(new Set(names).size, names.length);
    assert.equal(new URL(page.url()).search, '?q=cat');
  }],

  ['one sticker: picture, words, credits, copy, download, more like this', async (page, context) => {
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await find(page, 'cat');
    await page.locator('.card-link').first().click();
    await page.waitForSelector('#sticker');
    assert.ok(await page.evaluate(() => document.querySelector('#sticker').decode().then(() => true)));
    const name = (await page.locator('h1').innerText()).toLowerCase();
    assert.match((await page.title()).toLowerCase(), new RegExp('^' + name));
    assert.ok(await page.locator('.chips a').count() > 0);
    assert.ok(await page.locator('.similar .card').count() > 0);
    assert.match(await page.locator('.credits').innerText(), /File/);
    await page.getByRole('button', { name: 'Copy link' }).click();
    await until('the link is copied', () => page.evaluate(() => navigator.clipboard.readText().then(t => t === location.origin + location.pathname)));
    await page.getByRole('button', { name: 'Copy image' }).click();
    await until('the image is copied', () => page.evaluate(() => navigator.clipboard.read().then(i => i[0].types.includes('image/png'))));
    const download = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Download PNG' }).click();
    assert.equal((await download).suggestedFilename(), await page.evaluate(() => decodeURIComponent(location.pathname.split('/').pop())));
    await page.locator('.back').click();
    await page.waitForSelector('#results[data-query="cat"]');
  }],

  ['messages: nothing found, too long, no such sticker', async page => {
    await find(page, 'qqqxyzzy');
    assert.match(await page.locator('h1').innerText(), /No stickers found for/);
    assert.equal((await find(page, 'x'.repeat(256))).status(), 400);
    assert.match(await page.locator('main').innerText(), /too long/);
    assert.equal((await page.locator('#q').inputValue()).length, 256);
    assert.equal((await page.goto('/sticker/none.png')).status(), 404);
    assert.match(await page.locator('main').innerText(), /does not exist/);
    assert.equal((await page.goto('/?q=cat&page=100000')).status(), 400);
  }, { expectErrors: true }],

  ['a search that cannot be reached says so, and trying again helps', async page => {
    await page.goto('/');
    await page.route('**/?*part=results*', route => route.abort());
    await page.locator('#q').fill('cat');
    await page.getByRole('button', { name: 'Try again' }).waitFor();
    await page.keyboard.press('Escape'); // the suggestions
    await page.unroute('**/?*part=results*');
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.waitForSelector('#results[data-query="cat"] .card');
  }, { expectErrors: true }],

  ['votes that cannot be saved are taken back with a word', async page => {
    await page.clock.install();
    await find(page, phrase());
    await page.route('**/api/feedback/', route => route.fulfill({ status: 503, body: '{}' }));
    await up(page, 0).click();
    await soon(page);
    await page.getByText('could not be saved').waitFor({ timeout: 20000 });
    assert.equal(await up(page, 0).getAttribute('aria-pressed'), 'false');
  }, { expectErrors: true }],

  ['markup in titles, words, filenames and queries stays text', async page => {
    await find(page, 'hostile');
    const hostile = page.locator('.card').filter({ hasText: '<img src=x' });
    assert.ok(await hostile.count() > 0);
    assert.equal(await page.locator('img[onerror], main script, b.hostile').count(), 0);
    await hostile.first().locator('.card-link').click();
    await page.waitForSelector('#sticker');
    assert.match(await page.locator('h1').innerText(), /<img src=x/i);
    assert.ok((await page.locator('.facts .chips').innerText()).includes('<'));
    for (const card of (await (await fetch(base + '/api/search/?query=hostile')).json()).stickers)
      for (const path of [`/sticker/${encodeURIComponent(card)}`, `/sticker/${encodeURIComponent(card)}?q=${encodeURIComponent(attack)}&as=${encodeURIComponent(attack)}`,
        `/?q=hostile&voted=${encodeURIComponent(card)}&as=${encodeURIComponent(attack)}`, `/?q=${encodeURIComponent(card)}`]) {
        await page.goto(path);
        assert.equal(await page.locator('img[onerror], main script, b.hostile').count(), 0, path);
      }
    await find(page, attack);
    assert.equal(await page.locator('#q').inputValue(), attack);
    assert.ok((await page.locator('h1').innerText()).includes(attack));
    await page.goto('/');
    await page.locator('#q').fill('<script>alert(2)</script> hostile');
    await page.waitForSelector('#results[data-query^="<script>"]');
    assert.equal(await page.locator('main script, img[onerror]').count(), 0);
    await page.waitForTimeout(200);
  }],

  ['security headers are strict', async page => {
    const headers = (await page.goto('/')).headers();
    assert.match(headers['content-security-policy'], /default-src 'none'/);
    assert.doesNotMatch(headers['content-security-policy'], /unsafe/);
    assert.equal(headers['x-content-type-options'], 'nosniff');
    const refused = await fetch(base + '/vote', { method: 'POST', redirect: 'manual', body: 'q=cat&positive=a.png',
      headers: { 'Content-Type': 'application/x-www-form-urlencoded', 'Sec-Fetch-Site': 'cross-site' } });
    assert.equal(refused.status, 403);
  }],

  ['pages weigh little, and static files are kept', async (first, context) => {
    const sticker = await first.goto('/?q=cat').then(() => first.locator('.card-link').first().getAttribute('href'));
    for (const path of ['/', '/?q=cat', sticker, '/?q=qqqxyzzy']) {
      const fresh = await context.browser().newContext({ baseURL: base });
      const page = await fresh.newPage(), weights = {};
      page.on('requestfinished', async request => {
        const url = new URL(request.url());
        if (url.pathname.startsWith('/media/')) return;
        const { responseBodySize, responseHeadersSize } = await request.sizes();
        weights[url.pathname] = responseBodySize + responseHeadersSize;
        const answer = await request.response();
        if (url.pathname.startsWith('/static/')) assert.equal(answer.headers()['cache-control'], 'public, max-age=31536000, immutable');
      });
      await page.goto(path, { waitUntil: 'networkidle' });
      await until('all was weighed', () => ['.css', '.js', '.svg'].every(end => Object.keys(weights).some(p => p.endsWith(end))));
      const total = Object.values(weights).reduce((a, b) => a + b, 0);
      assert.ok(total < 60000, `${path}: ${total} bytes: ${JSON.stringify(weights)}`);
      console.log(`     ${total} bytes: ${path}`);
      await fresh.close();
    }
  }],

  ['nothing is wider than a small phone, and buttons are large enough', async page => {
    for (const path of ['/', '/?q=cat', '/?q=qqqxyzzy', '/api/docs', '/sticker/none.png', '/packs/', '/packs/north', '/?q=' + 'w'.repeat(200)]) {
      await page.goto(path);
      const [wide, small] = await page.evaluate(() => [
        document.documentElement.scrollWidth - innerWidth,
        [...document.querySelectorAll('main button, main .button, header a, footer a')].filter(e => {
          const r = e.getBoundingClientRect();
          return r.width && (r.width < 24 || r.height < 24);
        }).map(e => e.outerHTML.slice(0, 80))]);
      assert.ok(wide <= 0, `${path} is ${wide} px too wide`);
      assert.deepEqual(small, []);
    }
  }, { viewport: { width: 320, height: 640 }, expectErrors: true }],

  ['motion can be reduced', async page => {
    await find(page, 'cat');
    const durations = await page.evaluate(() =>
      [...document.querySelectorAll('.box img, .button, .thumbs button')].map(e => getComputedStyle(e).transitionDuration));
    assert.deepEqual([...new Set(durations)], ['0s']);
  }, { reducedMotion: 'reduce' }],
];

for (const look of ['light', 'phone'])
  tests.push([`nothing jumps while pictures load and results grow, ${look}`, async page => {
    await page.route('**/media/**', async route => { await new Promise(done => setTimeout(done, 300)); await route.continue(); });
    const shifts = () => page.evaluate(() => new Promise(done => {
      const seen = [];
      new PerformanceObserver(list => { for (const e of list.getEntries()) seen.push(e.sources.map(s => s.node && (s.node.closest ? s.node : s.node.parentElement)).map(e => e ? (e.closest('.foot, .pager') ? 'foot' : e.closest('.top') ? 'top' : e.outerHTML.slice(0, 80)) : 'gone')); })
        .observe({ type: 'layout-shift', buffered: true });
      setTimeout(() => done(seen), 200);
    }));
    await page.goto('/?q=cat');
    const sticker = await page.locator('.card-link').first().getAttribute('href');
    for (const path of ['/', '/?q=cat', sticker, '/?q=qqqxyzzy']) {
      await page.goto(path, { waitUntil: 'networkidle' });
      assert.deepEqual(await shifts(), [], path);
    }
    await page.goto('/?q=cat', { waitUntil: 'networkidle' });
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    await until('more than one page of cards', async () => await cards(page).count() > 24);
    await page.waitForTimeout(700);
    // The end of the page moves on; and the bar that sticks counts as moved when the page grows while it is scrolled.
    assert.deepEqual((await shifts()).flat().filter(what => !['foot', 'top'].includes(what)), []);
  }, looks[look]]);

tests.push(['accessible in light, dark and on a phone', async page => {
  for (const path of ['/', '/?q=cat', '/?q=qqqxyzzy', '/api/docs', '/docs/', '/docs/own-stickers', '/docs/search-service', '/docs/?q=backup', '/docs/?q=qqqxyzzy', '/sticker/none.png', '/packs/', '/packs/north']) {
    await page.goto(path);
    await assertAccessibleInAllLooks(page, coloured(page));
  }
  await page.setViewportSize(looks.light.viewport);
  await find(page, 'cat');
  await page.locator('.card-link').first().click();
  await page.waitForSelector('#sticker');
  await page.getByRole('button', { name: 'Yes' }).click();
  await page.waitForSelector('#toast:not([hidden])');
  await assertAccessibleInAllLooks(page, coloured(page));
}, { expectErrors: true, reducedMotion: 'reduce' }]);
for (const [name, path] of Object.entries({ start: '/', results: '/?q=cat' })) // a phone is more than a small window
  tests.push([`accessible on a phone that touches: ${name}`, async page => {
    await page.goto(path);
    await assertAccessible(page);
  }, looks.phone]);

// Last, because it stops SearchService for a while.
tests.push(['degraded answers say so', async page => {
  if (searchPid) process.kill(searchPid, 'SIGSTOP');
  try {
    const stopped = task => readFileSync(`/proc/${searchPid}/task/${task}/stat`, 'utf8').includes(') T ');
    if (searchPid) await until('it has stopped', () => readdirSync(`/proc/${searchPid}/task`).every(stopped));
    await find(page, phrase());
    await page.getByText('Search is not fully available').waitFor();
    assert.ok(await cards(page).count() > 0);
    await assertAccessible(page);
    const start = Date.now();
    await page.goto('/');
    assert.ok(await page.locator('.card').count() > 0);
    assert.ok(Date.now() - start < 4000, 'the start page waits for a search that does not answer');
  } finally {
    if (searchPid) process.kill(searchPid, 'SIGCONT');
  }
}]);

await runAll(base, tests);
