/* Lantern for your site:  <script src="https://your-lantern/lantern.js" defer></script>
   data-color="#1d5f5b"  data-position="left"  data-label="Questions about ketamine?"  data-country="GB"  data-theme="dark"  data-open
   It adds one button and, once opened, one frame. It sets no cookie, stores nothing and asks nobody but the server it came from. */
(() => {
  "use strict";
  const script = document.currentScript;
  if (!script || window.lanternWidget) return;
  const set = script.dataset;
  const base = new URL(".", script.src);
  const color = /^#[0-9a-f]{6}$/i.test(set.color || "") ? set.color : "#1d5f5b";
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));
  const ink = r * 0.299 + g * 0.587 + b * 0.114 > 150 ? "#10201f" : "#ffffff";
  const side = set.position === "left" ? "left" : "right";
  const label = set.label || "Questions about ketamine?";
  const address = new URL(base);
  address.searchParams.set("embed", "1");
  if (/^[a-z]{2}$/i.test(set.country || "")) address.searchParams.set("country", set.country);
  if (/^(light|dark)$/.test(set.theme || "")) address.searchParams.set("theme", set.theme);

  const host = document.createElement("div");
  host.id = "lantern-widget";
  const shade = host.attachShadow({ mode: "open" }); // the site's styles stay out, ours stay in
  shade.innerHTML = `<style>
    :host { all: initial; position: fixed; bottom: 0; ${side}: 0; z-index: 2147483000; font: 600 16px/1.2 system-ui, sans-serif; }
    button { font: inherit; cursor: pointer; border: 0; }
    button:focus-visible { outline: 3px solid ${color}; outline-offset: 3px; box-shadow: 0 0 0 3px #fff; }
    .launch { position: absolute; bottom: 20px; ${side}: 20px; display: flex; gap: 10px; align-items: center; min-height: 52px; padding: 8px 20px; border-radius: 26px; background: ${color}; color: ${ink}; box-shadow: 0 4px 18px rgb(0 0 0 / .22); white-space: nowrap; max-width: calc(100vw - 40px); }
    .launch svg { width: 24px; height: 24px; flex: none; }
    .panel { position: fixed; bottom: 20px; ${side}: 20px; width: min(440px, 100vw - 40px); height: min(720px, 100vh - 40px); height: min(720px, 100dvh - 40px); display: flex; flex-direction: column; background: #faf7f2; border-radius: 18px; overflow: hidden; box-shadow: 0 10px 40px rgb(0 0 0 / .3); }
    .panel.wide { width: min(820px, 100vw - 40px); height: calc(100vh - 40px); height: calc(100dvh - 40px); }
    .bar { display: flex; justify-content: flex-end; gap: 4px; background: ${color}; color: ${ink}; padding: 4px 6px 4px 16px; align-items: center; }
    .bar span { flex: 1; font-weight: 600; }
    .bar button { width: 44px; height: 40px; display: grid; place-items: center; background: transparent; color: inherit; border-radius: 10px; }
    .bar button:focus-visible { outline-color: ${ink}; outline-offset: -3px; box-shadow: none; }
    .bar svg, .launch svg { fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; }
    .bar svg { width: 20px; height: 20px; }
    iframe { flex: 1; width: 100%; border: 0; display: block; background: transparent; }
    [hidden] { display: none !important; }
    @media (max-width: 520px) { .panel, .panel.wide { inset: 0; width: 100vw; height: 100vh; height: 100dvh; border-radius: 0; } .resize { display: none !important; } }
    @media print { :host { display: none; } }
  </style>
  <button class="launch" type="button" aria-haspopup="dialog" aria-expanded="false"><svg viewBox="0 0 32 32" aria-hidden="true"><path d="M16 3.500v2.500M10.500 8.500h11M11.500 8.500l-1.800 14.500h12.600l-1.800-14.500M8.500 26.500h15"/><path fill="currentColor" stroke="none" d="M16 12c2.300 2.600 3.200 4.200 3.200 5.700a3.200 3.200 0 0 1-6.400 0c0-1.500.900-3.100 3.200-5.700z"/></svg><b></b></button>
  <div class="panel" role="dialog" aria-label="Lantern chat" hidden>
    <div class="bar"><span>Lantern</span><button class="resize" type="button" aria-label="Make the chat larger" aria-pressed="false"><svg viewBox="0 0 20 20" aria-hidden="true"><path d="M12 3.500h4.500V8M16.500 3.500l-5 5M8 16.500H3.500V12M3.500 16.500l5-5"/></svg></button><button class="shut" type="button" aria-label="Close the chat"><svg viewBox="0 0 20 20" aria-hidden="true"><path d="M5 5l10 10M15 5 5 15"/></svg></button></div>
  </div>`;
  const $ = (s) => shade.querySelector(s);
  const [launch, panel, resize] = [$(".launch"), $(".panel"), $(".resize")];
  launch.querySelector("b").textContent = label;
  let frame = null, ready = false, closed = 0, exit = "";

  function open() {
    if (!frame) {
      frame = document.createElement("iframe");
      frame.title = "Lantern: questions about anxiety and ketamine";
      frame.src = address.href;
      frame.allow = "clipboard-write";
      frame.addEventListener("load", () => frame.focus());
      panel.append(frame);
    }
    panel.hidden = false;
    launch.hidden = true;
    launch.setAttribute("aria-expanded", "true");
    frame.focus();
    if (ready) frame.contentWindow.postMessage({ lantern: "focus" }, base.origin);
  }
  function close() {
    if (panel.hidden) return;
    panel.hidden = true;
    launch.hidden = false;
    launch.setAttribute("aria-expanded", "false");
    closed = Date.now();
    launch.focus();
  }
  function leave(url) {
    host.remove();
    document.title = "";
    location.replace(/^https?:\/\//.test(url || "") ? url : "https://www.wikipedia.org/");
  }
  launch.addEventListener("click", open);
  $(".shut").addEventListener("click", close);
  resize.addEventListener("click", () => resize.setAttribute("aria-pressed", String(panel.classList.toggle("wide"))));
  shade.addEventListener("keydown", (e) => { if (e.key === "Escape") { e.stopPropagation(); close(); } });
  // Escape closes the chat; a second Escape within a second leaves the page, as it does inside the chat.
  document.addEventListener("keydown", (e) => { if (e.key === "Escape" && closed && Date.now() - closed < 1000) leave(exit); });
  addEventListener("message", (e) => {
    if (!frame || e.source !== frame.contentWindow || e.origin !== base.origin || !e.data) return;
    if (e.data.lantern === "escape") { exit = e.data.url || exit; close(); }
    if (e.data.lantern === "leave") leave(e.data.url);
    if (e.data.lantern === "ready") {
      ready = true;
      if (!panel.hidden) e.source.postMessage({ lantern: "focus" }, base.origin);
    }
  });

  // Whatever the host page focuses is moved out from under the launcher.
  document.addEventListener("focusin", (e) => {
    if (e.target === host || launch.hidden) return;
    const a = e.target.getBoundingClientRect(), b = launch.getBoundingClientRect();
    if (a.bottom > b.top && a.top < b.bottom && a.right > b.left && a.left < b.right) scrollBy(0, a.bottom - b.top + 12);
  });

  const start = () => { document.body.append(host); if ("open" in set) open(); };
  if (document.body) start(); else addEventListener("DOMContentLoaded", start);
  window.lanternWidget = { open, close };
})();
