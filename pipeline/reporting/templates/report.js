"use strict";

const byId = (id) => document.getElementById(id);
const data = (id) => JSON.parse(byId(id).textContent);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/* Files that the reader saves. Text that a spreadsheet would compute is made plain text. */

const plain = (value) => (typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : value);
const cellOf = (value) => `"${String(plain(value ?? "")).replaceAll('"', '""')}"`;

function saveAs(name, rows) {
  const text = rows.map((row) => row.map(cellOf).join(",")).join("\r\n");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(["\ufeff", text, "\r\n"], { type: "text/csv" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/* The viewer: one page before and after, with a divider between them and a magnifying glass. */

function startViewer() {
  const NEAR = 24; // px from the divider that take hold of it
  const MOST = 12; // times the fitting size
  const STEP = 60; // px that an arrow key moves
  const stage = byId("stage"), divider = byId("divider");
  const entries = [...document.querySelectorAll("[data-view]")];
  const state = { page: 0, view: "whole", pair: null, views: {}, zoom: 1, x: 0, y: 0, beside: false };
  const shown = data("pages-shown"), fine = new Set();

  function show(page) {
    state.page = page;
    state.views = data(`view-${page}`);
    entries.forEach((entry, index) => {
      if (index === page) entry.setAttribute("aria-current", "true");
      else entry.removeAttribute("aria-current");
    });
    reveal(entries[page]);
    tell(shown[page]);
    byId("fine").checked = fine.has(page);
    byId("previous").disabled = page === 0;
    byId("next").disabled = page === entries.length - 1;
    byId("closeup").disabled = !state.views.closeup;
    look(state.views[state.view] ? state.view : "whole");
  }

  function reveal(entry) {
    const strip = byId("strip"), item = entry.parentElement;
    const middle = (start, size, room) => start - (room - size) / 2;
    strip.scrollTop = middle(item.offsetTop, item.offsetHeight, strip.clientHeight);
    strip.scrollLeft = middle(item.offsetLeft, item.offsetWidth, strip.clientWidth);
  }

  function tell({ name, why, facts, notes }) {
    byId("title").textContent = name;
    byId("why").textContent = [why, ...notes].filter(Boolean).join(" ");
    byId("before").alt = `Scan of ${name}`;
    byId("after").alt = `${name}, cleaned`;
    byId("facts").replaceChildren(
      ...facts.map(([title, value]) => {
        const group = document.createElement("div");
        for (const [tag, text] of [["dt", title], ["dd", value]]) {
          group.appendChild(document.createElement(tag)).textContent = text;
        }
        return group;
      }),
    );
  }

  function look(view) {
    state.view = view;
    state.pair = state.views[view] ?? null;
    for (const name of ["whole", "closeup"]) byId(name).setAttribute("aria-pressed", name === view);
    for (const name of ["before", "after"]) {
      const image = byId(name), source = state.pair?.[name];
      image.hidden = !source;
      if (!source) continue;
      image.width = state.pair.width;
      image.height = state.pair.height;
      image.src = source;
    }
    byId("missing").hidden = state.pair !== null;
    byId("missing").textContent = state.pair ? "" : "There is no picture of this page.";
    fit();
  }

  function fit() {
    state.zoom = 1;
    place();
  }

  /* Width of what a page is shown on: the stage, or half of it. */
  const room = () => stage.clientWidth / (state.beside ? 2 : 1);

  function scale() {
    const { width, height } = state.pair;
    return Math.min(room() / width, stage.clientHeight / height, 2) * state.zoom;
  }

  /* Keep a magnified page on the stage, and a smaller one in its middle. */
  function settle(start, size, room) {
    return size <= room ? (room - size) / 2 : clamp(start, room - size, 0);
  }

  function place() {
    byId("fit").textContent = `${Number(state.zoom.toFixed(1))}×`;
    stage.classList.toggle("magnified", state.zoom > 1);
    byId("handle").hidden = state.beside || !(state.pair?.before && state.pair?.after);
    byId("divider").disabled = state.beside;
    if (!state.pair) return;
    const size = scale(), width = state.pair.width * size;
    state.x = settle(state.x, width, room());
    state.y = settle(state.y, state.pair.height * size, stage.clientHeight);
    for (const name of ["before", "after"]) {
      const x = state.x + (state.beside && name === "after" ? room() : 0);
      byId(name).style.transform = `translate(${x}px, ${state.y}px) scale(${size})`;
    }
    cut();
  }

  /* The part of the stage, in px, that the page covers and the divider runs over. */
  function covered() {
    const right = state.x + state.pair.width * scale();
    return [Math.max(0, state.x), Math.min(stage.clientWidth, right)];
  }

  function cut() {
    byId("left").style.clipPath = state.beside ? "inset(0 50% 0 0)" : "none";
    if (state.beside) {
      byId("cut").style.clipPath = "inset(0 0 0 50%)";
      return;
    }
    const [left, right] = covered();
    const both = state.pair.before && state.pair.after;
    const at = both ? left + ((right - left) * divider.value) / 100 : 0;
    byId("cut").style.clipPath = `inset(0 0 0 ${at}px)`;
    byId("handle").style.left = `${at}px`;
    divider.setAttribute("aria-valuetext", `${divider.value} % scan`);
  }

  function cutAt(x) {
    const [left, right] = covered();
    divider.value = (100 * (x - left)) / (right - left);
    cut();
  }

  function zoomBy(factor, at = room() / 2, y = stage.clientHeight / 2) {
    if (!state.pair) return;
    const x = at % room();
    const before = scale();
    state.zoom = clamp(state.zoom * factor, 1, MOST);
    const grown = scale() / before;
    state.x = x - (x - state.x) * grown;
    state.y = y - (y - state.y) * grown;
    place();
  }

  function moveBy(x, y) {
    state.x += x;
    state.y += y;
    place();
  }

  /* One pointer moves the divider or a magnified page, two pinch. */
  const held = new Map();
  let divides = false;
  const spot = (event) => {
    const box = stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  function press(event) {
    if (!state.pair || event.button > 0) return;
    const [x, y] = spot(event);
    held.set(event.pointerId, [x, y]);
    stage.setPointerCapture(event.pointerId);
    divides = !state.beside && (state.zoom === 1 || Math.abs(x - parseFloat(byId("handle").style.left)) < NEAR);
    if (divides && held.size === 1) cutAt(x);
  }

  function drag(event) {
    const last = held.get(event.pointerId);
    if (!last) return;
    const now = spot(event);
    held.set(event.pointerId, now);
    const other = [...held].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const far = ([x, y]) => Math.hypot(x - other[0], y - other[1]);
      zoomBy(far(now) / Math.max(1, far(last)), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    } else if (divides) cutAt(now[0]);
    else moveBy(now[0] - last[0], now[1] - last[1]);
  }

  function type(event) {
    const moves = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "+" || event.key === "=") zoomBy(1.5);
    else if (event.key === "-") zoomBy(1 / 1.5);
    else if (event.key === "0") fit();
    else if (state.zoom > 1 && moves[event.key]) moveBy(...moves[event.key]);
    else return;
    event.preventDefault();
  }

  stage.addEventListener("pointerdown", press);
  stage.addEventListener("pointermove", drag);
  for (const end of ["pointerup", "pointercancel"]) {
    stage.addEventListener(end, (event) => held.delete(event.pointerId));
  }
  stage.addEventListener("keydown", type);
  stage.addEventListener("dblclick", (event) => (state.zoom > 1 ? fit() : zoomBy(3, ...spot(event))));
  stage.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return; // a wheel alone scrolls the report; a pinched touchpad says Ctrl
    event.preventDefault();
    zoomBy(Math.exp(-event.deltaY / 150), ...spot(event));
  }, { passive: false });
  divider.addEventListener("input", () => state.pair && cut());
  entries.forEach((entry, page) => entry.addEventListener("click", () => show(page)));
  byId("previous").addEventListener("click", () => show(state.page - 1));
  byId("next").addEventListener("click", () => show(state.page + 1));
  for (const view of ["whole", "closeup"]) byId(view).addEventListener("click", () => look(view));
  byId("beside").addEventListener("click", () => {
    state.beside = !state.beside;
    byId("beside").setAttribute("aria-pressed", state.beside);
    fit();
  });
  byId("fine").addEventListener("change", () => {
    if (byId("fine").checked) fine.add(state.page);
    else fine.delete(state.page);
    byId("marks").disabled = fine.size === 0;
    byId("marks").textContent = fine.size ? `Save ${fine.size} mark${fine.size === 1 ? "" : "s"}` : "Save marks";
  });
  byId("marks").addEventListener("click", () => {
    saveAs("accepted.csv", [data("mark-columns"), ...[...fine].sort((a, b) => a - b).map((page) => shown[page].mark)]);
  });
  byId("in").addEventListener("click", () => zoomBy(1.5));
  byId("out").addEventListener("click", () => zoomBy(1 / 1.5));
  byId("fit").addEventListener("click", fit);
  new ResizeObserver(place).observe(stage);
  show(0);

  return (page) => {
    show(page);
    byId("title").focus({ preventScroll: true });
    byId("look").scrollIntoView();
  };
}

/* The table: all rows are data, and some of them stand in the document. */

function startTable(open) {
  const CHUNK = 100;
  const { columns, rows, pictured } = data("table");
  const views = new Map(pictured.map((row, view) => [row, view]));
  const statusAt = columns.findIndex((column) => column.name === "status");
  const texts = columns.flatMap((column, index) => (column.kind === "text" ? [index] : []));
  const collator = new Intl.Collator("en", { numeric: true });
  const formats = {
    share: (value) => `${(100 * value).toFixed(1)} %`,
    number: (value) => value.toFixed(value < 10 ? 2 : 0),
    count: (value) => value.toLocaleString("en"),
  };
  const everything = rows.map((_, index) => index);
  let found = everything, shown = 0, order = { column: -1, down: false };

  /* Column -1 is the order of need, in which the rows came. */
  function heading(title, about, column) {
    const cell = document.createElement("th"), button = document.createElement("button");
    cell.scope = "col";
    button.type = "button";
    button.textContent = title;
    if (about) button.title = about;
    if (column < 0 || ["share", "number", "count"].includes(columns[column].kind)) cell.className = "number";
    button.addEventListener("click", () => sortBy(column));
    cell.append(button);
    return cell;
  }

  function sortBy(column) {
    const first = column >= 0 && ["share", "number"].includes(columns[column].kind); // large ones first
    order = { column, down: column === order.column ? !order.down : first };
    refresh();
  }

  function compare(a, b) {
    if (order.column < 0) return order.down ? b - a : a - b;
    const one = rows[a][order.column], two = rows[b][order.column];
    if (one === null || two === null) return (one === null) - (two === null) || a - b; // unknown last
    const sign = typeof one === "string" ? collator.compare(one, two) : one - two;
    return (order.down ? -sign : sign) || a - b;
  }

  function matches(index) {
    const status = byId("status").value, words = byId("find").value.trim().toLowerCase();
    const row = rows[index];
    return (!status || row[statusAt] === status)
      && (!words || texts.some((column) => row[column]?.toLowerCase().includes(words)));
  }

  function refresh() {
    found = everything.filter(matches).sort(compare);
    shown = 0;
    byId("rows").replaceChildren();
    [...byId("columns").children].forEach((cell, index) => {
      if (index - 1 === order.column) cell.setAttribute("aria-sort", order.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    });
    more();
  }

  function more() {
    const next = found.slice(shown, shown + CHUNK);
    shown += next.length;
    byId("rows").append(...next.map(line));
    byId("more").hidden = shown === found.length;
    byId("count").textContent = `${shown.toLocaleString("en")} of ${found.length.toLocaleString("en")} shown`;
  }

  function line(index) {
    const row = document.createElement("tr");
    row.append(cell("number", index + 1), ...columns.map((column, at) => value(column, rows[index][at], index)));
    return row;
  }

  function value(column, content, index) {
    if (content === null) return cell(column.kind === "text" ? "text" : "number", "");
    if (column.kind === "status") {
      const made = cell("", "");
      const state = made.appendChild(document.createElement("span"));
      state.className = `state ${content}`;
      state.textContent = content;
      return made;
    }
    if (column.kind !== "text") return cell("number", formats[column.kind](content));
    if (column.name !== "source" || !views.has(index)) return cell("text", content);
    const made = cell("text", "");
    const button = made.appendChild(document.createElement("button"));
    button.type = "button";
    button.textContent = content;
    button.addEventListener("click", () => open(views.get(index)));
    return made;
  }

  function cell(name, content) {
    const made = document.createElement("td");
    made.className = name;
    made.textContent = content;
    return made;
  }

  byId("columns").append(
    heading("Need", "1 is the page to look at first", -1),
    ...columns.map((column, index) => heading(column.title, column.about, index)),
  );
  byId("find").addEventListener("input", refresh);
  byId("status").addEventListener("input", refresh);
  byId("filter").addEventListener("submit", (event) => event.preventDefault());
  byId("more").addEventListener("click", more);
  byId("csv").addEventListener("click", () => {
    saveAs("pages.csv", [columns.map(({ title }) => title), ...found.map((index) => rows[index])]);
  });
  refresh();
}

const open = byId("strip") ? startViewer() : () => {};
startTable(open);
