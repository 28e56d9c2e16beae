// What is folded away on the page opens here: samples, pictures, the long table, the contact sheet.
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);

  // ---------------------------------------------------------------- pictures: copied from their template when seen

  function fill(slot) {
    const kept = byId(slot.dataset.picture);
    if (!kept || slot.querySelector("svg")) return;
    slot.append(kept.content.cloneNode(true));
  }
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      fill(entry.target);
      seen.unobserve(entry.target);
    }
  }, { rootMargin: "300px" });
  function watch(part) {
    for (const slot of part.querySelectorAll(".slot")) {
      seen.observe(slot);
      slot.addEventListener("click", () => enlarge(slot.dataset.picture));
    }
  }

  // ---------------------------------------------------------------- samples: their content when they are opened

  async function unpack(folded) {
    const bytes = Uint8Array.from(atob(folded.content.textContent), (sign) => sign.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    folded.innerHTML = await new Response(stream).text();
    delete folded.dataset.packed;
  }
  async function unfold(sample) {
    const folded = sample.querySelector(":scope > template");
    if (!folded) return;
    if ("packed" in folded.dataset) await unpack(folded);
    if (!folded.isConnected) return; // asked twice at once
    sample.append(folded.content.cloneNode(true));
    folded.remove();
    watch(sample);
  }
  for (const sample of document.querySelectorAll("details.sample")) {
    sample.addEventListener("toggle", () => sample.open && unfold(sample));
  }
  async function openNamed(hash) {
    const sample = hash.startsWith("#s") && byId(hash.slice(1));
    if (!sample || sample.tagName !== "DETAILS") return;
    sample.open = true;
    const folded = sample.querySelector(":scope > template");
    if (folded && "packed" in folded.dataset) await unfold(sample);
    else unfold(sample);
    sample.scrollIntoView();
    sample.querySelector("summary").focus({ preventScroll: true });
  }
  window.addEventListener("hashchange", () => openNamed(location.hash));
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#s"]');
    if (link) openNamed(link.getAttribute("href"));
  });

  // ---------------------------------------------------------------- one gate of all samples, and one picture large

  const data = byId("contact-data") ? JSON.parse(byId("contact-data").textContent) : null;
  const large = byId("large");
  let shown = null; // { place: of the sample in data.samples, view }

  const nameOf = (sample, view) => `p${sample.number}-${view}`;

  function enlarge(name) {
    if (!large || !byId(name)) return;
    const [, number, view, control] = /^p(\d+)-(\d+)(c?)$/.exec(name);
    const place = data.samples.findIndex((sample) => sample.number === Number(number));
    if (place < 0) return;
    shown = { place, view: Number(view) };
    draw(name, control !== "");
    if (!large.open) large.showModal();
  }
  function draw(name, control = false) {
    const sample = data.samples[shown.place];
    byId("large-title").textContent =
      `${sample.sample_id}${control ? ", its control" : ""} \u00b7 ${data.views[sample.gallery][shown.view]} \u00b7 ` +
      `${sample.shares[shown.view]} \u00b7 ${sample.status.replace("_", " ")}`;
    byId("large-picture").replaceChildren(byId(name).content.cloneNode(true));
    byId("large-link").href = `#s${sample.number}`;
  }
  function go(place, view) {
    const sample = data.samples[place];
    if (!sample || view < 0 || view >= data.views[sample.gallery].length) return;
    if (!byId(nameOf(sample, view))) return;
    shown = { place, view };
    draw(nameOf(sample, view));
  }
  function neighbour(rows, columns) {
    const here = data.samples[shown.place];
    if (here.row === null) return shown.place + rows + columns;
    const there = data.samples.findIndex((other) =>
      other.plate === here.plate && other.row === here.row + rows && other.column === here.column + columns);
    return there < 0 && rows === 0 ? shown.place + columns : there;
  }
  if (large) {
    large.addEventListener("keydown", (event) => {
      const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
      if (event.key in moves) go(neighbour(...moves[event.key]), shown.view);
      else if (event.key === "PageDown") go(shown.place, shown.view + 1);
      else if (event.key === "PageUp") go(shown.place, shown.view - 1);
      else return;
      event.preventDefault();
    });
    byId("large-close").addEventListener("click", () => large.close());
    byId("large-link").addEventListener("click", () => large.close());
  }

  function contactSheet() {
    const chosen = byId("contact-view").value.split("-").map(Number);
    const sheet = byId("contact-sheet");
    const [gallery, view] = chosen;
    const groups = new Map();
    for (const sample of data.samples.filter((one) => one.gallery === gallery)) {
      const key = sample.plate === null ? -1 : sample.plate;
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(sample);
    }
    sheet.replaceChildren();
    for (const [plate, samples] of groups) {
      const grid = document.createElement("div");
      grid.className = plate < 0 ? "thumbs" : `thumbs plate-${data.columns[plate]}`;
      for (const sample of samples) {
        const slot = document.createElement("div");
        const button = document.createElement("button"); // over the picture, whose text is not the button's
        button.type = "button";
        button.setAttribute("aria-label", `${sample.sample_id}: ${sample.shares[view]}`);
        slot.append(button);
        slot.className = `slot ${sample.status}`;
        slot.dataset.picture = nameOf(sample, view);
        slot.title = `${sample.sample_id}: ${sample.shares[view]}`;
        if (plate >= 0) {
          slot.dataset.row = sample.row;
          slot.style.gridRow = sample.row + 1;
          slot.style.gridColumn = sample.column + 1;
        } else { // a plate shows by its place whose picture it is
          const whose = document.createElement("bdi");
          whose.className = "whose";
          whose.textContent = sample.sample_id;
          slot.append(whose);
        }
        grid.append(slot);
      }
      sheet.append(grid);
      watch(grid);
    }
  }
  if (data) {
    const select = byId("contact-view");
    data.views.forEach((views, gallery) => views.forEach((title, view) => {
      select.append(new Option(title, `${gallery}-${view}`));
    }));
    select.value = `0-${data.first}`;
    select.addEventListener("change", contactSheet);
    byId("contact").hidden = false;
    const wait = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      wait.disconnect();
      contactSheet();
    }, { rootMargin: "600px" });
    wait.observe(byId("contact"));
  }

  // ---------------------------------------------------------------- a run that grows: look again, but never under a reader's eyes

  const live = byId("live");
  if (live) {
    const QUIET_MS = 20000; // so long nobody has touched the page
    let touched = -QUIET_MS;
    for (const kind of ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"]) {
      window.addEventListener(kind, () => { touched = performance.now(); }, { passive: true });
    }
    setInterval(() => {
      if (performance.now() - touched < QUIET_MS || (large && large.open)) return;
      const open = Array.from(document.querySelectorAll("details.sample[open]"), (sample) => sample.id);
      sessionStorage.setItem("cytocar-live", JSON.stringify({ open, y: scrollY }));
      location.reload();
    }, live.dataset.seconds * 1000);
    const before = sessionStorage.getItem("cytocar-live");
    if (before) {
      const { open, y } = JSON.parse(before);
      for (const sample of open.map(byId)) {
        if (!sample) continue;
        unfold(sample);
        sample.open = true;
      }
      window.addEventListener("load", () => window.scrollTo(0, y));
    }
  }

  // ---------------------------------------------------------------- tables: sorted, filtered, copied

  const text = (cell) => (cell.dataset.value ?? (cell.title.split(" ")[0] || cell.textContent)).trim();
  const order = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const number = (word) => (word === "" ? NaN : Number(word));

  function sortable(table) {
    const body = table.tBodies[0];
    const rows = Array.from(body.rows);
    const headings = Array.from(table.tHead.rows[0].cells);
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
  }

  const find = byId("find");
  const which = byId("which");
  const count = byId("shown");
  if (!find) { // a page of samples alone: who comes here by a link wants one of them
    openNamed(location.hash);
    return;
  }
  const tables = () => Array.from(document.querySelectorAll("table.counts"));
  document.querySelectorAll("table.counts").forEach(sortable);

  async function longTable() {
    const folded = byId("long-table");
    if (folded && "packed" in folded.dataset) await unpack(folded);
    if (folded?.isConnected) {
      folded.after(folded.content.cloneNode(true));
      folded.remove();
      sortable(byId("counts"));
      filter();
    }
    return byId("counts");
  }
  function filter() {
    const words = find.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    let all = 0;
    for (const table of tables()) {
      left = 0;
      all = table.tBodies[0].rows.length;
      for (const row of table.tBodies[0].rows) {
        const words_of_row = row.textContent.toLocaleLowerCase();
        const kept = words.every((word) => words_of_row.includes(word)) && (!which.value || row.dataset.status === which.value);
        row.hidden = !kept;
        left += kept ? 1 : 0;
      }
    }
    count.textContent = `${left} of ${all} samples`;
  }
  find.addEventListener("input", filter);
  which.addEventListener("change", filter);
  byId("all-columns").addEventListener("change", async ({ target }) => {
    const table = await longTable();
    table.closest(".scroll").hidden = !target.checked;
    byId("short-table").hidden = target.checked;
  });

  async function copy() {
    const opened = byId("all-columns").checked;
    const table = await longTable();
    table.closest(".scroll").hidden = !opened;
    const seenRows = Array.from(table.tBodies[0].rows).filter((row) => !row.hidden);
    const lines = [Array.from(table.tHead.rows[0].cells, (heading) => heading.dataset.column)];
    for (const row of seenRows) lines.push(Array.from(row.cells, text));
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
    count.textContent = `${seenRows.length} rows copied, with all columns`;
  }
  byId("copy").addEventListener("click", copy);

  document.querySelector(".tools").hidden = false;
  filter();
  watch(document);
  openNamed(location.hash);
})();
