// The page is complete without this script: it sorts, filters and copies the table of results.
(() => {
  "use strict";
  const table = document.getElementById("counts");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const headings = Array.from(table.tHead.rows[0].cells);
  const find = document.getElementById("find");
  const which = document.getElementById("which");
  const shown = document.getElementById("shown");
  const text = (cell) => (cell.dataset.value || cell.textContent).trim();

  const order = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const number = (word) => (word === "" ? NaN : Number(word));

  function sort(column, ascending) {
    const keyed = rows.map((row, place) => ({ row, place, word: text(row.cells[column]) }));
    const numeric = keyed.every(({ word }) => word === "" || !Number.isNaN(number(word)));
    keyed.sort((a, b) => {
      if ((a.word === "") !== (b.word === "")) return a.word === "" ? 1 : -1; // the unknown stands last either way
      const by = numeric ? number(a.word) - number(b.word) : order.compare(a.word, b.word);
      return (ascending ? by : -by) || a.place - b.place;
    });
    body.append(...keyed.map(({ row }) => row));
    headings.forEach((heading, place) => {
      heading.setAttribute("aria-sort", place === column ? (ascending ? "ascending" : "descending") : "none");
    });
  }

  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", `Sort by ${heading.textContent.trim()}`);
    heading.append(button);
    heading.setAttribute("aria-sort", "none");
    heading.addEventListener("click", () => sort(column, heading.getAttribute("aria-sort") !== "ascending"));
  });

  function filter() {
    const words = find.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    for (const row of rows) {
      const said = row.textContent.toLocaleLowerCase();
      const kept = words.every((word) => said.includes(word)) && (!which.value || row.dataset.status === which.value);
      row.hidden = !kept;
      left += kept ? 1 : 0;
    }
    shown.textContent = `${left} of ${rows.length} samples`;
  }
  find.addEventListener("input", filter);
  which.addEventListener("change", filter);

  async function copy() {
    const seen = Array.from(body.rows).filter((row) => !row.hidden);
    const lines = [headings.map((heading) => heading.dataset.column)];
    for (const row of seen) lines.push(Array.from(row.cells, text));
    const all = lines.map((line) => line.join("\t")).join("\n");
    try {
      await navigator.clipboard.writeText(all);
    } catch {
      const area = document.createElement("textarea"); // a browser that keeps the clipboard from local files
      area.value = all;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    shown.textContent = `${seen.length} rows copied, with all columns`;
  }
  document.getElementById("copy").addEventListener("click", copy);

  document.querySelector(".tools").hidden = false;
  filter();
})();
