// Uploading images: each file in a request of its own, with its progress and what became of it beside its name. What
// failed stays in the list and is sent again with the next "Upload". All that comes from files or the server is text.
// make and fill are admin.js's.
'use strict';
(() => {
  const form = document.getElementById('upload'), input = document.getElementById('files');
  const list = document.getElementById('uploads'), drop = document.getElementById('drop');
  const summary = document.getElementById('summary'), problem = document.getElementById('problem');
  const button = form.querySelector('button[type=submit]');
  const texts = form.dataset, most = Number(texts.max), AT_ONCE = 2;
  let entries = []; // { file, item, bar, said, remove, done, failed }
  let busy = false;

  const complain = text => { problem.textContent = text; problem.hidden = !text; };

  function say(entry, text, failed) {
    entry.failed = failed;
    entry.said.textContent = text;
    entry.said.className = failed ? 'problem' : entry.done ? 'good' : 'soft';
  }

  function count() {
    const done = entries.filter(e => e.done).length, failed = entries.filter(e => e.failed).length;
    summary.textContent = fill(failed ? texts.doneFailed : texts.done, { done, all: entries.length, failed });
    summary.className = failed ? 'notice' : 'noted';
    summary.hidden = !done && !failed;
  }

  function choose(files) {
    if (!entries.length) list.replaceChildren(); // what an upload without scripts left
    for (const file of files) {
      const entry = { file, done: false, failed: false };
      entry.item = make('li', '');
      entry.bar = make('progress', '');
      entry.bar.max = 1;
      entry.bar.hidden = true;
      entry.bar.setAttribute('aria-label', fill(texts.progress, { file: file.name }));
      entry.said = make('span', 'soft', texts.waiting);
      entry.remove = make('button', 'link', texts.labelRemove);
      entry.remove.type = 'button';
      entry.remove.setAttribute('aria-label', fill(texts.remove, { file: file.name }));
      entry.remove.addEventListener('click', () => {
        entries = entries.filter(e => e !== entry);
        entry.item.remove();
        input.focus();
      });
      entry.item.append(make('span', 'name', file.name), ' ', entry.bar, ' ', entry.said, ' ', entry.remove);
      list.append(entry.item);
      entries.push(entry);
      if (file.size > most) say(entry, fill(texts.large, { size: file.size, limit: most }), true);
    }
    complain('');
  }

  // ---- fields ----
  const field = name => form.querySelector('[name="' + CSS.escape(name) + '"]');

  function clearFields() {
    for (const said of form.querySelectorAll('.field .problem')) said.remove();
    for (const wrong of form.querySelectorAll('[aria-invalid]')) wrong.removeAttribute('aria-invalid');
  }

  function showFields(fields) {
    for (const { name, problem: text } of fields) {
      const box = field(name);
      if (!box) continue;
      const said = make('span', 'problem', text);
      said.setAttribute('role', 'alert');
      (document.getElementById('h-' + name) || box.closest('.field')).append(' ', said);
      box.setAttribute('aria-invalid', 'true');
    }
    const first = form.querySelector('[aria-invalid]');
    if (first) first.focus();
  }

  // ---- one file ----
  // { outcome, message, fields } of an answer, whatever it is: ours, the server's problem+json, or a page.
  function understand(request) {
    const type = request.getResponseHeader('Content-Type') || '';
    if (new URL(request.responseURL || location.href, location.href).pathname.startsWith('/admin/login'))
      return { outcome: 'failed', message: texts.loggedOut };
    try {
      if (type.startsWith('application/json')) {
        const answer = JSON.parse(request.responseText);
        return { message: answer.message, ...answer.results[0], fields: answer.fields };
      }
      if (type.startsWith('application/problem+json')) return { outcome: 'failed', message: JSON.parse(request.responseText).detail };
      const page = new DOMParser().parseFromString(request.responseText, 'text/html');
      return { outcome: 'failed', message: page.querySelector('.message p').textContent };
    } catch {
      return { outcome: 'failed', message: fill(texts.status, { status: request.status }) };
    }
  }

  function send(entry) {
    return new Promise(resolve => {
      const data = new FormData(form), request = new XMLHttpRequest();
      data.delete('files');
      data.append('files', entry.file, entry.file.name);
      request.open('POST', form.action);
      request.setRequestHeader('Accept', 'application/json');
      request.setRequestHeader('X-CSRF-Token', field('csrf').value);
      request.upload.addEventListener('progress', event => {
        if (event.lengthComputable) entry.bar.value = event.loaded / event.total;
      });
      request.addEventListener('load', () => resolve(understand(request)));
      request.addEventListener('error', () => resolve({ outcome: 'failed', message: texts.lost }));
      request.send(data);
    });
  }

  async function upload(entry) {
    entry.bar.value = 0;
    entry.bar.hidden = false;
    entry.remove.hidden = true;
    say(entry, texts.sending, false);
    const answer = await send(entry);
    entry.done = answer.outcome !== undefined && answer.outcome !== 'failed';
    entry.bar.hidden = true;
    entry.remove.hidden = entry.done;
    if (answer.fields && answer.fields.length) { // no file's fault: none was looked at
      say(entry, texts.waiting, false);
      return answer;
    }
    say(entry, answer.message || texts.nothing, !entry.done);
    count();
    return null;
  }

  async function uploadAll() {
    const waiting = entries.filter(e => !e.done && e.file.size <= most);
    let wrong = null;
    clearFields();
    complain('');
    if (!waiting.length) { complain(texts.none); return; }
    busy = true;
    document.querySelector('h1').scrollIntoView();
    button.setAttribute('aria-disabled', 'true');
    const work = async () => {
      for (let entry; !wrong && (entry = waiting.shift());) {
        const answer = await upload(entry);
        wrong = wrong || answer;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    busy = false;
    button.removeAttribute('aria-disabled');
    if (wrong) {
      complain(wrong.message);
      showFields(wrong.fields);
    }
  }

  // ---- the page ----
  input.required = false; // what was chosen moves to the list
  document.getElementById('at-once').remove();
  input.addEventListener('change', () => { choose(input.files); input.value = ''; });
  form.addEventListener('submit', event => {
    event.preventDefault();
    if (!busy) uploadAll();
  });
  for (const kind of ['dragenter', 'dragover'])
    drop.addEventListener(kind, event => { event.preventDefault(); drop.classList.add('over'); });
  for (const kind of ['dragleave', 'drop'])
    drop.addEventListener(kind, event => { event.preventDefault(); drop.classList.remove('over'); });
  drop.addEventListener('drop', event => choose(event.dataTransfer.files));
  drop.append(make('span', 'soft', texts.drop));
})();
