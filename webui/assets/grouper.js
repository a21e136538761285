// What the pages need in the browser: redrawing only what changed, running clocks, and clicks inside tables.
window.grouper = (() => {
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
    if (old.nodeName === "INPUT" && old !== document.activeElement) old.value = fresh.getAttribute("value");
    const stick = old.hasAttribute("data-stick") && atBottom(old);
    morphChildren(old, fresh);
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

  // Connects one gr.HTML whose value is HTML. Buttons with data-trigger become events of the component.
  function live(element, props, watch, trigger) {
    const target = element.querySelector(".live");
    const draw = () => {
      const fresh = document.createElement("div");
      fresh.innerHTML = props.value ?? "";
      morphChildren(target, fresh);
      remember(target);
      follow(target);
      tick();
    };
    element.addEventListener("click", (event) => {
      const copy = event.target.closest("[data-copy]");
      if (copy) return copyBeside(copy);
      const button = event.target.closest("[data-trigger]");
      if (button && button.nodeName === "BUTTON") trigger(button.dataset.trigger, { id: button.dataset.id });
    });
    element.addEventListener("change", (event) => {
      const input = event.target.closest("input[data-trigger]");
      if (input) trigger(input.dataset.trigger, { id: input.value });
    });
    element.addEventListener(
      "toggle",
      (event) => event.target.querySelectorAll("[data-stick]").forEach((node) => (node.scrollTop = node.scrollHeight)),
      true,
    );
    watch("value", draw);
    draw();
  }

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
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  }

  function duration(seconds) {
    const whole = Math.max(0, Math.floor(seconds));
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
    return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  }

  function ago(seconds, at) {
    if (seconds < 60) return `${Math.max(0, Math.floor(seconds))} s ago`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
    if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
    const date = new Date(at * 1000);
    const shown = { day: "numeric", month: "short" };
    if (date.getFullYear() !== new Date().getFullYear()) shown.year = "numeric";
    return date.toLocaleDateString("en-GB", shown);
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

  // A page brought back by the Back button would act on what it knew when it was left.
  addEventListener("pageshow", (event) => event.persisted && location.reload());

  return { live, duration };
})();
