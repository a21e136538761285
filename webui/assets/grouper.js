// What the pages need in the browser: redrawing only what changed, running clocks, and clicks inside tables.
window.grouper = (() => {
  const { say } = grouperWords;

  // Brings `old` to the shape of `fresh` and leaves alone what the reader did: opened panels, scroll, focus.
  function morph(old, fresh) {
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || key(old) !== key(fresh)) {
      old.replaceWith(fresh);
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    const mine = (name) => name === "open" && old.nodeName === "DETAILS";
    for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && !mine(name)) old.removeAttribute(name);
    for (const { name, value } of [...fresh.attributes])
      if (old.getAttribute(name) !== value && !mine(name)) old.setAttribute(name, value);
    const free = old !== document.activeElement;
    if (old.nodeName === "INPUT" && free && old.type !== "checkbox") old.value = fresh.getAttribute("value") ?? "";
    if (old.nodeName === "TEXTAREA" && free && old.dataset.said !== fresh.defaultValue) {
      old.value = old.dataset.said = fresh.defaultValue; // what the reader wrote stays until the server says another
    }
    const stick = old.hasAttribute("data-stick") && atBottom(old);
    if (old.nodeName !== "TEXTAREA") morphChildren(old, fresh);
    if (old.nodeName === "SELECT" && free) old.value = fresh.value;
    if (stick) old.scrollTop = old.scrollHeight;
  }

  function morphChildren(old, fresh) {
    const wanted = [...fresh.childNodes];
    wanted.forEach((child, place) => {
      const named = key(child) && [...old.childNodes].find((node) => key(node) === key(child));
      if (named && named !== old.childNodes[place]) old.insertBefore(named, old.childNodes[place] ?? null);
      if (old.childNodes[place]) morph(old.childNodes[place], child);
      else old.appendChild(child);
    });
    while (old.childNodes.length > wanted.length) old.lastChild.remove();
  }

  const key = (node) => (node.dataset && node.dataset.key) || "";
  const atBottom = (node) => node.scrollHeight - node.scrollTop - node.clientHeight < 24;

  // What is pressed before the server knows this tab waits until it does, which the first token of its own tells.
  let held = [];
  function begun() {
    const events = held ?? [];
    held = null;
    for (const event of events) event();
  }
  const patient = (trigger) => (name, data) => (first.panels && held ? held.push(() => trigger(name, data)) : trigger(name, data));
  const PATIENCE_MS = 8000;

  // What came with the page: its panels' values by their elements' ids, and the key under which the server knows that.
  const first = {};
  const waiting = [];
  function came() {
    if (!window.grouperBrought || first.panels) return; // not there, or not whole yet
    Object.assign(first, JSON.parse(document.getElementById("first-content").textContent));
    setTimeout(begun, PATIENCE_MS);
    for (const draw of waiting.splice(0)) draw();
  }
  came();
  const arrives = () => first.key ?? "";

  // Draws what a component shows, now and whenever that changes: what came with the page, which may still be on its
  // way, until the server sends something newer.
  function showing(element, props, watch, draw) {
    const id = element.closest(grouperGradio.block)?.id;
    const empty = props.value;
    const redraw = () => {
      if (id === "pulse" && props.value !== empty) begun();
      draw(props.value === empty ? first.panels?.[id] ?? empty : props.value);
    };
    if (!first.panels) waiting.push(redraw);
    watch("value", redraw);
    redraw();
  }

  // Connects one gr.HTML whose value is HTML. Buttons with data-trigger become events of the component.
  function live(element, props, watch, now) {
    const trigger = patient(now);
    const target = element.querySelector(".live");
    const draw = (value) => {
      const fresh = document.createElement("div");
      fresh.innerHTML = value ?? "";
      grouperWords.translate(fresh);
      morphChildren(target, fresh);
      remember(target);
      follow(target);
      mark(target);
      pickedAgain(target);
      listen(target, trigger);
      tick();
    };
    element.addEventListener("click", async (event) => {
      const exact = event.target.closest("[data-copy-text]");
      if (exact) return copyExactly(exact);
      const copy = event.target.closest("[data-copy]");
      if (copy) return copyBeside(copy);
      const button = event.target.closest("[data-trigger]");
      if (!button || (button.nodeName !== "BUTTON" && button.nodeName !== "A")) return;
      if (button.nodeName === "A") {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return; // into a tab of its own
        event.preventDefault();
      }
      const ids = button.hasAttribute("data-picked") ? [...picked] : undefined;
      if (button.dataset.confirm && !(await confirmed(button.dataset.confirm.replace("{n}", ids?.length), button.textContent))) return;
      trigger(button.dataset.trigger, { id: button.dataset.id, ids, fields: fieldsOf(button) });
      button.closest("details.menu")?.removeAttribute("open");
      if (button.hasAttribute("data-drops")) picked.clear();
    });
    element.addEventListener("change", (event) => {
      const visit = event.target.closest("select[data-visit]");
      if (visit && visit.value) return location.assign(visit.value);
      const input = event.target.closest("input[data-trigger]");
      if (input) trigger(input.dataset.trigger, { id: input.value });
      const pick = event.target.closest("input[data-pick]");
      if (pick) return choose(target, pick);
      const field = event.target.closest("[data-field]");
      if (field && field.type !== "search") trigger("input", { fields: { [field.dataset.field]: valueOf(field) } });
    });
    let typing = 0;
    element.addEventListener("input", (event) => {
      const field = event.target.closest("input[type=search][data-field]");
      if (!field) return;
      clearTimeout(typing);
      typing = setTimeout(() => trigger("input", { fields: { [field.dataset.field]: field.value } }), 250);
    });
    element.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.target.closest("[data-form] input")) {
        event.preventDefault();
        event.target.closest("[data-form]").querySelector("button[data-trigger]").click();
      }
      if (event.key === "Escape") event.target.closest("details.menu")?.removeAttribute("open");
    });
    element.addEventListener(
      "toggle",
      (event) => event.target.querySelectorAll("[data-stick]").forEach((node) => (node.scrollTop = node.scrollHeight)),
      true,
    );
    showing(element, props, watch, draw);
  }

  const valueOf = (field) => (field.type === "checkbox" ? field.checked : field.value);

  // What stands in the fields of the form that a button belongs to.
  function fieldsOf(button) {
    const form = button.closest("[data-form]");
    if (!form) return {};
    return Object.fromEntries([...form.querySelectorAll("[name]")].map((field) => [field.name, valueOf(field)]));
  }

  // Rows that were ticked stay ticked while the table is redrawn, sorted and paged.
  const picked = new Set();
  function choose(target, box) {
    const boxes = box.dataset.pick === "*" ? [...target.querySelectorAll("[data-pick]")] : [box];
    for (const each of boxes) if (each.dataset.pick !== "*") each.checked = box.checked;
    for (const each of boxes) if (each.dataset.pick !== "*") each.checked ? picked.add(each.dataset.pick) : picked.delete(each.dataset.pick);
    pickedAgain(target);
  }

  function pickedAgain(target) {
    const bar = target.querySelector("[data-bulk]");
    if (!bar) return;
    const boxes = [...target.querySelectorAll("[data-pick]")].filter((box) => box.dataset.pick !== "*");
    for (const box of boxes) box.checked = picked.has(box.dataset.pick);
    const all = target.querySelector("[data-pick='*']");
    if (all) all.checked = boxes.length > 0 && boxes.every((box) => box.checked);
    bar.classList.toggle("shown", picked.size > 0);
    bar.inert = picked.size === 0;
    bar.querySelector("[data-count]").textContent = say(picked.size === 1 ? "1 run selected" : `${picked.size} runs selected`);
    const compare = bar.querySelector("[data-compare]");
    if (compare) compare.href = `compare?runs=${[...picked].slice(0, 20).join(",")}`;
  }

  // Asks before something that cannot be undone.
  function confirmed(question, verb) {
    const dialog = document.createElement("dialog");
    dialog.className = "ask";
    dialog.innerHTML = '<form method="dialog"><p></p><div><button value="" class="small-button keep"></button><button value="yes" class="main-button danger"></button></div></form>';
    dialog.querySelector("p").textContent = question;
    dialog.querySelector(".keep").textContent = say("Keep");
    dialog.querySelector(".danger").textContent = verb;
    document.querySelector(grouperGradio.container).append(dialog);
    dialog.showModal();
    return new Promise((answer) =>
      dialog.addEventListener("close", () => {
        dialog.remove();
        answer(dialog.returnValue === "yes");
      }),
    );
  }

  // An error that belongs to a field is said under that field.
  function mark(target) {
    if (target.closest("#outcome")) target.querySelector("[role=alert]")?.scrollIntoView({ block: "nearest" });
    if (!target.querySelector("[data-errors]")) return;
    for (const old of document.querySelectorAll(".field-error")) old.remove();
    for (const old of document.querySelectorAll("[aria-invalid=true]")) old.removeAttribute("aria-invalid");
    for (const said of target.querySelectorAll("[data-error-field]")) {
      const block = document.getElementById(`field-${said.dataset.errorField}`);
      if (!block) continue;
      const note = Object.assign(document.createElement("p"), { className: "field-error", id: `error-${said.dataset.errorField}` });
      note.append(...[...said.childNodes].map((node) => node.cloneNode(true)));
      block.append(note);
      const input = block.querySelector("input, textarea");
      input?.setAttribute("aria-invalid", "true");
      input?.setAttribute("aria-describedby", note.id);
    }
  }

  // Asks the server whether anything changed, and the page's handler only when something has.
  const SOON_MS = 1500;
  const LATE_MS = 6000;
  let listening = null;
  function listen(target, trigger) {
    const panel = target.querySelector("[data-pulse]");
    if (!panel) return;
    const fresh = { token: panel.dataset.pulse, url: panel.dataset.from, trigger, asked: -Infinity };
    if (listening) return Object.assign(listening, fresh);
    listening = { ...fresh, quiet: 0 };
    setTimeout(ask, SOON_MS);
  }

  async function ask() {
    const mine = listening;
    if (!document.hidden && mine.url) {
      try {
        const answer = await fetch(mine.url, { signal: AbortSignal.timeout(8000) });
        if (!answer.ok) throw new Error(answer.status);
        hear(mine, await answer.text());
      } catch {
        lost(true);
      }
    }
    setTimeout(ask, mine.quiet > 40 ? LATE_MS : SOON_MS);
  }

  const lost = (is) => document.querySelector(".unreachable")?.classList.toggle("shown", is);

  function hear(mine, token) {
    const boot = (text) => text.split(":")[0];
    if (boot(token) !== boot(mine.token)) return location.reload(); // the server is another one and knows us no more
    lost(false);
    for (const node of document.querySelectorAll("[data-clock=ago][data-heard]")) node.seenAt = performance.now();
    tick();
    mine.quiet = token === mine.token ? mine.quiet + 1 : 0;
    if (token === mine.token || performance.now() - mine.asked < 10000) return;
    mine.asked = performance.now();
    mine.trigger("tick", {});
  }
  addEventListener("focus", () => listening && (listening.quiet = 0));

  // A panel may name the query parameters that bring it back; the address then follows without a reload.
  function remember(target) {
    const panel = target.querySelector("[data-query]");
    if (!panel) return;
    const url = new URL(location.href);
    for (const [name, value] of Object.entries(JSON.parse(panel.dataset.query)))
      value === null ? url.searchParams.delete(name) : url.searchParams.set(name, value);
    if (url.href !== location.href) history.replaceState(history.state, "", url);
  }

  // A panel may hold a link that the page follows by itself.
  function follow(target) {
    const link = target.querySelector("a[data-go]");
    if (link) location.assign(link.href);
  }

  async function copyBeside(button) {
    const text = button.parentElement.querySelector("pre");
    if (!navigator.clipboard) return getSelection().selectAllChildren(text); // only secure pages may write to it
    await navigator.clipboard.writeText(text.textContent);
    button.textContent = say("Copied");
    setTimeout(() => (button.textContent = say("Copy")), 1500);
  }

  // Copies what is stored, where the page shows signs for what cannot be seen.
  async function copyExactly(button) {
    if (!navigator.clipboard) return;
    await navigator.clipboard.writeText(JSON.parse(button.dataset.copyText));
    button.textContent = say("Copied");
    setTimeout(() => (button.textContent = say("Copy")), 1500);
  }

  // A list that opens below a field is scrolled by its arrow keys; as a stop of the Tab key it would be gone at once.
  addEventListener("keydown", ({ key }) => {
    if (key === "Tab") for (const list of document.querySelectorAll(grouperGradio.choices)) list.tabIndex = -1;
  }, true);

  // A form's address holds only what was asked.
  addEventListener("formdata", ({ formData }) => {
    for (const [name, value] of [...formData]) if (value === "") formData.delete(name);
  });

  function duration(seconds) {
    const whole = Math.max(0, Math.floor(seconds));
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return `${Math.floor(whole / 60)} min${whole % 60 ? ` ${whole % 60} s` : ""}`;
    const minutes = Math.floor((whole % 3600) / 60);
    return `${Math.floor(whole / 3600)} h${minutes ? ` ${minutes} min` : ""}`;
  }

  function ago(seconds, at) {
    if (seconds < 60) return say(`${Math.max(0, Math.floor(seconds))} s ago`);
    if (seconds < 3600) return say(`${Math.floor(seconds / 60)} min ago`);
    if (seconds < 86400) return say(`${Math.floor(seconds / 3600)} h ago`);
    const date = new Date(at * 1000);
    const shown = { day: "numeric", month: "short" };
    if (date.getFullYear() !== new Date().getFullYear()) shown.year = "numeric";
    return date.toLocaleDateString(grouperWords.language === "en" ? "en-GB" : grouperWords.language, shown);
  }

  // Clocks count from the server's time, so that a wrong clock in the browser does no harm.
  function tick() {
    for (const node of document.querySelectorAll("[data-since]")) {
      if (node.seenNow !== node.dataset.now) {
        node.seenNow = node.dataset.now;
        node.seenAt = performance.now();
      }
      const since = Number(node.dataset.since);
      const seconds = Number(node.dataset.now) + (performance.now() - node.seenAt) / 1000 - since;
      const text = node.dataset.clock === "ago" ? ago(seconds, since) : duration(seconds);
      if (node.textContent !== text) node.textContent = text;
    }
  }
  setInterval(tick, 1000);

  // Light or dark: as the system has it, until the reader chooses.
  const THEME = "grouper-theme";
  function paint() {
    const chosen = localStorage.getItem(THEME);
    if (chosen) document.body?.classList.toggle("dark", chosen === "dark");
  }
  addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-switch]")) return;
    localStorage.setItem(THEME, document.body.classList.contains("dark") ? "light" : "dark");
    paint();
  });
  function keepPainted() {
    paint();
    // Gradio sets its class after it has started; the reader's choice comes after that.
    const again = new MutationObserver(() => {
      const chosen = localStorage.getItem(THEME);
      if (chosen && document.body.classList.contains("dark") !== (chosen === "dark")) paint();
    });
    again.observe(document.body, { attributes: true, attributeFilter: ["class"] });
  }
  document.body ? keepPainted() : addEventListener("DOMContentLoaded", keepPainted);

  // Gradio opens a dropdown's list at every key, Tab too, and so leaves it open over the next fields when a value of the
  // reader's own matches nothing. A Tab that it does not hear closes the list as a click elsewhere does.
  addEventListener("keydown", (event) => {
    if (event.key === "Tab" && event.target.matches?.(grouperGradio.chooser)) event.stopPropagation();
  }, true);

  // A page brought back by the Back button would act on what it knew when it was left.
  addEventListener("pageshow", (event) => event.persisted && location.reload());

  return { live, showing, arrives, came, duration };
})();
