"use strict";

// A click on a heading sorts the rows of each group, the best first where a direction is known; a second click reverses the
// order. Missing values stay last.
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

// A click on a figure shows it in full size; a click or Escape closes it.
const zoom = document.getElementById("zoom");
for (const button of document.querySelectorAll("button.zoom")) {
  button.addEventListener("click", () => {
    const picture = button.querySelector("img"), shown = zoom.querySelector("img");
    shown.src = picture.src;
    shown.alt = picture.alt;
    shown.className = picture.className;
    zoom.showModal();
    zoom.scrollTo(0, 0);
  });
}
zoom.addEventListener("click", () => zoom.close());

// A timeline shows one sheet at a time, of the slider's moment and the chosen kind. The slider of the first timeline also
// moves the vertical line in the curves and updates the values beside their names.
for (const timeline of document.querySelectorAll(".timeline")) {
  const moments = timeline.dataset.moments.split(" "), slider = timeline.querySelector("input[type=range]");
  const frames = [...timeline.querySelectorAll("img")], last = frames.find(frame => !frame.hidden).dataset;
  const show = () => {
    const moment = slider ? slider.value : last.moment;
    const kind = timeline.querySelector("input[type=radio]:checked")?.value ?? last.kind;
    const label = `${moments[moment]} kimg, ${kind}`;
    frames.forEach(frame => { frame.hidden = frame.dataset.moment !== moment || frame.dataset.kind !== kind; });
    timeline.querySelector(".absent").hidden = frames.some(frame => !frame.hidden);
    timeline.querySelector("output").textContent = label;
    slider?.setAttribute("aria-valuetext", label);
    if ("leads" in timeline.dataset) mark(Number(moment), Number(moments[moment]));
  };
  timeline.addEventListener("input", show);
  timeline.querySelector(".controls").hidden = false;
  show();
}

function mark(moment, kimg) {
  for (const chart of document.querySelectorAll(".chart svg")) {
    const { left, right, end } = chart.dataset;
    const x = Number(left) + Math.min(1, kimg / end) * (right - left);
    chart.querySelector(".now").setAttribute("transform", `translate(${x.toFixed(1)})`);
    chart.classList.add("marked");
  }
  for (const value of document.querySelectorAll(".chart .value")) {
    value.textContent = value.dataset.values.split(" ")[moment] ?? value.textContent;
  }
}

// Typing into a filter hides the settings that do not contain the text.
for (const filter of document.querySelectorAll("input.filter")) {
  const rows = [...filter.parentElement.querySelectorAll("tr")];
  filter.hidden = false;
  filter.addEventListener("input", () => {
    const word = filter.value.trim().toLowerCase();
    rows.forEach(row => { row.hidden = !row.textContent.toLowerCase().includes(word); });
  });
}
