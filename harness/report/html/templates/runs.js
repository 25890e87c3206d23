// A run to step through. Everything is on the page already; this shows one run, and beside it one step of it.
for (const shelf of all(".runs")) {
  const runs = all(".run", shelf).map(article => new Run(article))
  if (!runs.length) continue
  shelf.classList.add("live")
  let run = runs[0]

  const choose = chosen => {
    run = chosen
    for (const each of runs) each.article.classList.toggle("current", each === run)
    for (const link of all(".chooser a", shelf))
      link.hash === `#${run.article.id}` ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current")
  }
  const follow = () => {
    const [, id, step] = /^#(run-\d+)(?:-step-(\d+))?$/.exec(location.hash) ?? []
    const wanted = runs.find(each => each.article.id === id)
    if (!wanted) return
    choose(wanted)
    if (step !== undefined) wanted.go(wanted.steps.findIndex(each => each.id === `${id}-step-${step}`), false)
    wanted.article.querySelector(step === undefined ? "h3" : ".viewer").scrollIntoView({ block: "start" })
  }
  choose(run)
  for (const each of runs) each.go(each.steps.findIndex(step => step.classList.contains("key")), false)
  follow()
  addEventListener("hashchange", follow)
  // When all is loaded, the browser scrolls to the fragment by itself, and not where we have the step in view.
  addEventListener("load", () => requestAnimationFrame(follow))

  const keys = {
    ArrowRight: () => run.go(run.at + 1), j: () => run.go(run.at + 1),
    ArrowLeft: () => run.go(run.at - 1), k: () => run.go(run.at - 1),
    Home: () => run.go(0), End: () => run.go(run.steps.length - 1),
    c: () => run.copy(),
    "]": () => leap(1), "[": () => leap(-1),
  }
  function leap(by) {
    choose(runs[(runs.indexOf(run) + by + runs.length) % runs.length])
    run.go(run.at)
  }
  addEventListener("keydown", event => {
    const { top, bottom } = run.article.getBoundingClientRect()
    const elsewhere = event.target.closest("input, select, textarea, .tabled, pre") || bottom < 0 || top > innerHeight
    if (event.ctrlKey || event.metaKey || event.altKey || elsewhere || !Object.hasOwn(keys, event.key)) return
    event.preventDefault()
    keys[event.key]()
  })
}

function Run(article) {
  const one = selector => article.querySelector(selector)
  one(".stage").before(document.querySelector(".controls-of-a-run").content.cloneNode(true))
  const steps = all(".step", article), panel = one(".panel"), range = one("input[type=range]")
  const changed = one(".changed[data-tells]")
  const run = { article, steps, at: 0, go, copy }

  panel.hidden = false
  range.max = steps.length - 1
  one(".first").addEventListener("click", () => go(0))
  one(".back").addEventListener("click", () => go(run.at - 1))
  one(".on").addEventListener("click", () => go(run.at + 1))
  one(".last").addEventListener("click", () => go(steps.length - 1))
  one(".link").addEventListener("click", copy)
  range.addEventListener("input", () => go(Number(range.value)))
  steps.forEach((step, index) => step.addEventListener("click", event => {
    event.preventDefault()
    if (getSelection().isCollapsed) go(index)
  }))
  one(".exports").open = false
  fold()

  function go(index, told = true) {
    run.at = Math.max(0, Math.min(index, steps.length - 1))
    const step = steps[run.at]
    steps.forEach(each => each.classList.toggle("now", each === step))
    range.value = run.at
    one(".at").textContent = `step ${step.id.split("-").pop()} of ${steps.at(-1).id.split("-").pop()}`
    for (const [name, at] of [[".first", 0], [".back", 0], [".on", steps.length - 1], [".last", steps.length - 1]])
      one(name).disabled = run.at === at
    const detail = step.querySelector(".detail").cloneNode(true)
    detail.prepend(place(step), ...body(step))
    detail.append(...committed())
    panel.replaceChildren(detail)
    const lanes = one(".lanes"), head = one(".heads").offsetHeight
    const top = step.offsetTop - head
    if (top < lanes.scrollTop) lanes.scrollTop = top
    else if (step.offsetTop + step.offsetHeight > lanes.scrollTop + lanes.clientHeight)
      lanes.scrollTop = step.offsetTop + step.offsetHeight - lanes.clientHeight
    const here = panel.querySelector(".here")
    if (here) here.parentElement.scrollTop = here.offsetTop - here.parentElement.clientHeight / 2
    if (told) history.replaceState(null, "", `#${step.id}`)
  }

  const made = (tag, ...children) => {
    const element = document.createElement(tag)
    element.append(...children)
    return element
  }

  function place(step) {
    const { session, source, line } = step.dataset
    const { name, file, from } = document.getElementById(source)?.dataset ?? {}
    const head = made("p", made("b", `step ${step.id.split("-").pop()}`), ` ${session}`)
    head.className = "place"
    if (name) head.append(`, ${name.split("(")[0]}, line ${line}`)
    if (file) head.append(made("small", `${file}:${Number(from) + Number(line) - 1}`))
    return head
  }

  // The body of the function, with the line of this step and those at which others have stopped in it.
  function body(step) {
    const source = step.dataset.source && document.getElementById(step.dataset.source)
    if (!source) return []
    const copy = source.cloneNode(true)
    copy.removeAttribute("id")
    const at = new Map()
    for (const each of steps.slice(0, run.at + 1)) at.set(each.dataset.session, each)
    for (const [name, each] of at) {
      const line = each.dataset.source === step.dataset.source && copy.children[each.dataset.line - 1]
      if (!line) continue
      line.classList.add("there")
      if (each === step)
        for (let at = each.dataset.line; at <= each.dataset.until; at++) copy.children[at - 1].classList.add("here")
      line.dataset.who = line.dataset.who ? `${line.dataset.who}, ${name}` : name
    }
    return [copy]
  }

  // What is committed before this step and after it.
  function committed() {
    if (!changed) return []
    const copy = changed.cloneNode(true)
    copy.className = "state"
    copy.tHead.rows[0].cells[0].textContent = "committed"
    copy.tHead.rows[0].cells[1].textContent = "before this step"
    copy.tHead.rows[0].cells[2].textContent = "after it"
    for (const row of copy.tBodies[0].rows) {
      row.className = ""
      const [name, before, after] = row.cells
      let value = before.textContent
      after.textContent = value
      for (const [index, step] of steps.slice(0, run.at + 1).entries())
        for (const each of all(".commits li", step)) if (each.dataset.name === name.textContent) {
          if (index === run.at) row.className = "moved"
          else before.textContent = each.dataset.after
          after.textContent = each.dataset.after
        }
    }
    return [copy]
  }

  async function copy() {
    const button = one(".link"), step = steps[run.at]
    const address = `${location.href.split("#")[0]}#${step.id}`
    button.textContent = await copied(address) ? "copied" : "not copied"
    setTimeout(() => { button.textContent = "copy link" }, 1500)
  }

  // Runs of steps without news are one line, until somebody wants to see them.
  function fold() {
    const box = one(".unfold")
    if (!article.querySelector(".folded")) return one(".unfolding").remove()
    const list = one(".steps")
    list.classList.add("folding")
    const away = []
    let note
    for (const step of steps) {
      if (!step.classList.contains("folded")) { note = undefined; continue }
      if (!note) {
        note = document.createElement("li")
        note.className = "folded-away"
        note.steps = 0
        step.before(note)
        away.push(note)
      }
      note.textContent = `… ${++note.steps} more steps of ${step.dataset.session}`
    }
    box.addEventListener("input", () => {
      list.classList.toggle("folding", !box.checked)
      for (const each of away) each.hidden = box.checked
    })
  }
  return run
}
