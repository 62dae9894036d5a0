"use strict";
(() => {
  // Sorting: a click on a header sorts by it, a second one turns the order round.
  const numberOf = (text) => Number(text.replace(/,/g, ""));
  for (const table of document.querySelectorAll("table.sortable")) {
    const headers = [...table.tHead.rows[0].cells];
    const body = table.tBodies[0];
    headers.forEach((header, column) => header.querySelector("button").addEventListener("click", () => {
      const isNumber = header.classList.contains("number");
      const before = header.getAttribute("aria-sort");
      // Numbers start with the largest, which is what one looks for; the first column does not.
      const descending = before ? before === "ascending" : isNumber && column > 0;
      headers.forEach((other) => other.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const keyed = [...body.rows].map((row) => {
        const text = row.cells[column].textContent;
        return [isNumber ? numberOf(text) : text, row];
      });
      const compare = isNumber ? (a, b) => a[0] - b[0] : (a, b) => a[0].localeCompare(b[0]);
      keyed.sort((a, b) => (descending ? compare(b, a) : compare(a, b)));
      body.append(...keyed.map((pair) => pair[1]));
    }));
  }

  // Filtering: rows that hold all the words.
  for (const filter of document.querySelectorAll(".filter")) {
    const rows = filter.nextElementSibling.querySelector("tbody").rows;
    const texts = new Map([...rows].map((row) => [row, row.textContent.toLowerCase()]));
    const status = filter.querySelector("[role=status]");
    filter.querySelector("input").addEventListener("input", (event) => {
      const words = event.target.value.toLowerCase().split(/\s+/);
      let shown = 0;
      for (const [row, text] of texts) {
        row.hidden = !words.every((word) => text.includes(word));
        shown += !row.hidden;
      }
      const all = texts.size.toLocaleString("en");
      status.textContent = shown === texts.size ? `${all} operators` : `${shown.toLocaleString("en")} of ${all} operators`;
    });
  }

  // Memory plans: details of the rectangle that is pointed at or focused; arrow keys move.
  for (const frame of document.querySelectorAll(".plan-frame")) {
    const details = frame.nextElementSibling;
    const plan = frame.querySelector("svg[id]");
    const blocks = [...plan.querySelectorAll(".blocks > rect")];
    const show = (block) => {
      const name = document.createElement("strong");
      name.textContent = block.querySelector("title").textContent;
      details.replaceChildren(name, document.createElement("br"), block.querySelector("desc").textContent);
    };
    const blockOf = (event) => event.target.closest(".blocks > rect");
    for (const kind of ["pointerover", "focusin"]) {
      plan.addEventListener(kind, (event) => blockOf(event) && show(blockOf(event)));
    }
    plan.addEventListener("keydown", (event) => {
      const at = blocks.indexOf(blockOf(event));
      const next = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: blocks.length - 1 }[event.key];
      if (at < 0 || next === undefined) return;
      event.preventDefault();
      const target = blocks[Math.max(0, Math.min(blocks.length - 1, next))];
      blocks[at].setAttribute("tabindex", "-1");
      target.setAttribute("tabindex", "0");
      target.focus();
      target.scrollIntoView({ block: "nearest", inline: "nearest" });
    });
    let zoom = 1;
    for (const button of frame.previousElementSibling.querySelectorAll("[data-zoom]")) {
      button.addEventListener("click", () => {
        const factor = Number(button.dataset.zoom);
        const middle = (frame.scrollLeft + frame.clientWidth / 2) / frame.scrollWidth;
        zoom = factor ? Math.max(1, Math.min(64, zoom * factor)) : 1;
        plan.style.setProperty("--zoom", zoom);
        frame.scrollLeft = middle * frame.scrollWidth - frame.clientWidth / 2;
      });
    }
  }
})();
