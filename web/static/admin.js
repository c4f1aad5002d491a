// What scripts add to the admin pages, which work without them.
'use strict';

// One box in a list's head selects all rows of the page.
for (const head of document.querySelectorAll('th.select')) {
  const boxes = [...head.closest('table').querySelectorAll('td input[name=id]')];
  const all = document.createElement('input');
  all.type = 'checkbox';
  all.setAttribute('aria-label', 'Select all on this page');
  const show = () => {
    const n = boxes.filter(box => box.checked).length;
    all.checked = n === boxes.length;
    all.indeterminate = n > 0 && n < boxes.length;
  };
  all.addEventListener('change', () => boxes.forEach(box => { box.checked = all.checked; }));
  for (const box of boxes)
    box.addEventListener('change', show);
  head.append(all);
  show();
}
