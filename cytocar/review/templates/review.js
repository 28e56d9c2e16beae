// The bench: drag a gate or type a number, see what the count becomes. Without this script typing and saving work too.
"use strict";

const bench = document.querySelector(".bench[data-try]");
const form = document.getElementById("move");
const PAUSE = 250;

// ---------------------------------------------------------------- the report, and names

async function followReport() {
  const shown = document.getElementById("report");
  while (shown && shown.classList.contains("drawing")) {
    await new Promise(resolve => setTimeout(resolve, 1200));
    try {
      const said = await (await fetch(document.body.dataset.state)).json();
      shown.className = "report-state " + said.report;
      shown.textContent = said.words;
    } catch {
      return;  // the review has ended
    }
  }
}
followReport();

for (const field of document.querySelectorAll(".by")) {
  field.addEventListener("input", () => {
    for (const other of document.querySelectorAll(".by")) other.value = field.value;
  });
}
const notice = document.getElementById("notice");
if (notice) notice.focus({preventScroll: notice.classList.contains("good")});

// ---------------------------------------------------------------- one gate on the bench

function startBench() {
  const inputs = Array.from(form.querySelectorAll("input[data-was]"));
  const byName = new Map(inputs.map(input => [input.name.slice("number:".length), input]));
  const find = id => document.getElementById(id);
  const compare = form.querySelector(".compare");
  const first = {percent: find("percent").textContent, events: find("events").textContent};
  let timer = 0, dirty = false, leaving = false;

  const typed = () => Object.fromEntries(Array.from(byName, ([name, input]) => [name, input.value]));

  const asking = newestOnly(async asked => {
    if (asked.whole || asked.undo) compare.classList.add("waiting");
    try {
      show(await sendJson(bench.dataset.try, asked), asked);
    } catch {
      trouble({code: "", message: "The server of this page does not answer.", fix: "Is `cytocar review` still running in its terminal?"});
    }
  });
  const ask = asking.ask;

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(() => ask({typed: typed(), whole: true}), PAUSE);
  }

  function show(said, asked) {
    if (said.error) { trouble(said.error); return; }
    find("trouble").hidden = true;
    for (const [name, text] of Object.entries(said.numbers || {})) byName.get(name).value = text;
    for (const line of said.outlines || []) {
      for (const field of bench.querySelectorAll(`[data-view="${line.view}"]`)) {
        for (const path of field.querySelectorAll("path[data-gate]")) {
          if (path.dataset.gate === line.gate) path.setAttribute("d", line.path);
        }
      }
    }
    for (const place of said.handles || []) put(place);
    find("percent").textContent = said.percent || "–";
    find("events").textContent = said.events;
    find("was").hidden = said.events === first.events;
    if (said.compared) {
      compare.classList.remove("waiting");
      for (const one of said.compared) {
        const row = Array.from(compare.tBodies[0].rows).find(row => row.dataset.name === one.name);
        if (!row) continue;
        row.querySelector(".after").textContent = one.after;
        row.classList.toggle("differs", one.after !== one.before);
      }
      const list = find("consequences");
      list.replaceChildren(...said.consequences.map(words => {
        const item = document.createElement("li");
        item.textContent = words;
        return item;
      }));
      list.hidden = !said.consequences.length;
    }
    if (!asked.undo) mark();
  }

  function trouble(error) {
    const place = find("trouble");
    const head = document.createElement("b");
    head.textContent = error.code + " ";
    const fix = document.createElement("p");
    fix.className = "fix";
    fix.textContent = error.fix;
    place.replaceChildren(head, error.message, fix);
    place.hidden = false;
    compare.classList.remove("waiting");
    mark();
  }

  function mark() {
    const changed = inputs.filter(input => input.value.trim() !== input.dataset.was);
    for (const input of inputs) input.classList.toggle("changed", changed.includes(input));
    dirty = changed.length > 0;
    const words = find("unsaved");
    words.classList.toggle("dirty", dirty);
    if (!dirty) words.textContent = "As in the run: nothing to save.";
    else if (changed.length > 3) words.textContent = `Not saved: ${changed.length} numbers differ from the run.`;
    else words.textContent = "Not saved: " + changed.map(input =>
      `${input.name.slice("number:".length)} ${input.dataset.was} → ${input.value.trim()}`).join(", ");
    find("save").disabled = !dirty;
    for (const button of document.querySelectorAll(".look button")) {
      button.disabled = dirty;
      button.title = dirty ? "save the gate or put it back first" : "";
    }
  }

  // ------------------------------------------------------------ typing

  for (const input of inputs) {
    input.addEventListener("input", () => { mark(); soon(); });
    input.addEventListener("keydown", event => {
      if (event.key === "Enter") { event.preventDefault(); clearTimeout(timer); ask({typed: typed(), whole: true}); }
    });
  }
  form.addEventListener("reset", () => setTimeout(() => {
    for (const input of inputs) input.value = input.dataset.was;
    mark();
    ask({typed: typed(), whole: true});
  }));
  form.addEventListener("submit", () => {
    leaving = true;
    find("unsaved").textContent = "Saving: the sample is counted again …";
    setTimeout(() => { for (const button of form.querySelectorAll("button")) button.disabled = true; });
  });
  window.addEventListener("beforeunload", event => { if (dirty && !leaving) event.preventDefault(); });
  const tryUndo = find("try-undo");
  if (tryUndo) {
    tryUndo.hidden = false;
    tryUndo.addEventListener("click", () => ask({typed: typed(), undo: true}));
  }

  // ------------------------------------------------------------ dragging, by pointer and by arrow keys

  function put(place) {
    for (const handle of bench.querySelectorAll(`[data-view="${place.view}"] .handle`)) {
      if (handle.dataset.handle !== place.id) continue;
      handle.setAttribute("aria-valuetext", place.value);
      if (handle.classList.contains("held")) continue;
      move(handle, place.x, place.y);
    }
  }

  const move = placeHandle;

  for (const handle of bench.querySelectorAll(".handle")) {
    makeDraggable(handle, {
      taken: typed,
      busy: asking.busy,
      follow(x, y, taken) {
        const view = Number(handle.closest("[data-view]").dataset.view);
        ask({typed: taken, drag: {view, handle: handle.dataset.handle, x, y}});
      },
      released: settle,
    });
  }

  // Count the whole sample when the answers to a drag have come.
  function settle() {
    clearTimeout(timer);
    timer = setTimeout(() => { if (asking.busy()) settle(); else ask({typed: typed(), whole: true}); }, PAUSE);
  }

  mark();
  if (dirty) ask({typed: typed(), whole: true});
}

if (bench && form && bench.dataset.can) startBench();
