"use strict";

// A click on a heading sorts the rows of each group, the best first where that is known; the second click turns the order
// round. What is absent stays last.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const rising = !head.classList.contains("number") || head.querySelector(".better")?.textContent === "↓";
    const sign = head.ariaSort === "descending" || !head.ariaSort && rising ? 1 : -1;
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.ariaSort = sign > 0 ? "ascending" : "descending";
    for (const body of table.tBodies) {
      const rows = [...body.querySelectorAll("tr.row")].map(row => {
        const cell = row.cells[column];
        return { row, value: "order" in cell.dataset ? Number(cell.dataset.order) : NaN, text: cell.textContent };
      });
      rows.sort((a, b) => isNaN(a.value) || isNaN(b.value)
        ? isNaN(a.value) - isNaN(b.value) || sign * a.text.localeCompare(b.text)
        : sign * (a.value - b.value));
      body.append(...rows.map(entry => entry.row));
    }
  }));
}

// A click on a figure shows it as large as it is; a click or Escape closes it.
const zoom = document.getElementById("zoom");
for (const button of document.querySelectorAll("button.zoom")) {
  button.addEventListener("click", () => {
    const picture = button.querySelector("img"), shown = zoom.querySelector("img");
    shown.src = picture.src;
    shown.alt = picture.alt;
    zoom.showModal();
    zoom.scrollTo(0, 0);
  });
}
zoom.addEventListener("click", () => zoom.close());
