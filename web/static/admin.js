// What scripts add to the admin pages, which work without them. Everything that comes from the server is shown as text.
'use strict';

const make = (tag, className = '', text = '') => {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
};
// What scripts say comes with the page, from the catalogue of messages; {names} are filled in here.
const texts = document.getElementById('texts').dataset;
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (all, name) => name in values ? values[name] : all);
const csrf = () => document.querySelector('input[name=csrf]').value;

// ---- times: in the browser's zone; the title keeps UTC ----
for (const time of document.querySelectorAll('time[datetime]')) {
  const when = new Date(time.dateTime);
  time.title = time.dateTime.replace('T', ' ').replace('Z', ' UTC');
  time.textContent = when.toLocaleString(document.documentElement.lang + '-GB', { year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', timeZoneName: 'short' });
}

// ---- lists: one box selects all rows of the page, and the bar says how many are selected ----
for (const head of document.querySelectorAll('th.select')) {
  const boxes = [...head.closest('table').querySelectorAll('td input[name=id]')];
  const all = document.createElement('input'), matching = document.querySelector('input[name=all]');
  const said = document.getElementById('selected');
  all.type = 'checkbox';
  all.setAttribute('aria-label', texts.selectAll);
  const show = () => {
    const n = boxes.filter(box => box.checked).length;
    all.checked = n === boxes.length;
    all.indeterminate = n > 0 && n < boxes.length;
    if (said) said.textContent = matching && matching.checked ? texts.selectedAll : n ? fill(texts.selected, { count: n }) : texts.selectedNone;
    if (matching) matching.closest('label').classList.toggle('offered', all.checked);
    if (said) said.parentElement.classList.toggle('active', n > 0 || Boolean(matching && matching.checked));
  };
  all.addEventListener('change', () => { boxes.forEach(box => { box.checked = all.checked; }); show(); });
  for (const box of [...boxes, matching].filter(Boolean)) box.addEventListener('change', show);
  head.append(all);
  show();
}
for (const select of document.querySelectorAll('.filters select'))
  select.addEventListener('change', () => select.form.requestSubmit());
document.addEventListener('keydown', event => {
  for (const menu of document.querySelectorAll('details.menu[open]'))
    if (event.key === 'Escape') { menu.open = false; menu.querySelector('summary').focus(); }
});
document.addEventListener('click', event => {
  for (const menu of document.querySelectorAll('details.menu[open]'))
    if (!menu.contains(event.target)) menu.open = false;
});

// ---- lists: title and keywords are edited in their place ----
async function saveInline(cell, field, value) {
  const row = cell.closest('tr'), data = new URLSearchParams({ csrf: csrf(), only: field, seen: row.dataset.seen });
  if (field === 'words') { data.set('language', 'en'); data.set('words', value); } else data.set(field, value);
  const model = document.getElementById('rows').dataset.model;
  const target = `/admin/${model}/edit?id=${encodeURIComponent(row.dataset.id)}&field=${field}`;
  const answer = await fetch(target, { method: 'POST', body: data, redirect: 'error' });
  const said = await answer.json();
  if (said.seen) row.dataset.seen = said.seen;
  return { problem: answer.ok ? '' : said.problem || said.detail || texts.notSaved, value: said.value };
}

function editInline(cell) {
  const text = cell.querySelector('.value'), before = text.textContent, label = cell.dataset.label;
  const input = make('input'), problem = make('span', 'problem');
  input.value = before;
  input.setAttribute('aria-label', fill(texts.inline, { label, name: cell.closest('tr').dataset.id }));
  cell.replaceChildren(input, problem);
  input.focus();
  let done = false;
  const end = (value, focus) => { done = true; showInline(cell, value); if (focus) cell.querySelector('button').focus(); };
  const save = async focus => {
    if (done) return;
    if (input.value === before) { end(before, focus); return; }
    done = true;
    input.disabled = true;
    const said = await saveInline(cell, cell.dataset.field, input.value).catch(() => ({ problem: texts.notSaved }));
    if (!said.problem) { end(said.value, focus); return; }
    done = false;
    input.disabled = false;
    problem.textContent = said.problem;
    problem.setAttribute('role', 'alert');
    input.setAttribute('aria-invalid', 'true');
    input.focus();
  };
  input.addEventListener('keydown', event => {
    if (event.key === 'Enter') { event.preventDefault(); save(true); }
    if (event.key === 'Escape') { event.stopPropagation(); end(before, true); }
  });
  input.addEventListener('blur', () => { if (!problem.textContent) save(false); });
}

function showInline(cell, value) {
  const button = make('button', 'pencil', '✎');
  button.type = 'button';
  button.setAttribute('aria-label', fill(texts.inlineEdit, { label: cell.dataset.label, name: cell.closest('tr').dataset.id }));
  button.addEventListener('click', () => editInline(cell));
  cell.ondblclick = () => { if (!cell.querySelector('input')) editInline(cell); };
  cell.replaceChildren(make('span', 'value', value), button);
}
for (const cell of document.querySelectorAll('td[data-field]')) showInline(cell, cell.textContent);

// ---- forms: languages, unsaved changes, copying a token ----
const sheet = document.getElementById('edit');
const languageName = tag => { try { return new Intl.DisplayNames('en', { type: 'language' }).of(tag); } catch { return tag; } };

function addLanguage(blank, language = '', title = '', words = '') {
  const row = blank.cloneNode(true), id = 'n' + document.querySelectorAll('.language').length;
  row.classList.remove('blank');
  row.hidden = false;
  for (const input of row.querySelectorAll('input')) {
    const label = row.querySelector(`label[for="${input.id}"]`);
    input.id = input.name + id;
    if (label) label.htmlFor = input.id;
    input.value = { language, word_title: title, words }[input.name];
  }
  blank.before(row);
  row.querySelector(language ? '[name=words]' : '[name=language]').focus();
}

for (const li of document.querySelectorAll('.folded li')) {
  const tag = li.querySelector('b');
  tag.textContent = `${languageName(li.dataset.language)} (${li.dataset.language})`;
  const link = li.querySelector('a');
  if (link) link.addEventListener('click', event => {
    event.preventDefault();
    addLanguage(document.querySelector('.language.blank'), li.dataset.language, li.dataset.title, li.dataset.words);
    li.remove();
  });
}
for (const blank of document.querySelectorAll('#edit .language.blank')) {
  const button = make('button', 'button', texts.languageAdd);
  button.type = 'button';
  blank.hidden = true;
  button.addEventListener('click', () => addLanguage(blank));
  blank.after(button);
}

if (sheet && sheet.querySelector('button[type=submit]')) {
  const state = () => new URLSearchParams(new FormData(sheet)).toString().replace(/(language|word_title|words)=(&|$)/g, '');
  const began = state(), said = document.getElementById('unsaved');
  let sent = false;
  const changed = () => !sent && state() !== began;
  sheet.addEventListener('input', () => { said.textContent = changed() ? texts.unsaved : ''; });
  sheet.addEventListener('submit', () => { sent = true; });
  addEventListener('beforeunload', event => { if (changed()) event.preventDefault(); });
  addEventListener('pageshow', () => { sent = false; });
}
for (const button of document.querySelectorAll('[data-copy]')) {
  button.hidden = !navigator.clipboard;
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = texts.copied;
  });
}

// ---- what a search for the title finds ----
async function find(query) {
  const answer = await fetch('/admin/find?q=' + encodeURIComponent(query), { redirect: 'error' });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}
const later = (wait, work) => { let timer; return (...args) => { clearTimeout(timer); timer = setTimeout(() => work(...args), wait); }; };

const preview = document.getElementById('preview');
if (preview && sheet && sheet.elements.title) {
  const said = preview.querySelector('p'), list = make('ul', 'tiles small');
  preview.append(list);
  const look = async () => {
    const title = sheet.elements.title.value.trim();
    if (!title) { said.textContent = texts.previewEmpty; list.replaceChildren(); return; }
    try {
      const { stickers, degraded } = await find(title);
      const place = stickers.findIndex(s => s.filename === preview.dataset.id) + 1;
      said.textContent = fill(place ? texts.previewFound : texts.previewMissed, { title, place, count: stickers.length }) + (degraded ? ' ' + texts.previewDegraded : '');
      list.replaceChildren(...stickers.map(s => {
        const item = make('li', s.filename === preview.dataset.id ? 'this' : ''), link = make('a'), image = make('img');
        link.href = '/admin/stickers/edit?id=' + encodeURIComponent(s.filename);
        image.src = s.image;
        image.alt = s.title || s.filename;
        image.width = image.height = 48;
        link.append(image);
        item.append(link);
        return item;
      }));
    } catch { said.textContent = texts.previewFailed; }
  };
  sheet.elements.title.addEventListener('input', later(400, look));
  look();
}

// ---- charts: the numbers of the day under the pointer ----
for (const strips of document.querySelectorAll('.strips')) {
  const tip = make('div', 'tip');
  tip.hidden = true;
  document.body.append(tip);
  for (const strip of strips.children) {
    const title = strip.querySelector('title'), text = title.textContent;
    title.remove(); // or the browser would show it too
    strip.addEventListener('pointerenter', event => {
      tip.textContent = text;
      tip.hidden = false;
      tip.style.left = Math.min(event.pageX + 12, document.documentElement.clientWidth - tip.offsetWidth - 8) + 'px';
      tip.style.top = event.pageY - 36 + 'px';
    });
    strip.addEventListener('pointerleave', () => { tip.hidden = true; });
  }
}

// ---- the command palette: Ctrl-K ----
const opener = document.getElementById('palette-open');
if (opener) {
  const dialog = make('dialog', 'palette'), input = make('input'), list = make('ul');
  dialog.setAttribute('aria-label', texts.palette);
  input.type = 'search';
  input.placeholder = texts.paletteHint;
  list.id = 'palette-list';
  list.setAttribute('role', 'listbox');
  list.setAttribute('aria-label', texts.paletteList);
  for (const [name, value] of Object.entries({ role: 'combobox', 'aria-expanded': 'true', 'aria-controls': list.id, 'aria-autocomplete': 'list', 'aria-label': texts.paletteHint }))
    input.setAttribute(name, value);
  dialog.append(input, list);
  document.body.append(dialog);
  const pages = [...document.querySelectorAll('nav.models a, .me a')].map(a => [a.textContent.trim(), a.getAttribute('href')]);
  if (opener.dataset.upload) pages.push([texts.upload, '/admin/stickers/upload/']);
  let items = [], at = 0, asked = 0;
  const mark = () => {
    [...list.children].forEach((li, i) => li.setAttribute('aria-selected', String(i === at)));
    if (list.children[at]) { input.setAttribute('aria-activedescendant', list.children[at].id); list.children[at].scrollIntoView({ block: 'nearest' }); } else input.removeAttribute('aria-activedescendant');
  };
  const show = found => {
    items = found;
    at = 0;
    list.replaceChildren(...found.map(([text, href, image], i) => {
      const li = make('li', '', image ? '' : text);
      if (image) { const img = make('img'); img.src = image; img.alt = ''; img.width = img.height = 24; li.append(img, text); }
      li.id = 'palette-' + i;
      li.setAttribute('role', 'option');
      li.addEventListener('click', () => { location.href = href; });
      return li;
    }));
    mark();
  };
  const search = later(200, async (text, turn) => {
    const { stickers } = await find(text).catch(() => ({ stickers: [] }));
    if (turn === asked) show([...items.filter(item => !item[2]), ...stickers.slice(0, 8).map(s => [s.title || s.filename, '/admin/stickers/edit?id=' + encodeURIComponent(s.filename), s.image])]);
  });
  const look = () => {
    const text = input.value.trim(), turn = ++asked;
    const found = pages.filter(([name]) => name.toLowerCase().includes(text.toLowerCase()));
    if (text && opener.dataset.find) found.push([fill(texts.paletteSearch, { text }), '/admin/stickers/?q=' + encodeURIComponent(text)]);
    show(found);
    if (text.length > 1 && opener.dataset.find) search(text, turn);
  };
  const open = () => { if (dialog.open) return; input.value = ''; dialog.showModal(); look(); input.focus(); };
  input.addEventListener('input', look);
  input.addEventListener('keydown', event => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && items.length) { event.preventDefault(); at = (at + step + items.length) % items.length; mark(); }
    if (event.key === 'Escape') { event.preventDefault(); dialog.close(); } // the box would only empty itself
    if (event.key === 'Enter' && items[at]) location.href = items[at][1];
  });
  dialog.addEventListener('click', event => { if (event.target === dialog) dialog.close(); });
  opener.hidden = false;
  opener.addEventListener('click', open);
  document.addEventListener('keydown', event => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') { event.preventDefault(); open(); }
  });
}
