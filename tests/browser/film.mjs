// A short film of the gallery for the README: somebody types a phrase, votes, and types another. BASE is the service, on a
// data folder with the starter packs; pictures go to OUT, one for each line of OUT/frames: name and milliseconds.
import { mkdirSync, writeFileSync } from 'node:fs';
import { launch } from './lib.mjs';

const base = process.env.BASE, out = process.env.OUT;
mkdirSync(out, { recursive: true });
const browser = await launch();
const page = await browser.newPage({ baseURL: base, viewport: { width: 840, height: 560 }, colorScheme: 'light' });
const frames = [];

async function frame(milliseconds) {
  const name = `frame-${String(frames.length).padStart(3, '0')}.png`;
  await page.screenshot({ path: `${out}/${name}` });
  frames.push(`${name} ${milliseconds}`);
}

async function settled() {
  await page.waitForLoadState('networkidle');
  await page.waitForFunction(() => [...document.images].every(i => i.complete || i.getBoundingClientRect().top > innerHeight));
  await page.waitForTimeout(800);
}

async function type(phrase) {
  const box = page.locator('#q');
  await box.fill('');
  for (let end = 2; end < phrase.length; end += 3) {
    await box.fill(phrase.slice(0, end));
    await page.waitForTimeout(60);
    await frame(130);
  }
  await box.fill(phrase);
  await settled();
  await frame(1800);
}

await page.goto('/');
await settled();
await frame(1200);
await type('happy birthday');
await page.locator('.card [name=positive]').first().click({ force: true });
await page.waitForTimeout(300);
await frame(1500);
await type('so tired, need coffee');
await type('schlaf gut');
writeFileSync(`${out}/frames`, frames.join('\n') + '\n');
await browser.close();
