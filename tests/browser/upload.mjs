// Uploading images in a browser: with and without scripts, progress, what is wrong beside its file or field, and axe.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { assertAccessible, looks, runAll } from './lib.mjs';

const UPLOAD = '/admin/stickers/upload/';

// zlib's is not in Debian 12's Node.
function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let i = 0; i < 8; i++) crc = crc >>> 1 ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

function png(width, height, gray = 128) {
  const chunk = (kind, data) => {
    const out = Buffer.alloc(12 + data.length);
    out.writeUInt32BE(data.length);
    out.write(kind, 4);
    data.copy(out, 8);
    out.writeUInt32BE(crc32(out.subarray(4, 8 + data.length)), 8 + data.length);
    return out;
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width);
  head.writeUInt32BE(height, 4);
  head[8] = 8;
  const rows = Buffer.alloc((width + 1) * height, gray);
  for (let y = 0; y < height; y++) rows[y * (width + 1)] = 0;
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', head), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]);
}

const image = (name, width, height, gray) => ({ name, mimeType: 'image/png', buffer: png(width, height, gray) });
const text = name => ({ name, mimeType: 'image/png', buffer: Buffer.from('no picture') });

async function logIn(page) {
  await page.goto('/admin/login?next=' + encodeURIComponent(UPLOAD));
  await page.getByLabel('Username').fill('admin');
  await page.getByLabel('Password').fill('a long password');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.waitForURL('**' + UPLOAD);
}

const rows = page => page.locator('#uploads li');
const row = (page, name) => rows(page).filter({ has: page.getByText(name, { exact: true }) });
const upload = page => page.getByRole('button', { name: 'Upload', exact: true }).click();
const shown = async (page, name) => {
  await page.goto('/admin/stickers/?q=' + encodeURIComponent(name));
  return page.getByLabel('Select ' + name, { exact: true }).count();
};
const shot = (page, name) => process.env.SHOTS && page.screenshot({ path: join(process.env.SHOTS, name + '.png'), fullPage: true });

const tests = [];
for (const [look, options] of Object.entries(looks))
  tests.push([`accessible, and no wider than the screen: ${look}`, async page => {
    await logIn(page);
    await assertAccessible(page);
    await page.getByLabel('Images', { exact: true }).setInputFiles([text('x'.repeat(80) + '.png'), image(`of ${look}.png`, 3, 4), text('b.png')]);
    await page.getByText('Waiting').first().waitFor();
    await assertAccessible(page);
    await page.getByLabel('Title').fill('t'.repeat(1001));
    await upload(page);
    await page.getByText('This is too long.').waitFor();
    await assertAccessible(page);
    await page.getByLabel('Title').fill('');
    await upload(page);
    await page.getByText('1 of 3 uploaded, 2 failed.').waitFor();
    await assertAccessible(page);
    await shot(page, 'upload-' + look);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  }, { ...options, expectErrors: true }]);

tests.push(['each file by itself, with what became of it', async page => {
  await logIn(page);
  await page.getByLabel('Images', { exact: true }).setInputFiles([image('one.png', 20, 10), text('two.png'), image('three.png', 30, 10)]);
  await page.getByLabel('Pack').fill('Browsers');
  const sent = [];
  page.on('request', request => request.method() === 'POST' && sent.push(request.url()));
  await upload(page);
  await page.getByText('2 of 3 uploaded, 1 failed.').waitFor();
  assert.equal(sent.length, 3);
  await row(page, 'one.png').getByText('Added.').waitFor();
  await row(page, 'two.png').getByText('not a JPEG, PNG, WebP, GIF, SVG, Lottie, AVIF, HEIC or WebM image').waitFor();
  assert.equal(await page.getByLabel('Pack').inputValue(), 'Browsers', 'what was typed stays');
  await upload(page); // again: only the one that failed
  await page.waitForFunction(() => !document.querySelector('button[aria-disabled]'));
  assert.equal(sent.length, 4);
  await page.getByRole('button', { name: 'Remove two.png' }).click();
  assert.equal(await rows(page).count(), 2);
  assert.equal(await shown(page, 'one.png'), 1);
  await page.getByRole('cell', { name: 'Browsers' }).first().waitFor();
  assert.equal(await shown(page, 'two.png'), 0);
}, { expectErrors: true }]);

tests.push(['progress moves, and the page stays usable', async (page, context) => {
  await logIn(page);
  const client = await context.newCDPSession(page);
  await client.send('Network.enable');
  await client.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 400000 });
  const noise = Buffer.concat([png(5, 5), Buffer.alloc(600000, 7)]);
  await page.getByLabel('Images', { exact: true }).setInputFiles([{ name: 'slow.png', mimeType: 'image/png', buffer: noise }]);
  await page.evaluate(() => {
    globalThis.seen = [];
    const bar = document.querySelector('#uploads progress');
    setInterval(() => globalThis.seen.push(bar.value), 20);
  });
  await upload(page);
  await row(page, 'slow.png').getByText('Added.').waitFor();
  const seen = await page.evaluate(() => globalThis.seen.filter(v => v > 0));
  assert.ok(seen.length && seen.every((v, i) => !i || v >= seen[i - 1]), 'progress: ' + seen.slice(0, 20));
}]);

tests.push(['names are text, with scripts', async page => {
  const folder = mkdtempSync(join(tmpdir(), 'peel-upload-'));
  const names = ['"><img src=x onerror=alert(1)>.png', "<script>alert(1)<'.png", '{{ name }}&amp;.png'];
  for (const [i, name] of names.entries()) writeFileSync(join(folder, name), i ? png(4, 4 + i) : 'no picture');
  await logIn(page);
  await page.getByLabel('Images', { exact: true }).setInputFiles(names.map(name => join(folder, name)));
  await upload(page);
  await page.getByText('2 of 3 uploaded, 1 failed.').waitFor();
  for (const name of names) assert.equal(await row(page, name).count(), 1, name);
  assert.equal(await page.locator('#uploads img, #uploads script').count(), 0);
  assert.equal(await shown(page, names[1]), 1);
  rmSync(folder, { recursive: true });
}, { expectErrors: true }]);

tests.push(['dropped files, and replacing', async page => {
  await logIn(page);
  const dropFile = async gray => {
    const bytes = [...png(6, 6, gray)];
    const transfer = await page.evaluateHandle(bytes => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], 'dropped.png', { type: 'image/png' }));
      return data;
    }, bytes);
    await page.dispatchEvent('#drop', 'drop', { dataTransfer: transfer });
  };
  await dropFile(10);
  await upload(page);
  await row(page, 'dropped.png').getByText('Added.').waitFor();
  await page.goto(UPLOAD);
  await dropFile(20);
  await upload(page);
  await page.getByText('another image of this name exists, with other content').waitFor();
  await page.getByLabel('Replace existing images').check();
  await upload(page);
  await row(page, 'dropped.png').getByText('Replaced.').waitFor();
}, { expectErrors: true }]);

tests.push(['logged out meanwhile: nothing is lost', async (page, context) => {
  await logIn(page);
  await page.getByLabel('Images', { exact: true }).setInputFiles([image('later.png', 8, 8)]);
  await page.getByLabel('Title').fill('Typed before');
  await context.clearCookies();
  await upload(page);
  await page.getByText('You have been logged out.').waitFor();
  assert.equal(await page.getByLabel('Title').inputValue(), 'Typed before');
}, { expectErrors: true }]);

tests.push(['without scripts', async page => {
  await logIn(page);
  await page.getByLabel('Images', { exact: true }).setInputFiles([image('plain-1.png', 12, 12), text('plain-<b>2.png'), image('plain-3.png', 13, 12)]);
  await page.getByLabel('Title').fill('Plain {name}');
  await page.getByLabel('Language', { exact: true }).first().fill('en');
  await page.getByLabel('Keywords', { exact: true }).first().fill('plain');
  await upload(page);
  await page.getByText('Some images were not uploaded. The reasons are listed below.').waitFor();
  await row(page, 'plain-<b>2.png').getByText('not a JPEG').waitFor();
  assert.equal(await page.getByLabel('Title').inputValue(), 'Plain {name}');
  assert.equal(await page.getByLabel('Keywords', { exact: true }).first().inputValue(), 'plain');
  await shot(page, 'upload-without-scripts');
  await page.getByLabel('Images', { exact: true }).setInputFiles([image('plain-4.png', 14, 12)]);
  await upload(page);
  await page.waitForURL('**/admin/stickers/?done=uploaded');
  await page.getByText('Uploaded.').waitFor();
  await page.getByText('Plain plain 4').waitFor();
  await page.getByRole('link', { name: 'Upload images' }).waitFor();
}, { javaScriptEnabled: false, expectErrors: true }]);

// ---- imports ----
const IMPORT = '/admin/import/';
const table = { name: 'stickers.csv', mimeType: 'text/csv', buffer: Buffer.from('filename,title,words\nyak.png,Yak,"yak, horns"\ngone.png,Gone,x\n') };

async function send(page, files) {
  await page.goto(IMPORT);
  await page.getByLabel('Archives or images').setInputFiles(files);
  await page.getByRole('button', { name: 'Read the files' }).click();
  await page.getByRole('heading', { name: 'Check the import' }).waitFor();
}

for (const [look, options] of Object.entries(looks))
  tests.push([`an import is shown before it is stored: ${look}`, async page => {
    await logIn(page);
    await send(page, [table, image('yak.png', 20, 10), image('ox.png', 10, 20, 30), text('torn.png')]);
    await page.getByText('stickers.csv: line 3: not found').waitFor();
    await page.getByText('yak, horns').waitFor();
    await page.waitForFunction(() => [...document.images].every(i => i.loading !== 'lazy' || i.naturalWidth));
    await assertAccessible(page);
    await shot(page, 'import-' + look);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
    await page.getByRole('button', { name: 'Discard' }).click();
    await page.waitForURL('**' + IMPORT);
    await assertAccessible(page);
  }, options]);

tests.push(['a file is dropped, imported and undone, by keyboard', async page => {
  await logIn(page);
  await page.goto(IMPORT);
  await page.evaluate(bytes => {
    const files = new DataTransfer();
    files.items.add(new File([new Uint8Array(bytes)], 'let-go.png', { type: 'image/png' }));
    document.getElementById('drop').dispatchEvent(new DragEvent('drop', { dataTransfer: files, cancelable: true }));
  }, [...png(12, 12, 77)]);
  await page.getByRole('button', { name: 'Read the files' }).press('Enter');
  await page.getByRole('heading', { name: 'Check the import' }).waitFor();
  await page.getByRole('button', { name: 'Import', exact: true }).press('Enter');
  await page.getByText('Added: 1.').waitFor();
  await assertAccessible(page);
  await page.getByRole('link', { name: 'Back to the imports' }).press('Enter');
  await assertAccessible(page);
  await shot(page, 'imports');
  await page.getByRole('link', { name: 'Undo import' }).first().press('Enter');
  await page.getByText('1 sticker that it added is moved to the trash.').waitFor();
  await assertAccessible(page);
  await page.getByRole('button', { name: 'Undo', exact: true }).press('Enter');
  await page.getByText('Deleted: 1.').waitFor();
  assert.equal(await shown(page, 'let-go.png'), 0);
}]);

await runAll(process.env.BASE, tests);
