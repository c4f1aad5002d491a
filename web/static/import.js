// Files that are dropped on the form are chosen in its field, as if by hand; without this script they are only chosen.
'use strict';
(() => {
  const drop = document.getElementById('drop'), input = document.getElementById('files');
  for (const kind of ['dragenter', 'dragover'])
    drop.addEventListener(kind, event => { event.preventDefault(); drop.classList.add('over'); });
  for (const kind of ['dragleave', 'drop'])
    drop.addEventListener(kind, event => { event.preventDefault(); drop.classList.remove('over'); });
  drop.addEventListener('drop', event => { input.files = event.dataTransfer.files; });
  document.getElementById('drop-hint').hidden = false;
})();
