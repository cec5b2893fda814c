// Lantern's page. The conversation lives in this file's memory only: no cookie, no storage, no request but to our own server.
"use strict";
window.Lantern = (() => {
  const ICON = {
    up: "M6.500 9v7.500h7.300l2.200-6.500V8.500h-4.500l.700-4-1.700-.500L7.500 9zM6.500 9H3.500v7.500h3",
    down: "M6.500 11V3.500h7.300L16 10v1.500h-4.500l.700 4-1.700.500L7.500 11zM6.500 11H3.500V3.500h3",
    copy: "M7 7h9.500v9.500H7zM13 7V3.500H3.500V13H7", flag: "M4.500 17.500v-14h10l-2 3.500 2 3.500h-10", simple: "M3 5h14M3 10h9M3 15h5", more: "M10 4v12M4 10h12",
    crisis: "M10 16.500S3 12.400 3 7.800A3.800 3.800 0 0 1 10 5.700a3.800 3.800 0 0 1 7 2.100c0 4.600-7 8.700-7 8.700z", refuse: "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM6.500 10h7",
    defer: "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM10 9v4.500M10 6.500v.100", close: "M5 5l10 10M15 5 5 15",
  };
  ICON.support = ICON.crisis; ICON.abstain = ICON.defer;
  const KEPT_TURNS = 40, READ_CHARS = 20_000, REMEMBERED_CHARS = 2_000;

  const make = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else if (value === true) node.setAttribute(key, "");
      else if (value !== false && value != null) node.setAttribute(key, value);
    }
    node.append(...children.filter((c) => c != null));
    return node;
  };
  const icon = (name) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 20 20");
    svg.setAttribute("aria-hidden", "true");
    const path = document.createElementNS(svg.namespaceURI, "path");
    path.setAttribute("d", ICON[name]);
    svg.append(path);
    return svg;
  };
  const hidden = (text) => make("span", { class: "sr" }, text);

  function mount(root, server, data) {
    const $ = (selector) => root.querySelector(selector);
    const query = new URLSearchParams(location.search);
    const page = document.documentElement;
    const [lantern, log, say, form, status, welcome] = [".lantern", ".log", "#lantern-say", ".say", ".status", ".welcome"].map($);
    let messages = [], cards = [], busy = false, talk = 0, count = 0;
    let last = Date.now(), told = last; // the visitor's last message, and the last time this page said what it is
    document.getElementById("lantern-boot")?.remove();
    page.lang = "en";

    // ---- help for the chosen country ----
    const select = $(".help-country");
    const wanted = (query.get("country") || "").toUpperCase();
    let country = wanted in data.countries ? wanted : data.country in data.countries ? data.country : "";
    for (const [code, entry] of Object.entries(data.countries)) select.append(make("option", { value: code }, code ? entry.name : "Country"));
    select.prepend(select.lastElementChild);
    const link = (way) => way.href
      ? make("a", { href: way.href, ...(way.href.startsWith("http") ? { target: "_blank", rel: "noopener noreferrer" } : {}) }, way.label)
      : make("span", { class: "plain" }, way.label);
    function showHelp() {
      const entry = data.countries[country], numbers = $(".help-numbers"), more = $(".help-more");
      const first = entry.lines[0], rest = entry.lines.slice(1);
      const shown = first ? first.ways.slice(0, 2) : [];
      const named = shown.map((way, i) => { const a = link(way); if (first) a.prepend(i ? hidden(first.name + ": ") : hidden(first.name + ": ")); return a; });
      numbers.replaceChildren(...named, link({ label: "Emergency " + entry.emergency, href: entry.emergency_href }));
      more.replaceChildren(...entry.lines.map((row) => make("div", {}, make("strong", {}, row.name), ` (${row.when}) `, make("br"), ...row.ways.map((w) => w.href ? link(w) : w.label + " "))));
      more.hidden = true;
      if (country && (rest.length || first?.ways.length > 2)) {
        const button = make("button", { type: "button", class: "more-lines", "aria-expanded": "false", onclick: () => {
          more.hidden = !more.hidden;
          button.setAttribute("aria-expanded", String(!more.hidden));
          button.textContent = more.hidden ? "More" : "Less";
        }, "aria-label": "More help lines" }, "More");
        numbers.append(button);
      }
      select.value = country;
    }
    select.addEventListener("change", () => { country = select.value; showHelp(); });
    new ResizeObserver(([e]) => page.style.setProperty("--help-height", e.target.offsetHeight + "px")).observe($(".help"));

    // ---- starters ----
    const stages = $(".stages"), panel = $(".stage");
    function showStage(index, focus) {
      [...stages.children].forEach((tab, i) => {
        tab.setAttribute("aria-selected", String(i === index));
        tab.tabIndex = i === index ? 0 : -1;
        if (focus && i === index) tab.focus();
      });
      panel.setAttribute("aria-labelledby", "lantern-stage-" + index);
      panel.replaceChildren(...data.starters[index].questions.map((q) => make("button", { type: "button", onclick: () => ask(q) }, q)));
    }
    data.starters.forEach((stage, i) => stages.append(make("button", {
      type: "button", role: "tab", id: "lantern-stage-" + i, "aria-controls": "lantern-stage", title: stage.hint, onclick: () => showStage(i),
      onkeydown: (e) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
        if (step) showStage((i + step + data.starters.length) % data.starters.length, true);
      },
    }, stage.stage)));
    if (data.starters.length) showStage(0); else stages.remove();

    // ---- asking ----
    const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
    const reveal = (node, block = "start") => node.scrollIntoView({ block, behavior: still() ? "auto" : "smooth" });

    async function ask(text) {
      text = text.trim();
      if (!text || busy) return;
      busy = true;
      const mine = talk;
      welcome.hidden = true;
      lantern.classList.add("asked");
      say.value = "";
      grow();
      messages.push({ role: "user", content: text });
      const bubble = make("div", { class: "turn you" }, hidden("You said: "), text);
      log.append(bubble);
      const waiting = make("div", { class: "waiting", "aria-hidden": "true" }, make("i"), "Looking in the checked sources");
      const slow = setTimeout(() => { log.append(waiting); status.textContent = "Looking in the checked sources"; }, 350);
      reveal(bubble);
      const now = Date.now(), waited = { message: (now - last) / 1000, told: (now - told) / 1000 };
      last = now;
      let turn;
      try {
        turn = await server.ask({ messages: recent(), country, waited });
        if (!turn || turn.error || !turn.html) throw new Error("no answer");
      } catch { turn = null; }
      clearTimeout(slow);
      waiting.remove();
      status.textContent = "";
      if (mine !== talk) return; // the chat was cleared meanwhile
      busy = false;
      if (!turn) {
        messages.pop();
        log.append(offline(text));
      } else {
        messages.push({ role: "assistant", content: turn.text });
        cards.push(...turn.cards);
        if (turn.reminder) {
          told = now;
          log.append(make("p", { class: "turn small reminder", lang: turn.lang }, turn.reminder));
        }
        log.append(shown(turn));
      }
      reveal(bubble);
    }

    // The newest turns that fit into one request: a long chat or a long pasted text must not keep a cry for help from being read.
    // A character takes up to three bytes. The server reads this much of the last message and remembers this much of earlier ones.
    function recent() {
      const kept = [];
      let room = Math.floor(data.most / 4) - 200;
      for (const [i, m] of messages.slice(-KEPT_TURNS).reverse().entries()) {
        const content = i ? m.content.slice(-REMEMBERED_CHARS) : m.content.slice(0, Math.min(READ_CHARS, Math.max(room, 1)));
        room -= content.length + 40;
        if (i && room < 0) break;
        kept.unshift({ role: m.role, content });
      }
      return kept;
    }

    function offline(text) {
      const entry = data.countries[country];
      return make("div", { class: "turn bot", "data-action": "abstain" },
        make("p", { class: "tag" }, icon("abstain"), "I cannot answer just now"),
        make("div", { class: "text" },
          make("p", {}, "The chat cannot be reached or is switched off. The help lines above still work."),
          make("p", {}, `Emergency: ${entry.emergency}. `, make("a", { href: data.root + "/static-help", target: "_blank", rel: "noopener" }, "Help lines and the most asked questions"))),
        make("div", { class: "related" }, make("button", { type: "button", onclick: (e) => { e.target.closest(".turn").remove(); ask(text); } }, "Try again")));
    }

    // ---- one reply ----
    function shown(turn) {
      const id = "turn-" + ++count;
      const text = make("div", { class: "text", lang: turn.lang });
      text.innerHTML = turn.html; // escaped by the server, where every link and tag is checked
      const n = sentences(text);
      const node = make("article", { class: "turn bot", "data-action": turn.action, "data-category": turn.category, id, style: `--n:${n}` }, hidden("Lantern: "));
      if (turn.tag) node.append(make("p", { class: "tag" }, icon(turn.action), turn.tag));
      const after = make("div", { class: "after" });
      node.append(text, after);
      if (turn.sources.length) after.append(make("p", { class: "review" }, `${turn.sources.length} ${turn.sources.length === 1 ? "source" : "sources"}. ${turn.review}.`));
      if (turn.related.length) after.append(make("div", { class: "related" }, make("p", {}, "You could also ask"),
        ...turn.related.map((q) => make("button", { type: "button", onclick: () => ask(q) }, q))));
      after.append(...acts(turn, node, id));
      text.addEventListener("click", (e) => { const chip = e.target.closest(".chip"); if (chip) toggleSource(turn, text, chip, id); });
      if (!still()) { node.classList.add("fresh"); setTimeout(() => node.classList.remove("fresh"), n * 130 + 1200); }
      return node;
    }

    // Wrap each sentence with the chips that follow it, so that the style sheet can bring them in one by one.
    function sentences(text) {
      let i = 0;
      for (const block of text.querySelectorAll("p, li")) {
        if (block.querySelector("p, li")) continue;
        let span = null;
        for (const child of [...block.childNodes]) {
          const pieces = child.nodeType === 3 ? child.data.split(/(?<=[.!?:]["”')]?\s)/) : [child];
          pieces.forEach((piece, k) => {
            if (!span || (child.nodeType === 3 && k > 0) || (child.nodeType === 3 && span.lastElementChild?.matches(".chip") && piece.trim())) {
              span = make("span", { class: "s", style: `--i:${i++}` });
              child.before(span);
            }
            span.append(piece);
          });
          if (child.nodeType === 3) child.remove();
        }
      }
      return i;
    }

    function toggleSource(turn, text, chip, id) {
      const open = chip.getAttribute("aria-expanded") === "true";
      text.querySelectorAll(".chip").forEach((c) => c.setAttribute("aria-expanded", "false"));
      text.parentNode.querySelector(".source")?.remove();
      if (open) return;
      const source = turn.sources.find((s) => s.n === chip.dataset.source);
      if (!source) return;
      chip.setAttribute("aria-expanded", "true");
      const shut = () => { box.remove(); chip.setAttribute("aria-expanded", "false"); chip.focus(); };
      const body = make("div");
      body.innerHTML = source.html; // escaped by the server
      const box = make("section", { class: "source", id: id + "-source", tabindex: "-1", "aria-label": "Source " + source.n, onkeydown: (e) => { if (e.key === "Escape") { e.stopPropagation(); shut(); } } },
        make("div", { class: "source-head" }, make("h3", {}, "Source " + source.n), make("button", { type: "button", class: "close", onclick: shut }, icon("close"), hidden("Close source " + source.n))), body);
      let block = chip;
      while (block.parentNode !== text) block = block.parentNode;
      block.after(box);
      box.focus({ preventScroll: true });
      reveal(box, "nearest");
    }

    // ---- voting, reporting, copying ----
    function acts(turn, node, id) {
      const facts = { action: turn.action, category: turn.category, cards: turn.cards.slice(0, 4) };
      const why = make("div", { class: "why", hidden: true });
      const thanks = (text) => { why.replaceChildren(make("p", {}, text)); why.hidden = false; status.textContent = text; };
      const send = (vote) => server.vote({ ...facts, ...vote }).catch(() => ({ error: true }));
      const choose = (title, options, pick) => {
        why.replaceChildren(make("p", {}, title), ...Object.entries(options).map(([key, label]) => make("button", { type: "button", onclick: () => pick(key) }, label)));
        why.hidden = false;
        why.querySelector("button").focus();
      };
      const press = (button) => row.querySelectorAll("[aria-pressed]").forEach((b) => b.setAttribute("aria-pressed", String(b === button)));
      const button = (name, label, visible, onclick, more = {}) => make("button", { type: "button", onclick, ...more }, icon(name), visible ? label : hidden(label));
      const row = make("div", { class: "acts" });
      const up = button("up", "Helpful", false, () => { press(up); send({ kind: "up" }); thanks("Thank you."); }, { "aria-pressed": "false", title: "Helpful" });
      const down = button("down", "Not helpful", false, () => {
        press(down);
        choose("What was wrong with it? No text is stored.", data.votes, (reason) => { send({ kind: "down", reason }); thanks("Thank you. Only your choice was counted."); row.querySelector("button").focus(); });
      }, { "aria-pressed": "false", title: "Not helpful" });
      const copy = button("copy", "Copy", false, async () => {
        const list = turn.sources.map((s) => `[${s.n}] ${s.title}`).join("\n");
        const done = await copied(turn.text.replaceAll("**", "") + (list ? "\n\n" + list : ""));
        thanks(done ? "Copied." : "Copying is not allowed here. Select the text instead.");
      }, { title: "Copy this answer" });
      row.append(up, down, copy);
      if (turn.simpler) row.append(button("simple", "Simpler words", true, () => ask("Please say that in simpler words"), { class: "simpler" }));
      if (turn.more) row.append(button("more", "Tell me more", true, () => ask("Tell me more"), { class: "tell-more" }));
      row.append(button("flag", "Report this answer", true, () => choose("What is harmful about it? No text is stored.", data.harms, async (reason) => {
        const got = await send({ kind: "report", reason });
        if (got.error) return thanks("The report could not be sent. Please use the site's contact page.");
        thanks(`Reported. Reference ${got.reference}. Your words were not sent.`);
        if (data.contact) why.append(make("a", { href: data.contact, rel: "noopener noreferrer", target: "_blank" }, "Tell the site's owner more"));
        row.querySelector(".report").focus();
      }), { class: "report" }));
      return [row, why];
    }

    async function copied(text) {
      try { await navigator.clipboard.writeText(text); return true; } catch { /* not allowed in some frames: the old way */ }
      const area = make("textarea", { class: "sr" });
      area.value = text;
      document.body.append(area);
      area.select();
      const done = document.execCommand("copy");
      area.remove();
      return done;
    }

    // ---- the sheet ----
    const sheet = $("dialog.sheet");
    let sheetText = "";
    $(".sheet-open").addEventListener("click", async () => {
      const body = $(".sheet-body");
      try {
        const made = await server.sheet({ cards });
        body.innerHTML = made.html; // escaped by the server
        sheetText = made.text;
      } catch { body.textContent = "The sheet cannot be made just now."; sheetText = ""; }
      $(".sheet-status").textContent = "";
      sheet.showModal();
    });
    sheet.querySelector(".close").addEventListener("click", () => sheet.close());
    sheet.querySelector(".sheet-acts").addEventListener("click", async (e) => {
      const what = e.target.dataset.do, told = $(".sheet-status");
      if (what === "print") { document.body.classList.add("print-sheet"); print(); document.body.classList.remove("print-sheet"); }
      if (what === "copy") told.textContent = (await copied(sheetText)) ? "Copied." : "Copying is not allowed here.";
      if (what === "save") {
        const url = URL.createObjectURL(new Blob([sheetText], { type: "text/plain" }));
        make("a", { href: url, download: "questions-for-my-clinician.txt" }).click();
        setTimeout(() => URL.revokeObjectURL(url), 1000);
        told.textContent = "Saved.";
      }
    });

    // ---- text size, colors, clear, leave ----
    const sizes = ["Larger text", "Largest text", "Double text", "Normal text"];
    let size = 0;
    const sizeButton = $(".size");
    sizeButton.addEventListener("click", () => {
      size = (size + 1) % 4;
      page.dataset.size = size + 1;
      sizeButton.querySelector(".label").textContent = sizes[size];
      status.textContent = "Text size " + [100, 125, 150, 200][size] + " percent";
    });
    const themeButton = $(".theme");
    const isDark = () => page.dataset.theme ? page.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    const showTheme = () => { themeButton.querySelector(".label").textContent = isDark() ? "Light colors" : "Dark colors"; themeButton.title = themeButton.textContent.trim(); };
    if (["light", "dark"].includes(query.get("theme"))) page.dataset.theme = query.get("theme");
    themeButton.addEventListener("click", () => { page.dataset.theme = isDark() ? "light" : "dark"; showTheme(); });

    function clear() {
      talk++;
      messages = []; cards = []; busy = false;
      log.replaceChildren();
      say.value = "";
      welcome.hidden = false;
      lantern.classList.remove("asked");
      status.textContent = "The chat was cleared.";
      scrollTo(0, 0);
      say.focus({ preventScroll: true });
    }
    $(".clear").addEventListener("click", clear);

    function leave() {
      clear();
      document.body.replaceChildren();
      document.title = "";
      const framed = window.parent !== window;
      if (framed) {
        window.parent.postMessage({ lantern: "leave", url: data.exit }, "*");
        try { window.top.location.replace(data.exit); return; } catch { /* the frame alone leaves */ }
      }
      location.replace(data.exit);
    }
    $(".leave").addEventListener("click", leave);
    let lastEscape = 0;
    document.addEventListener("keydown", (e) => {
      if (e.key !== "Escape") return;
      if (Date.now() - lastEscape < 1000) return leave();
      lastEscape = Date.now();
      if (window.parent !== window && !sheet.open) window.parent.postMessage({ lantern: "escape", url: data.exit }, "*");
    }, true);
    addEventListener("message", (e) => { if (e.source === window.parent && e.data?.lantern === "focus") say.focus({ preventScroll: true }); });

    // ---- the message box ----
    // The page has a <base>, against which "#..." would load the page again.
    $(".skip").addEventListener("click", (e) => { e.preventDefault(); say.focus(); });
    const grow = () => { say.style.height = "auto"; say.style.height = Math.min(say.scrollHeight + 3, 176) + "px"; };
    say.addEventListener("input", grow);
    say.addEventListener("keydown", (e) => { if (e.key === "Enter" && !e.shiftKey && !e.isComposing) { e.preventDefault(); ask(say.value); } });
    form.addEventListener("submit", (e) => { e.preventDefault(); ask(say.value); say.focus(); });

    showHelp();
    showTheme();
    if (window.parent !== window) window.parent.postMessage({ lantern: "ready" }, "*");
    root.dataset.ready = "yes";
  }
  return { mount };
})();
