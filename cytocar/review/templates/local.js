// What the local pages share: questions to the server, one at a time, and handles that are dragged or moved by keys.
"use strict";

const SIZE = 256;

async function sendJson(address, content) {
  const answer = await fetch(address, {method: "POST", body: JSON.stringify(content)});
  if (answer.headers.get("Content-Type") !== "application/json") throw new Error("refused");
  return answer.json();
}

// One question at a time; of those that wait, only the newest is asked.
function newestOnly(send) {
  let busy = false, next = null;
  return {
    busy: () => busy,
    async ask(question) {
      next = question;
      if (busy) return;
      busy = true;
      while (next) {
        const asked = next;
        next = null;
        await send(asked);
      }
      busy = false;
    },
  };
}

// Return the place of a pointer on a picture, 0 to 1 from end to end.
function placeOn(field, event) {
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(field.getScreenCTM().inverse());
  return {x: point.x / SIZE, y: 1 - point.y / SIZE};
}

function placeHandle(handle, x, y) {
  if (handle.dataset.x !== "") handle.dataset.x = x;
  if (handle.dataset.y !== "") handle.dataset.y = y;
  const right = handle.dataset.x === "" ? 0 : SIZE * handle.dataset.x;
  const down = handle.dataset.y === "" ? 0 : SIZE * (1 - handle.dataset.y);
  handle.setAttribute("transform", `translate(${right.toFixed(2)} ${down.toFixed(2)})`);
  handle.setAttribute("aria-valuenow", (100 * (handle.dataset.x || handle.dataset.y)).toFixed(1));
}

// Let a handle be dragged by the pointer, and by the arrow keys. `follow` hears of each place, with what `taken` returned
// when the handle was taken; `released` is called at the end; keys wait while `busy`.
function makeDraggable(handle, {taken, busy, follow, released}) {
  const field = handle.closest("svg");
  const within = value => Math.min(1, Math.max(0, value));
  const to = (x, y, before) => {
    placeHandle(handle, within(x), within(y));
    follow(Number(handle.dataset.x || 0), Number(handle.dataset.y || 0), before);
  };
  handle.addEventListener("pointerdown", event => {
    if (event.button !== 0) return;
    event.preventDefault();
    event.stopPropagation();
    handle.focus({preventScroll: true});
    handle.setPointerCapture(event.pointerId);
    handle.classList.add("held");
    const start = placeOn(field, event);
    const off = {x: start.x - Number(handle.dataset.x || 0), y: start.y - Number(handle.dataset.y || 0)};
    const before = taken();
    const move = moved => {
      const place = placeOn(field, moved);
      to(place.x - off.x, place.y - off.y, before);
    };
    handle.addEventListener("pointermove", move);
    const let_go = () => {
      handle.classList.remove("held");
      handle.removeEventListener("pointermove", move);
      released();
    };
    handle.addEventListener("pointerup", let_go, {once: true});
    handle.addEventListener("pointercancel", let_go, {once: true});
  });
  handle.addEventListener("keydown", event => {
    const step = (event.shiftKey ? 8 : 1) / SIZE;
    const by = {ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowDown: [0, -step], ArrowUp: [0, step]}[event.key];
    if (!by) return;
    event.preventDefault();
    if (busy()) return;  // a held key asks as fast as it is answered
    to(Number(handle.dataset.x || 0) + by[0], Number(handle.dataset.y || 0) + by[1], taken());
    released();
  });
}
