// The editor: every action goes to the server, which answers with the parts of the page that it may have changed.
"use strict";

const find = id => document.getElementById(id);
const tools = find("tools");
let corners = [];

// ---------------------------------------------------------------- one action

async function act(asked) {
  try {
    const answer = await sendJson(document.body.dataset.do, asked);
    show(answer);
    return answer;
  } catch {
    trouble({code: "", message: "The server of this page does not answer.", fix: "Is `cytocar template edit` still running in its terminal?"});
    return {error: {}};
  }
}

function show(answer) {
  const focused = focusKey(document.activeElement);
  const open = [".scales", ".numbers-of-gate"].filter(part => document.querySelector(part)?.open);
  for (const [id, html] of Object.entries(answer.fragments || {})) find(id).innerHTML = html;
  if (answer.saving !== undefined) find("saving-content").innerHTML = answer.saving;
  for (const part of open) if (document.querySelector(part)) document.querySelector(part).open = true;
  if (answer.error) trouble(answer.error);
  else find("trouble").hidden = true;
  find("done").hidden = !answer.notice;
  find("done").textContent = answer.notice || "";
  if (answer.fragments) {
    wire();
    if (focused) document.querySelector(focused)?.focus({preventScroll: true});
  }
}

// Return a selector for what had the focus: the parts of the page are new after each action.
function focusKey(element) {
  if (!element || element === document.body) return "";
  if (element.id) return "#" + CSS.escape(element.id);
  for (const name of ["handle", "take", "enter", "switch", "combine", "reorder", "do", "open"]) {
    if (element.dataset[name] !== undefined) {
      const form = element.closest("form") ? "form " : "";
      return `${form}[data-${name}="${CSS.escape(element.dataset[name])}"]`;
    }
  }
  return element.classList.contains("surface") ? ".surface" : "";
}

function trouble(error) {
  const head = document.createElement("b");
  head.textContent = (error.code || "") + " ";
  const fix = document.createElement("p");
  fix.className = "fix";
  fix.textContent = error.fix || "";
  find("trouble").replaceChildren(head, error.message || "", fix);
  find("trouble").hidden = false;
}

// ---------------------------------------------------------------- drawing

const tool = () => tools.elements.tool.value;

function pickTool(value) {
  for (const choice of tools.elements.tool) choice.checked = choice.value === value;
  toolPicked();
}

function toolPicked() {
  corners = [];
  outline([]);
  document.body.classList.toggle("drawing-now", tool() !== "");
}

const inside = place => [Math.min(1, Math.max(0, place.x)), Math.min(1, Math.max(0, place.y))];

function outline(points, closed = true) {
  const drawing = find("drawing");
  if (!drawing) return;
  const text = points.map(([x, y]) => `${(SIZE * x).toFixed(1)} ${(SIZE * (1 - y)).toFixed(1)}`);
  drawing.setAttribute("d", text.length ? "M" + text.join("L") + (closed ? "z" : "") : "");
}

function box([left, bottom], [right, top]) {
  if (tool() === "range") return [[left, -1], [right, -1], [right, 2], [left, 2]];
  if (tool() === "ellipse") {
    return Array.from({length: 48}, (_, n) => [
      (left + right) / 2 + (right - left) / 2 * Math.cos(n * Math.PI / 24),
      (bottom + top) / 2 + (top - bottom) / 2 * Math.sin(n * Math.PI / 24),
    ]);
  }
  return [[left, bottom], [right, bottom], [right, top], [left, top]];
}

async function drawn(points) {
  const answer = await act({action: "draw", tool: tool(), points});
  if (answer.error) { outline([]); corners = []; return; }
  pickTool("");
  const name = find("name");
  if (name) { name.focus(); name.select(); }
}

function wireSurface() {
  const surface = document.querySelector(".surface"), field = surface.closest("svg");
  surface.addEventListener("pointerdown", event => {
    if (event.button !== 0 || !tool() || tool() === "polygon") return;
    event.preventDefault();
    const start = inside(placeOn(field, event));
    if (tool() === "quadrant") { drawn([start]); return; }
    surface.setPointerCapture(event.pointerId);
    let end = start;
    const follow = moved => { end = inside(placeOn(field, moved)); outline(box(start, end)); };
    surface.addEventListener("pointermove", follow);
    const let_go = () => {
      surface.removeEventListener("pointermove", follow);
      outline([]);
      if (Math.hypot(end[0] - start[0], end[1] - start[1]) > 0.005) drawn([start, end]);
    };
    surface.addEventListener("pointerup", let_go, {once: true});
  });
  surface.addEventListener("click", event => {
    if (tool() !== "polygon") return;
    const place = inside(placeOn(field, event));
    const again = corners.length > 2 && Math.hypot(place[0] - corners[0][0], place[1] - corners[0][1]) < 0.025;
    if (event.detail > 1 || again) {
      if (corners.length > 2) drawn(corners);
      return;
    }
    corners.push(place);
    outline(corners, false);
  });
  surface.addEventListener("pointermove", event => {
    if (tool() === "polygon" && corners.length) outline([...corners, inside(placeOn(field, event))], corners.length > 1);
  });
  surface.addEventListener("keydown", event => {
    if (event.key !== "Enter" || !tool()) return;
    event.preventDefault();
    if (tool() === "polygon" && corners.length > 2) drawn(corners);
    else if (tool() === "polygon") drawn([[0.3, 0.3], [0.7, 0.3], [0.7, 0.7], [0.3, 0.7]]);
    else drawn(tool() === "quadrant" ? [[0.5, 0.5]] : [[0.3, 0.3], [0.7, 0.7]]);
  });
}

// ---------------------------------------------------------------- dragging

let last = null;

const trials = newestOnly(async asked => {
  try {
    const answer = await sendJson(document.body.dataset.do, {...asked, trial: true});
    if (answer.error) { trouble(answer.error); return; }
    answer.outlines.forEach((gates, number) => {
      for (const field of document.querySelectorAll(`svg[data-tube="${number}"]`)) {
        for (const path of field.querySelectorAll("path[data-gate]")) {
          const gate = gates.find(one => one.gate === path.dataset.gate);
          if (gate) path.setAttribute("d", gate.path);
        }
      }
    });
    for (const grip of answer.grips) {
      const handle = document.querySelector(`[data-handle="${CSS.escape(grip.id)}"]`);
      if (!handle) continue;
      handle.setAttribute("aria-valuetext", grip.value);
      if (!handle.classList.contains("held") && handle !== document.activeElement) placeHandle(handle, grip.x, grip.y);
    }
    find("counts").innerHTML = answer.counts;
  } catch {
    trouble({message: "The server of this page does not answer."});
  }
});

// Keep where a drag has ended once the answers on the way have come.
let timer = 0;
function keep(soon) {
  clearTimeout(timer);
  timer = setTimeout(() => {
    if (trials.busy()) { keep(soon); return; }
    if (last) { const asked = last; last = null; act(asked); }
  }, soon);
}

function wireHandles() {
  for (const handle of document.querySelectorAll(".handle")) {
    let keys = false;
    handle.addEventListener("keydown", () => { keys = true; });
    handle.addEventListener("pointerdown", () => { keys = false; });
    makeDraggable(handle, {
      taken: () => null,
      busy: trials.busy,
      follow(x, y) {
        last = {action: "drag", handle: handle.dataset.handle, x, y};
        trials.ask(last);
      },
      released: () => keep(keys ? 400 : 10),
    });
  }
}

// ---------------------------------------------------------------- the other parts

function wire() {
  wireSurface();
  wireHandles();
  const on = (selector, kind, handler) => {
    for (const element of document.querySelectorAll(selector)) element.addEventListener(kind, event => handler(element, event));
  };
  on("[data-take]", "click", one => act({action: "take", name: one.dataset.take}));
  on("[data-enter]", "click", one => act({action: "enter", name: one.dataset.enter}));
  on("[data-switch]", "click", one => act({action: "switch", name: one.dataset.switch}));
  on("[data-delete]", "click", one => act({action: "delete", name: one.dataset.delete}));
  on("[data-open]", "click", one => act({action: "look", tube: Number(one.dataset.open)}));
  on("button[data-do]", "click", one => act({action: one.dataset.do}));
  on("[data-reorder]", "click", one => act({action: "reorder", name: taken(), by: Number(one.dataset.reorder)}));
  on("#role", "change", one => act({action: "role", name: taken(), role: one.value}));
  on("#x", "change", one => act({action: "look", x: one.value}));
  on("#y", "change", one => act({action: "look", y: one.value}));
  on("#style", "change", one => act({action: "look", dots: one.value === "dots"}));
  on("#back", "change", one => act({action: "look", back: one.value}));
  on("[data-combine]", "click", one => act({action: "combine", name: one.dataset.combine}));
  on("[data-part]", "change", () => {
    const parts = Array.from(document.querySelectorAll("[data-part]"), one => [one.dataset.part, one.value]);
    act({action: "parts", name: taken(), parts: Object.fromEntries(parts)});
  });
  on("[data-gate-number]", "change", one => act({action: "number", name: taken(), number: one.dataset.gateNumber, value: one.value}));
  on("#swap", "click", () => act({action: "look", x: find("y").value}));
  on("#save", "click", openSaving);
  on("#exclude input", "change", () => {
    const excluded = Array.from(document.querySelectorAll("#exclude input:checked"), one => one.value);
    act({action: "exclude", name: taken(), excluded});
  });
  on(".scales input", "change", one => act({action: "scale", marker: one.dataset.marker, number: one.dataset.number, value: Number(one.value)}));
  on("#population", "submit", (form, event) => { event.preventDefault(); rename(); });
  on("#name", "change", rename);
  on(".axes-choice", "submit", (form, event) => event.preventDefault());
  toolPicked();
}

const taken = () => find("population").dataset.name;

function rename() {
  const form = find("population");
  if (form && find("name").value !== form.dataset.name) {
    const asked = {action: "rename", name: form.dataset.name, new: find("name").value};
    form.dataset.name = asked.new;  // Enter and the change that follows it are one renaming
    act(asked);
  }
}

async function openSaving() {
  await act({action: "saving"});
  if (!find("saving").open) find("saving").showModal();
}

find("saving").addEventListener("submit", async event => {
  if (event.target.id === "save-form") {
    event.preventDefault();
    await act({action: "save", version: find("version").value});
  } else if (event.target.id === "accept-form") {
    event.preventDefault();
    const codes = [...event.target.querySelectorAll("input[name=doubt]:checked")].map(box => box.value);
    await act({action: "accept", codes, by: find("accepted-by").value, reason: find("accepted-reason").value});
  } else if (event.target.id === "lock-form") {
    event.preventDefault();
    const answer = await act({action: "lock", by: find("by").value, reason: find("reason").value});
    if (!answer.error) find("saving").close();
  }
});
find("saving").addEventListener("close", () => find("save").focus());

tools.addEventListener("change", toolPicked);
tools.addEventListener("submit", event => event.preventDefault());
document.addEventListener("keydown", event => {
  const typing = event.target.matches("input:not([type=radio]):not([type=range])");
  const control = event.ctrlKey || event.metaKey;
  if (event.key === "Escape" && !find("saving").open) pickTool("");
  else if (control && event.key.toLowerCase() === "s") { event.preventDefault(); openSaving(); }
  else if (control && !typing && (event.key.toLowerCase() === "y" || (event.shiftKey && event.key.toLowerCase() === "z"))) { event.preventDefault(); act({action: "redo"}); }
  else if (control && !typing && event.key.toLowerCase() === "z") { event.preventDefault(); act({action: "undo"}); }
});
window.addEventListener("beforeunload", event => { if (find("unsaved")) event.preventDefault(); });
document.querySelector("form.close").addEventListener("submit", () => find("unsaved")?.remove());

wire();
