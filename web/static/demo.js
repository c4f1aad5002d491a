// A chat: what somebody types is answered with the sticker that fits best, and <peel-picker> sends stickers.
import { Peel } from '/peel-picker.js';

const $ = selector => document.querySelector(selector);
const messages = $('#messages'), stickers = $('#stickers'), open = $('#open'), text = $('#text'), texts = $('#demo-texts').dataset;
const picker = $('peel-picker'), peel = new Peel(location.origin, { lang: document.documentElement.lang });

function add(side, child, note) {
  const item = document.createElement('li');
  item.className = side;
  if (side === 'mine') {
    const you = document.createElement('span');
    you.className = 'sr';
    you.textContent = texts.you + ': ';
    item.append(you);
  }
  item.append(child);
  if (note) {
    const small = document.createElement('small');
    small.textContent = note;
    item.append(small);
  }
  messages.append(item);
  item.scrollIntoView({ block: 'nearest' });
}
function addText(side, said) {
  const p = document.createElement('p');
  p.textContent = said;
  p.dir = 'auto';
  add(side, p);
}
function addSticker(side, sticker) {
  const img = document.createElement('img');
  Object.assign(img, { src: sticker.animated ? sticker.url : sticker.thumbnail, alt: sticker.alt || sticker.title, width: 144, height: 144 });
  add(side, img, [sticker.author, sticker.license].filter(Boolean).join(' · '));
}

function show(shown) {
  stickers.hidden = !shown;
  open.setAttribute('aria-expanded', String(shown));
  if (shown) picker.focus();
  else text.focus();
}
open.addEventListener('click', () => show(stickers.hidden));
picker.addEventListener('close', event => { event.preventDefault(); show(false); });
picker.addEventListener('sticker', event => { addSticker('mine', event.detail); show(false); });

$('#composer').addEventListener('submit', async event => {
  event.preventDefault();
  const said = text.value.trim();
  if (!said) return;
  text.value = '';
  addText('mine', said);
  try {
    const { results } = await peel.search(said, { limit: 1 });
    if (results.length) addSticker('theirs', results[0]);
    else addText('theirs', texts.nothing);
  } catch {
    addText('theirs', texts.nothing);
  }
});
