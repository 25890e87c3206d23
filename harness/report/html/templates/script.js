"use strict"
const all = (selector, within = document) => [...within.querySelectorAll(selector)]

// Pages from a file have no clipboard in some browsers: then the text is selected in a field of its own.
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    const field = document.createElement("textarea")
    field.value = text
    field.style.cssText = "position:fixed;opacity:0"
    document.body.append(field)
    field.select()
    const done = document.execCommand("copy")
    field.remove()
    return done
  }
}

for (const button of all("button.copy")) {
  const text = button.textContent
  button.hidden = false
  button.addEventListener("click", async () => {
    button.textContent = await copied(button.previousElementSibling.textContent) ? "copied" : "not copied: select the text"
    setTimeout(() => { button.textContent = text }, 1500)
  })
}

const sought = cell => cell.dataset.sort ?? cell.textContent.trim()
function order(one, other) {
  const numbers = [one, other].map(text => text.trim() === "" ? NaN : Number(text.replaceAll(",", "")))
  return numbers.some(Number.isNaN) ? one.localeCompare(other) : numbers[0] - numbers[1]
}

for (const table of all(".tabled table")) {
  const body = table.tBodies[0], heads = all("th", table)
  if (heads.length > 2) {
    // In a narrow window each row becomes a few lines, and every cell says which column it is of.
    table.classList.add("stacks")
    for (const row of body.rows) heads.forEach((head, column) => { row.cells[column].dataset.title = head.textContent })
  }
  heads.forEach((head, column) => {
    const button = document.createElement("button")
    button.type = "button"
    button.textContent = head.textContent
    head.replaceChildren(button)
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending"
      heads.forEach(each => each.removeAttribute("aria-sort"))
      head.setAttribute("aria-sort", down ? "descending" : "ascending")
      const sorted = [...body.rows].sort((one, other) => order(sought(one.cells[column]), sought(other.cells[column])))
      body.append(...(down ? sorted.reverse() : sorted))
    })
  })
}

for (const filter of all(".filter")) {
  filter.hidden = false
  const rows = [...filter.parentElement.querySelector("tbody").rows]
  const choose = () => {
    const words = filter.querySelector(".sought").value.toLowerCase().split(/\s+/)
    let shown = 0
    for (const row of rows) {
      const text = row.textContent.toLowerCase()
      const chosen = all("select", filter).every(({ value, dataset }) =>
        value === "" || row.cells[dataset.column].firstChild.textContent.trim() === value)
      row.hidden = !(chosen && words.every(word => text.includes(word)))
      shown += !row.hidden
    }
    filter.querySelector("output").textContent = shown < rows.length ? `${shown} of ${rows.length}` : ""
  }
  filter.addEventListener("input", choose)
  filter.addEventListener("change", choose)
}

// Without this script all is open; with it, long texts wait until somebody wants them.
for (const long of all("details.long")) long.open = false
