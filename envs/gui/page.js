// What stands on a page, as text with numbers; and where to click for a number.
// Runs before the page's own scripts, so that it sees who listens to what.
(() => {
  if (window.top !== window) return;
  const LISTENED = new Set(["click", "mousedown", "mouseup", "pointerdown", "dblclick", "touchstart"]);
  const TAGS = {
    A: "link", BUTTON: "button", SELECT: "combobox", TEXTAREA: "textarea", SUMMARY: "button",
    IMG: "image", CANVAS: "canvas", VIDEO: "video", IFRAME: "frame",
  };
  const INPUTS = {
    button: "button", submit: "button", reset: "button", image: "button", checkbox: "checkbox",
    radio: "radio", range: "slider", color: "color", file: "file", number: "spinbutton",
    search: "searchbox",
  };
  const SHAPES = new Set(["circle", "ellipse", "rect", "line", "polygon", "polyline", "path", "text", "image"]);
  const SKIPPED = new Set(["SCRIPT", "STYLE", "NOSCRIPT", "TEMPLATE", "HEAD", "OPTION", "OPTGROUP", "DATALIST"]);
  const INLINE = /^(inline|contents|ruby)/;
  const COLORS = {
    black: [0, 0, 0], white: [255, 255, 255], red: [255, 0, 0], green: [0, 128, 0], lime: [0, 255, 0],
    blue: [0, 0, 255], yellow: [255, 255, 0], cyan: [0, 255, 255], magenta: [255, 0, 255],
    orange: [255, 165, 0], purple: [128, 0, 128], pink: [255, 192, 203], grey: [128, 128, 128],
    brown: [165, 42, 42], violet: [238, 130, 238], olive: [128, 128, 0],
  };
  const MAX_OPTIONS = 60, MAX_NAME = 200;

  // What moves by itself would be seen somewhere by chance.
  const still = new CSSStyleSheet();
  still.replaceSync("*, *::before, *::after {transition: none !important; animation: none !important}");
  document.adoptedStyleSheets = [still];

  const heard = new WeakSet();
  const listen = EventTarget.prototype.addEventListener;
  EventTarget.prototype.addEventListener = function (type, ...rest) {
    if (LISTENED.has(type) && this instanceof Element) heard.add(this);
    return listen.call(this, type, ...rest);
  };

  let ids = new WeakMap(), nodes = new Map(), next = 1, hidden = "";

  const squeeze = text => text.replace(/\s+/g, " ").trim();
  const quote = text => JSON.stringify(squeeze(text).slice(0, MAX_NAME));

  function number(element) {
    if (!ids.has(element)) {
      ids.set(element, next);
      nodes.set(next, element);
      next += 1;
    }
    return ids.get(element);
  }

  function isShown(element, style) {
    if (style.display === "none" || style.visibility !== "visible" || Number(style.opacity) === 0) return false;
    if (style.display === "contents") return true;
    const box = element.getBoundingClientRect();
    const isSvg = element instanceof SVGElement;
    return box.width > 0 || box.height > 0 || (!isSvg && style.overflow === "visible");
  }

  function colorOf(value) {
    const parts = value.match(/[\d.]+/g);
    if (!parts || (parts.length === 4 && Number(parts[3]) === 0)) return "";
    const rgb = parts.slice(0, 3).map(Number);
    for (const [name, known] of Object.entries(COLORS)) {
      if (known.every((part, i) => part === rgb[i])) return name;
    }
    return "#" + rgb.map(part => Math.round(part).toString(16).padStart(2, "0")).join("");
  }

  function roleOf(element, style) {
    if (element === document.body || element === document.documentElement) return "";
    const role = element.getAttribute("role");
    if (SHAPES.has(element.tagName)) return element.tagName;
    const tag = element.tagName;
    if (tag === "INPUT") return element.type === "hidden" ? "" : role || INPUTS[element.type] || "textbox";
    if (tag === "A" && !element.hasAttribute("href") && !heard.has(element) && !element.onclick && style.cursor !== "pointer") return "";
    if (TAGS[tag]) return role && role !== "presentation" ? role : TAGS[tag];
    if (role && /^(button|link|checkbox|radio|tab|menuitem|menuitemcheckbox|menuitemradio|option|textbox|searchbox|slider|spinbutton|switch|combobox|treeitem|gridcell)$/.test(role)) return role;
    if (element.isContentEditable && !(element.parentElement && element.parentElement.isContentEditable)) return "textbox";
    if (element.classList.contains("ui-slider-handle")) return "slider";
    const isPointed = style.cursor === "pointer" &&
      !(element.parentElement && getComputedStyle(element.parentElement).cursor === "pointer");
    if (heard.has(element) || element.onclick || element.onmousedown || element.draggable || isPointed ||
        element.classList.contains("ui-draggable") || element.classList.contains("ui-sortable-handle") ||
        element.classList.contains("ui-selectee") ||
        (element.hasAttribute("tabindex") && element.tabIndex >= 0)) {
      return tag === "LI" ? "item" : tag === "SPAN" || tag === "LABEL" ? "text" : "box";
    }
    return "";
  }

  function nameOf(element) {
    const said = element.getAttribute("aria-label");
    if (said) return said;
    if (element.labels && element.labels.length) {
      const text = squeeze([...element.labels].map(label => textOf(label)).join(" "));
      if (text) return text;
    }
    if (element.tagName === "INPUT" && ["button", "submit", "reset"].includes(element.type)) {
      return element.value || element.type;
    }
    if (element.tagName === "IMG") return element.alt || (element.getAttribute("src") || "").split("/").pop().slice(0, 40);
    if (["INPUT", "SELECT", "TEXTAREA"].includes(element.tagName)) {
      return element.placeholder || element.title || "";
    }
    const text = squeeze(textOf(element));
    return text || element.title || element.getAttribute("alt") || "";
  }

  function textOf(node) {
    if (node.nodeType === Node.TEXT_NODE) return node.data;
    if (node.nodeType !== Node.ELEMENT_NODE || SKIPPED.has(node.tagName)) return "";
    if (["INPUT", "SELECT", "TEXTAREA"].includes(node.tagName)) return "";
    const style = getComputedStyle(node);
    if (style.display === "none" || style.visibility !== "visible") return "";
    const inner = [...node.childNodes].map(textOf).join("");
    return INLINE.test(style.display) ? inner : ` ${inner} `;
  }

  function stateOf(element, role, style) {
    const said = [];
    const tag = element.tagName;
    if (tag === "INPUT" && ["checkbox", "radio"].includes(element.type)) {
      if (element.checked) said.push("checked");
    } else if (tag === "SELECT") {
      const options = [...element.options];
      const chosen = options.filter(option => option.selected).map(option => quote(option.text));
      said.push(`= ${chosen.join(", ") || "nothing"} of ${options.slice(0, MAX_OPTIONS).map(option => quote(option.text)).join(", ")}`);
      if (options.length > MAX_OPTIONS) said.push(`and ${options.length - MAX_OPTIONS} more`);
      if (element.multiple) said.push("(several)");
    } else if (tag === "TEXTAREA" || (tag === "INPUT" && role !== "button")) {
      const value = element.type === "password" ? "*".repeat(element.value.length) : element.value;
      if (value) said.push(`= ${JSON.stringify(value.slice(0, 2000))}`);
    }
    for (const [name, word] of [["aria-checked", "checked"], ["aria-selected", "selected"], ["aria-pressed", "pressed"], ["aria-expanded", "expanded"]]) {
      if (element.getAttribute(name) === "true") said.push(word);
      else if (name === "aria-expanded" && element.getAttribute(name) === "false") said.push("collapsed");
    }
    if (element.classList.contains("ui-selected")) said.push("selected");
    if (element.disabled || element.getAttribute("aria-disabled") === "true") said.push("disabled");
    return said;
  }

  function lookOf(element, style) {
    const said = [];
    const box = element.getBoundingClientRect();
    if (element instanceof SVGElement) {
      const fill = colorOf(style.fill), stroke = colorOf(style.stroke);
      said.push(...[fill, !fill && stroke].filter(Boolean));
      if (element.tagName === "polygon" || element.tagName === "polyline") {
        const count = element.points.numberOfItems;
        said.push(`of ${count} corners`);
      }
    } else {
      const color = colorOf(style.backgroundColor);
      if (color) said.push(color);
    }
    if (element.tagName === "line") {
      const matrix = element.getScreenCTM();
      const ends = [["x1", "y1"], ["x2", "y2"]].map(([x, y]) => new DOMPoint(element[x].baseVal.value, element[y].baseVal.value).matrixTransform(matrix));
      said.push(ends.map(end => `${Math.round(end.x)},${Math.round(end.y)}`).join(" to "));
    } else {
      said.push(`at ${Math.round(box.x + box.width / 2)},${Math.round(box.y + box.height / 2)}`);
      said.push(`size ${Math.round(box.width)}x${Math.round(box.height)}`);
    }
    return said;
  }

  function iconsIn(element) {
    if (!element.childElementCount) return [];
    return [...element.querySelectorAll("*")].filter(each => {
      if (each.textContent.trim() || !each.classList.length) return false;
      const style = getComputedStyle(each);
      return style.backgroundImage !== "none" && isShown(each, style);
    }).map(each => `with .${[...each.classList].join(".")}`);
  }

  function describe(element, role, style) {
    const words = [`[${number(element)}]`, role];
    const name = nameOf(element);
    if (name) words.push(quote(name));
    const isField = ["INPUT", "SELECT", "TEXTAREA"].includes(element.tagName);
    if (!name && !isField) {
      if (element.classList.length) words.push(`.${[...element.classList].join(".")}`);
      else if (element.id) words.push(`#${element.id}`);
    }
    words.push(...iconsIn(element), ...stateOf(element, role, style));
    if (element instanceof SVGElement || element.tagName === "CANVAS" || (!name && !isField) ||
        role === "slider" || element.draggable && element.tagName !== "A" && element.tagName !== "IMG" || element.classList.contains("ui-draggable")) {
      words.push(...lookOf(element, style));
    }
    return words.join(" ");
  }

  function observe() {
    const lines = [];
    let line = [];
    const seen = new Set();
    const flush = () => {
      const text = line.join(" ").replace(/\s+/g, " ").trim();
      if (text && text !== "|") lines.push(text.replace(/^\|\s*/, ""));
      line = [];
    };
    function walk(node, inLabel) {
      if (node.nodeType === Node.TEXT_NODE) {
        if (!inLabel && node.data.trim()) line.push(node.data);
        return;
      }
      if (node.nodeType !== Node.ELEMENT_NODE || SKIPPED.has(node.tagName)) return;
      if (node.id && hidden && node.matches(hidden)) return;
      if (node.tagName === "BR" || node.tagName === "HR") return flush();
      const style = getComputedStyle(node);
      if (style.display === "none") return;
      const isBlock = !INLINE.test(style.display) && !(node instanceof SVGElement && node.tagName !== "svg");
      const isCell = node.tagName === "TD" || node.tagName === "TH";
      if (isCell) line.push("|");
      else if (isBlock && !style.display.startsWith("inline")) flush();
      const role = isShown(node, style) ? roleOf(node, style) : "";
      const children = node.shadowRoot ? [node.shadowRoot, ...node.childNodes] : [...node.childNodes];
      const isLabel = node.tagName === "LABEL" && node.control;
      let inner = inLabel || Boolean(isLabel);
      if (role) {
        const held = children.length ? heldBy(node) : [];
        if (held.length === 1 && !SHAPES.has(node.tagName) && squeeze(textOf(node)) === nameOf(held[0])) {
          for (const child of children) walk(child, inner);
        } else if (held.length && !["A", "BUTTON"].includes(node.tagName) && !SHAPES.has(node.tagName)) {
          seen.add(number(node));
          line.push(`[${number(node)}] ${role}`);
          for (const child of children) walk(child, inner);
        } else {
          seen.add(number(node));
          line.push(describe(node, role, style));
          if (node instanceof SVGElement && node.tagName !== "svg") flush();
        }
      } else if (style.visibility === "visible" || node.childElementCount) {
        for (const child of children) {
          if (child.nodeType === Node.DOCUMENT_FRAGMENT_NODE) [...child.childNodes].forEach(each => walk(each, inner));
          else if (child.nodeType !== Node.TEXT_NODE || style.visibility === "visible") walk(child, inner);
        }
      }
      if (isBlock && !isCell && !style.display.startsWith("inline")) flush();
    }
    function heldBy(element) {
      return [...element.querySelectorAll("*")].filter(child => {
        const style = getComputedStyle(child);
        return isShown(child, style) && roleOf(child, style);
      });
    }
    if (document.body) walk(document.body, false);
    flush();
    const focused = document.activeElement && ids.get(document.activeElement);
    return {lines, focused: seen.has(focused) ? focused : null, ids: [...seen], entry: window.navigation ? navigation.currentEntry.index : 0};
  }

  function find(id) {
    const element = nodes.get(id);
    return element && element.isConnected ? element : null;
  }

  function locate(id) {
    const element = find(id);
    if (!element) return {error: `[${id}] is no longer on the page`};
    if (element.tagName === "SELECT") return {error: `[${id}] is a combobox: use select[${id}, option]`};
    if (element.disabled) return {error: `[${id}] is disabled`};
    let box = element.getBoundingClientRect();
    if (box.top < 0 || box.left < 0 || box.bottom > innerHeight || box.right > innerWidth || isClipped(element, box)) {
      element.scrollIntoView({block: "center", inline: "nearest", behavior: "instant"});
    }
    const boxes = [...element.getClientRects()];
    for (const fraction of [[0.5, 0.5], [0.25, 0.5], [0.75, 0.5], [0.5, 0.25], [0.5, 0.75], [0.1, 0.1], [0.9, 0.9], [0.1, 0.9], [0.9, 0.1]]) {
      for (box of boxes) {
        const x = box.left + box.width * fraction[0], y = box.top + box.height * fraction[1];
        const hit = document.elementFromPoint(x, y);
        const top = hit && hit.shadowRoot ? hit.shadowRoot.elementFromPoint(x, y) || hit : hit;
        if (top && (element.contains(top) || (top.closest("label") && top.closest("label").control === element))) return {x, y};
      }
    }
    box = element.getBoundingClientRect();
    const hit = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    if (element instanceof SVGElement && hit && hit.closest("svg") === element.ownerSVGElement) {
      return {x: box.left + box.width / 2, y: box.top + box.height / 2};
    }
    return {error: `[${id}] is covered or out of sight`};
  }

  function isClipped(element, box) {
    for (let above = element.parentElement; above && above !== document.body; above = above.parentElement) {
      if (getComputedStyle(above).overflowY === "visible") continue;
      const outer = above.getBoundingClientRect();
      const y = (box.top + box.bottom) / 2;
      if (y < outer.top || y > outer.bottom) return true;
    }
    return false;
  }

  function select(id, option) {
    const element = find(id);
    if (!element) return `[${id}] is no longer on the page`;
    if (element.tagName !== "SELECT") return `[${id}] is no combobox`;
    const wanted = squeeze(option);
    const found = [...element.options].find(each => squeeze(each.text) === wanted) ||
      [...element.options].find(each => each.value === wanted);
    if (!found) return `[${id}] has no option ${quote(option)}`;
    if (element.multiple) found.selected = !found.selected;
    else element.value = found.value, found.selected = true;
    element.dispatchEvent(new Event("input", {bubbles: true}));
    element.dispatchEvent(new Event("change", {bubbles: true}));
    return "";
  }

  function isField(element) {
    const others = ["checkbox", "radio", "button", "submit", "reset", "range", "file", "image"];
    return element.tagName === "TEXTAREA" || (element.tagName === "INPUT" && !others.includes(element.type));
  }

  function takes(id) {
    const element = find(id);
    if (!element) return `[${id}] is no longer on the page`;
    return isField(element) || element.isContentEditable ? "" : `[${id}] takes no text`;
  }

  function focus(id, text) {
    // The caret comes by clicking; what is there is selected, so that typing replaces it.
    const element = document.activeElement;
    const wanted = find(id);
    if (!wanted || (element !== wanted && !wanted.contains(element))) return `[${id}] takes no text`;
    if (["date", "time", "month", "week", "datetime-local", "color"].includes(element.type)) return write(element, id, text);
    if (isField(element)) element.select(); else getSelection().selectAllChildren(element);
    return "";
  }

  function write(element, id, text) {
    // These fields are made of parts, so that typing would depend on where the click went.
    const before = element.value;
    element.value = text;
    if (element.value !== text) {
      element.value = before;
      const forms = {date: "2017-10-20", time: "19:05", month: "2017-10", week: "2017-W42", "datetime-local": "2017-10-20T19:05", color: "#ff0000"};
      return `[${id}] takes the form ${forms[element.type]}`;
    }
    element.dispatchEvent(new Event("input", {bubbles: true}));
    element.dispatchEvent(new Event("change", {bubbles: true}));
    return null;
  }

  function scroll(id, way) {
    let element = id === null ? document.scrollingElement : find(id);
    if (!element) return `[${id}] is no longer on the page`;
    const [x, y] = {up: [0, -1], down: [0, 1], left: [-1, 0], right: [1, 0]}[way];
    const canScroll = each => y ? each.scrollHeight > each.clientHeight + 1 : each.scrollWidth > each.clientWidth + 1;
    if (id !== null) {
      while (element && !(canScroll(element) && getComputedStyle(element)[y ? "overflowY" : "overflowX"] !== "visible")) element = element.parentElement;
      element = element || document.scrollingElement;
    }
    const before = [element.scrollLeft, element.scrollTop];
    element.scrollBy({left: 0.8 * x * element.clientWidth, top: 0.8 * y * element.clientHeight, behavior: "instant"});
    return before[0] === element.scrollLeft && before[1] === element.scrollTop ? `nothing scrolls ${way}` : "";
  }

  function mark() {
    const layer = document.createElement("div");
    layer.id = "agentgym-marks";
    layer.style.cssText = "position:fixed;inset:0;pointer-events:none;z-index:2147483647";
    const root = layer.attachShadow({mode: "open"});
    const size = innerWidth < 400 ? 9 : 13;  // pixels; small windows are shown enlarged
    const boxes = [];
    for (const id of observe().ids) {
      const element = find(id), box = element.getBoundingClientRect();
      if (box.bottom < 0 || box.top > innerHeight || box.right < 0 || box.left > innerWidth) continue;
      if (isClipped(element, box)) continue;
      boxes.push([id, [box.left, box.top, box.width, box.height].map(each => Math.round(10 * each) / 10)]);
      const frame = document.createElement("div");
      frame.style.cssText = `position:fixed;left:${box.left}px;top:${box.top}px;width:${box.width}px;height:${box.height}px;outline:1px solid #d0021b`;
      const label = document.createElement("div");
      label.textContent = id;
      label.style.cssText = `position:fixed;left:${Math.max(0, Math.min(box.right, innerWidth) - 0.75 * size * String(id).length - 2)}px;top:${Math.max(0, Math.min(box.top - size / 2, innerHeight - size))}px;font:bold ${size}px/${size}px monospace;color:#fff;background:#d0021b;padding:0 1px`;
      root.append(frame, label);
    }
    document.documentElement.append(layer);
    return {width: innerWidth, height: innerHeight, boxes};
  }

  function unmark() {
    const layer = document.getElementById("agentgym-marks");
    if (layer) layer.remove();
  }

  function reset(ignored) {
    ids = new WeakMap(); nodes = new Map(); next = 1; hidden = ignored || "";
  }

  Object.defineProperty(window, "__agentgym", {value: {observe, locate, select, takes, focus, scroll, mark, unmark, reset, hide: selector => { hidden = selector; }}});
})();
