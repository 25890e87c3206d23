// The row of the table that is pointed at, or that the arrow keys have come to, is told below every chart of that table.
const charts = all("figure.chart").map(figure => {
  const table = document.getElementById(figure.dataset.values)
  return { figure, table, plot: figure.querySelector(".plot"), columns: figure.dataset.columns.split(" ") }
})

function tell(table, row) {
  for (const { figure, columns } of charts.filter(chart => chart.table === table)) {
    const cursor = figure.querySelector(".cursor")
    const output = figure.querySelector("output")
    cursor.hidden = !row
    output.textContent = ""
    if (!row) continue
    cursor.style.left = `${row.dataset.x / 10}%`
    const heads = all("thead th", table)
    const told = columns.filter(column => !["", "-"].includes(row.cells[column].textContent.trim()))
    output.textContent = [row.cells[0].textContent.trim(),
      ...told.map(column => `${heads[column].textContent.trim()} ${row.cells[column].textContent.trim()}`)].join(" · ")
  }
}

for (const { table, plot } of charts) {
  const rows = all("tbody tr", table)
  if (!rows.length) continue
  let place = -1
  const go = to => {
    place = Math.max(0, Math.min(rows.length - 1, to))
    tell(table, rows[place])
  }
  plot.addEventListener("pointermove", event => {
    const box = plot.getBoundingClientRect()
    const at = (event.clientX - box.left) / box.width * 1000
    const far = rows.map(row => Math.abs(row.dataset.x - at))
    go(far.indexOf(Math.min(...far)))
  })
  plot.addEventListener("pointerleave", () => tell(table, null))
  plot.addEventListener("blur", () => tell(table, null))
  plot.addEventListener("keydown", event => {
    const to = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: rows.length - 1 }[event.key]
    if (to === undefined) return
    event.preventDefault()
    go(to)
  })
}
