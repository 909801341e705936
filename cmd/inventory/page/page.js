'use strict';
(() => {
  const table = document.getElementById('pools');
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, row => ({row, text: row.textContent.toLowerCase()}));
  const form = document.getElementById('filters');
  const search = document.getElementById('search');
  const selects = Array.from(form.querySelectorAll('select'));

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const {row, text} of rows) {
      const match = words.every(word => text.includes(word)) &&
        selects.every(select => select.value === '' || select.value === '=' + row.dataset[select.dataset.key]);
      row.hidden = !match;
      shown += match ? 1 : 0;
    }
    document.getElementById('shown').textContent = shown + ' of ' + rows.length + ' shown';
    document.getElementById('none').hidden = shown > 0 || rows.length === 0;
  };

  // Counts can exceed the safe integers of a number.
  const comparers = {
    number: (a, b) => { const x = BigInt(a), y = BigInt(b); return x < y ? -1 : x > y ? 1 : 0; },
    date: (a, b) => Date.parse(a) - Date.parse(b),
    text: (a, b) => a < b ? -1 : a > b ? 1 : 0,
  };
  const headers = Array.from(table.tHead.rows[0].cells);
  const sort = header => {
    const {key, type = 'text'} = header.dataset;
    const before = header.getAttribute('aria-sort');
    const first = type === 'text' ? 'ascending' : 'descending';
    const order = before === null ? first : before === 'ascending' ? 'descending' : 'ascending';
    headers.forEach(h => h.removeAttribute('aria-sort'));
    header.setAttribute('aria-sort', order);
    const sign = order === 'ascending' ? 1 : -1;
    rows.sort((a, b) => {
      const x = a.row.dataset[key], y = b.row.dataset[key];
      if (x === '' || y === '') return (x === '') - (y === ''); // unknown values last
      return sign * comparers[type](x, y);
    });
    body.append(...rows.map(({row}) => row));
  };
  for (const header of headers) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = header.textContent;
    button.addEventListener('click', () => sort(header));
    header.replaceChildren(button);
  }

  form.addEventListener('submit', event => event.preventDefault());
  form.addEventListener('input', filter);
  form.addEventListener('reset', () => setTimeout(filter)); // after the fields have been cleared
  form.hidden = false;
  filter();

  let opened = [];
  addEventListener('beforeprint', () => {
    opened = Array.from(document.querySelectorAll('details:not([open])'));
    opened.forEach(details => { details.open = true; });
  });
  addEventListener('afterprint', () => opened.forEach(details => { details.open = false; }));
})();
