// The pages in the reader's language: English as it was written, or what that language's catalogue has for it.
//
// Gradio brings the catalogues (webui/language.py). In a key {#0} is a figure and {0} a name or anything else, which
// stay as they are; [0] are words that are looked up themselves. Code, what is typed, and text under translate="no" are
// left alone.
window.grouperWords = (() => {
  const catalogues = grouperGradio.catalogues();
  const asked = navigator.language || "en";
  const language = [asked, asked.split("-")[0]].find((name) => catalogues[name]) ?? "en";
  const known = new Map(Object.entries(catalogues[language] ?? {}));
  const patterns = [...known]
    .filter(([english]) => PLACE().test(english))
    .sort(([one], [other]) => other.length - one.length) // the more it says itself, the surer it is meant
    .map(([english, other]) => [shape(english), places(english), other]);
  const missed = new Set(); // looked up and not found: what a test of a language reads
  const LONGEST = 400; // no text of ours that varies is longer
  const LEFT = "[translate=no], pre, code, script, style, .mono";
  const NAMES = ["aria-label", "title", "placeholder", "data-head-said", "data-empty", "data-confirm"];
  const UNITS = /\b(s|min|h|GiB|MiB|KiB|UTC)\b|\bU\+[0-9A-F]{4}\b/g; // the same in every language

  function PLACE() {
    return /\{#?\d\}|\[\d\]/g;
  }

  function places(text) {
    return text.match(PLACE());
  }

  function shape(text) {
    const parts = text.split(PLACE()).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    const given = places(text).map((name) => (name[1] === "#" ? "([-−+±]?\\d.*?)" : "(.+?)"));
    return new RegExp(`^${parts.map((part, at) => part + (given[at] ?? "")).join("")}$`, "s");
  }

  // `mayStay`: a sentence made of what happened, said in English where nothing better is known.
  function say(text, mayStay = false) {
    if (language === "en") return text;
    const [, before, body, after] = text.match(/^([\s·]*)([^]*?)([\s·]*)$/);
    if (!/\p{L}/u.test(body.replace(UNITS, ""))) return text;
    if (!known.has(body)) known.set(body, composed(body, mayStay));
    const other = known.get(body);
    if (other == null && !mayStay) missed.add(body);
    return other == null ? text : before + other + after;
  }

  function composed(text, mayStay) {
    const line = text.replace(/\s+/g, " ");
    if (known.get(line)) return known.get(line);
    if (text.length > LONGEST) return null;
    if (text.includes(" · ")) return text.split(" · ").map((part) => say(part, mayStay)).join(" · ");
    for (const [pattern, names, other] of patterns) {
      const found = text.match(pattern);
      if (!found) continue;
      const given = Object.fromEntries(names.map((name, at) => [name, found[at + 1]]));
      return other.replace(PLACE(), (name) => (name[0] === "[" ? say(given[name], mayStay) : given[name]));
    }
    return listed(line);
  }

  // "Training: Base weights 0.3 GiB, KV cache 2.0 GiB": what is known of it, the figures as they are.
  function listed(line) {
    const [, head, rest] = line.match(/^([^:]+): (.+)$/) ?? [];
    if (!known.get(head)) return null;
    const items = rest.split(", ").map((item) => item.replace(/^(\D+?)(?= [\d–]|$)/, (name) => known.get(name) ?? name));
    return `${known.get(head)}: ${items.join(", ")}`;
  }

  // Everything from `root` down, said in the reader's language. What was said already stays.
  function translate(root) {
    if (language === "en") return;
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT, (node) =>
      node.nodeType === Node.ELEMENT_NODE && node.matches(LEFT) ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
    for (let node = walker.currentNode; node; node = walker.nextNode()) {
      if (node.nodeType === Node.TEXT_NODE) {
        if (node.parentNode.nodeName === "TEXTAREA") continue;
        const english = node.parentElement?.closest("[lang=en]:not(html)");
        if (english?.childElementCount) continue; // pieces between commands say nothing by themselves
        const other = say(node.data, Boolean(english));
        if (other === node.data) continue;
        node.data = other;
        english?.removeAttribute("lang");
      } else if (node.getAttribute)
        for (const name of NAMES) if (node.hasAttribute(name)) node.setAttribute(name, say(node.getAttribute(name)));
    }
  }

  return { language, say, translate, missed };
})();
