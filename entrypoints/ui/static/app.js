// What pages do in the browser beyond links and forms; everything works without it.
(() => {
  "use strict";

  function localTimes(root) {
    for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
      const moment = new Date(time.dateTime);
      if (Number.isNaN(moment.getTime())) continue;
      time.title = time.textContent + " UTC";
      // As the server writes them: short, in one order everywhere, and of one width in tables.
      const two = (number) => String(number).padStart(2, "0");
      time.textContent =
        `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())} ` +
        `${two(moment.getHours())}:${two(moment.getMinutes())}:${two(moment.getSeconds())}`;
      time.dataset.local = "1";
    }
  }

  function filter(input) {
    const body = document.getElementById(input.dataset.filter);
    if (!body) return;
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    for (const row of body.rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      if (!row.hidden) left += 1;
    }
    const none = input.closest("section.table")?.querySelector("p.none");
    if (none) none.hidden = left > 0;
  }

  function sort(button) {
    const heading = button.closest("th");
    const body = heading.closest("table").tBodies[0];
    const place = Number(button.dataset.sort);
    const down = heading.getAttribute("aria-sort") === "ascending";
    for (const other of heading.parentElement.children) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const said = (row) => row.cells[place]?.dataset.value ?? "";
    const rows = [...body.rows];
    const numeric = rows.every((row) => said(row) === "" || !Number.isNaN(Number(said(row))));
    rows.sort((a, b) => {
      const [x, y] = [said(a), said(b)];
      if (x === "" || y === "") return (x === "" ? 1 : 0) - (y === "" ? 1 : 0);
      const order = numeric ? Number(x) - Number(y) : x.localeCompare(y);
      return down ? -order : order;
    });
    body.append(...rows);
  }

  function toggleTheme() {
    const root = document.documentElement;
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
    document.dispatchEvent(new CustomEvent("interchange:theme"));
  }

  function confirmed(form) {
    const dialog = document.createElement("dialog");
    dialog.className = "card";
    dialog.setAttribute("aria-label", form.dataset.confirm);
    const text = document.createElement("p");
    text.textContent = form.dataset.confirm + " This cannot be undone here.";
    const yes = document.createElement("button");
    yes.className = "danger";
    yes.textContent = "Yes";
    const no = document.createElement("button");
    no.textContent = "No";
    yes.addEventListener("click", () => { form.dataset.sure = "1"; dialog.close(); form.requestSubmit(); });
    no.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    dialog.append(text, yes, " ", no);
    document.body.append(dialog);
    dialog.showModal();
    no.focus();
  }

  document.addEventListener("input", (event) => {
    if (event.target.matches?.("[data-filter]")) filter(event.target);
  });
  document.addEventListener("click", (event) => {
    const target = event.target.closest?.("[data-sort], [data-theme-toggle], [data-copy]");
    if (!target) return;
    if (target.dataset.sort !== undefined) sort(target);
    else if (target.dataset.copy) {
      const text = document.getElementById(target.dataset.copy)?.textContent ?? "";
      navigator.clipboard?.writeText(text).then(() => { target.textContent = "Copied"; });
    } else toggleTheme();
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.confirm && !form.dataset.sure) {
      event.preventDefault();
      confirmed(form);
    }
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches?.("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      const first = document.querySelector("[data-filter]");
      if (first) { event.preventDefault(); first.focus(); }
    }
    if (event.key === "Escape") {
      for (const open of document.querySelectorAll("details.who[open], details.menu-small[open]")) open.open = false;
    }
  });
  document.addEventListener("interchange:swapped", (event) => localTimes(event.detail ?? document));
  for (const name of ["htmx:afterSwap", "htmx:after:swap", "htmx:load"]) {
    document.addEventListener(name, () => localTimes(document));
  }
  localTimes(document);
})();
